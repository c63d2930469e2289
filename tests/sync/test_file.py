"""Files through the engine: the same file again changes nothing, and rows that can't be read wait in quarantine."""

from __future__ import annotations

from uuid import UUID

from connectors.file.store import keep
from schema.enums import RunState
from sync.connections import create_connection, resync, update_connection
from sync.load import Counts
from sync.quarantine import in_quarantine
from tests.connectors.file.workbooks import workbook
from tests.sync.conftest import Bench

MARCH = "Дата;Кампания;Источник;Расход\n01.03.2026;Весна;vk;1 234,50\n02.03.2026;Весна;vk;пять\nИтого;;;1 234,50\n"
SHEET = [
    ["Расход", "Дата", "Кампания", "Источник"],
    ["5", "02.03.2026", "Весна", "vk"],
    [1234.5, 46082, "Весна", "vk"],
]

APRIL = "Дата;Кампания;Источник;Расход\n01.03.2026;Весна;vk;1300\n01.04.2026;Весна;vk;7\n"


async def give(bench: Bench, content: bytes, connection: UUID | None = None, kind: str = "costs") -> UUID:
    reference = keep(bench.office.settings.files_path, content)
    if connection is not None:
        await update_connection(bench.office, bench.workspace, connection, values={"file": reference})
        return connection
    id, health = await create_connection(
        bench.office, bench.workspace, "file", None, {"kind": kind, "file": reference}
    )
    assert health.ok
    return id


async def test_the_same_file_again_changes_nothing_and_a_mended_row_leaves_quarantine(bench: Bench) -> None:
    connection = await give(bench, MARCH.encode("cp1251"))
    first = await bench.sync(connection)
    assert (first.state, first.counts) == (RunState.SUCCEEDED, Counts(fetched=2, created=1, quarantined=1))
    (refused,) = await in_quarantine(bench.office, bench.workspace, connection)
    assert refused.reason == "Row 3: 'пять' is no number."
    spend = "select day::text, cost::text, revision from ad_spend order by day, revision"
    assert await bench.rows(spend) == [("2026-03-01", "1234.50", 1)]

    await give(bench, MARCH.encode("cp1251"), connection)
    assert (await bench.sync(connection)).counts == Counts()
    await resync(bench.office, bench.workspace, connection)  # even when it is read again
    assert (await bench.sync(connection)).counts == Counts(fetched=2, unchanged=1, quarantined=1)

    await give(bench, workbook({"Март": SHEET}), connection)  # the same days in Excel, with the row mended
    assert (await bench.sync(connection)).counts == Counts(fetched=2, created=1, unchanged=1)
    assert await in_quarantine(bench.office, bench.workspace, connection) == []
    assert await bench.rows(spend) == [("2026-03-01", "1234.50", 1), ("2026-03-02", "5.00", 1)]
    assert await bench.unsettled() == []


async def test_the_next_months_file_comes_beside_and_a_restated_day_is_a_revision(bench: Bench) -> None:
    connection = await give(bench, MARCH.encode())
    await bench.sync(connection)
    await give(
        bench,
        APRIL.encode(),
        connection,
    )
    assert (await bench.sync(connection)).counts == Counts(fetched=2, created=1, updated=1)
    spend = "select day::text, cost::text, revision, known_until is null from ad_spend order by day, revision"
    assert await bench.rows(spend) == [
        ("2026-03-01", "1234.50", 1, False),
        ("2026-03-01", "1300.00", 2, True),
        ("2026-04-01", "7.00", 1, True),
    ]
    assert await bench.value("select name from campaign") == "Весна"
    assert await bench.unsettled() == []


async def test_calls_and_deals_of_two_files_are_one_client(bench: Bench) -> None:
    calls = await give(bench, "Дата и время,Телефон\n02.03.2026 10:00,79161204578\n".encode(), kind="calls")
    deals = await give(
        bench, "Дата,Клиент,Телефон,Сумма\n02.03.2026,Анна,8 916 120-45-78,100\n".encode(), kind="deals"
    )
    for connection in (calls, deals):
        assert (await bench.sync(connection)).counts == Counts(fetched=1, created=1)
    assert await bench.value("select count(*) from client") == 1
    assert await bench.rows("select c.client_id = d.client_id, d.status from call c, deal d") == [(True, "won")]
    assert await bench.unsettled() == []
