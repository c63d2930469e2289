"""Tables for analysts over HTTP."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from sqlalchemy import text

from core.database import driver
from reports.rebuild import rebuild
from schema.analytics import VIEWS
from schema.enums import ChangeKind, ChangeType, Role
from sync.feed import Change
from tests.api.conftest import Api
from tests.api.market import Market, uuid
from tests.api.test_changes import note

FORMULA = "=HYPERLINK(evil)"


async def read(api: Api, path: str) -> pa.Table:
    """The table of a Parquet export."""
    response = await api.http.get(path)
    assert response.status_code == 200, response.text
    return pyarrow.parquet.read_table(io.BytesIO(response.content))


async def refused(api: Api, path: str) -> tuple[int, str]:
    response = await api.http.get(path)
    (error,) = response.json()["errors"]
    return response.status_code, error["message"]


async def settled(market: Market) -> None:
    async with market.database.loading(market.workspace_id) as db:
        await rebuild(driver(db), market.workspace_id, None)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
async def test_every_table_has_its_columns_and_a_row_by_its_key(shared_api: Api, view: Any) -> None:
    table = await read(shared_api, f"/export/{view.name}.parquet")
    assert table.column_names == [column.name for column in view.columns]
    assert all(field.metadata[b"meaning"] for field in table.schema)
    keys = list(zip(*(table[name].to_pylist() for name in view.key), strict=True))
    assert len(keys) == len(set(keys))


async def test_formats_tell_the_same(api: Api, market: Market) -> None:
    await market.client(900, name=FORMULA)
    parquet = await read(api, "/export/clients.parquet")
    arrow = pa.ipc.open_stream((await api.http.get("/export/clients.arrow")).content).read_all()
    assert arrow.equals(parquet)
    told = (await api.http.get("/export/clients.csv")).text
    rows = list(csv.DictReader(io.StringIO(told)))
    assert [row["client_id"] for row in rows] == parquet["client_id"].to_pylist()
    (name,) = [row["name"] for row in rows if "HYPERLINK" in row["name"]]
    assert name == "'" + FORMULA
    assert {row["phone"][0] for row in rows if row["phone"]} == {"'"}  # +7… would become a number


async def test_days_are_those_of_the_workspace(api: Api, market: Market) -> None:
    await market.client(901, founded_at="2026-05-01T22:00:00Z")  # the second of May in Moscow
    for day, there in (("2026-05-01", 0), ("2026-05-02", 1), ("2026-05-03", 0)):
        assert (await read(api, f"/export/clients.parquet?from={day}&to={day}")).num_rows == there


async def test_an_analyst_gets_personal_data_masked_and_a_manager_nothing(api: Api) -> None:
    masked = await read(await api.as_role(Role.ANALYST), "/export/clients.parquet")
    assert all("***" in phone for phone in masked["phone"].to_pylist() if phone)
    assert not set(masked["email"].to_pylist()) & set(
        (await read(api, "/export/clients.parquet"))["email"].to_pylist()
    )
    titles = await read(await api.as_role(Role.ANALYST), "/export/history.parquet")
    assert set(titles["title"].to_pylist()) == {None}
    manager = await api.as_role(Role.MANAGER)
    assert (await refused(manager, "/export/clients.csv"))[0] == 403


async def test_after_a_cursor_only_what_changed_comes(api: Api, market: Market) -> None:
    whole = await api.http.get("/export/history.parquet")
    cursor = whole.headers["skvoz-cursor"]
    assert (await read(api, f"/export/history.parquet?after={cursor}")).num_rows == 0

    lonely = await market.call(990, None)
    await note(
        market,
        Change(ChangeType.CLIENT, ChangeKind.CHANGED, [uuid("client", 1)]),
        Change(ChangeType.CALL, ChangeKind.CREATED, [lonely]),
    )
    rows = (await read(api, f"/export/history.parquet?after={cursor}")).to_pylist()
    assert {row["client_id"] for row in rows} == {str(uuid("client", 1)), None}
    assert [row["record_id"] for row in rows if row["client_id"] is None] == [str(lonely)]
    everything = pyarrow.parquet.read_table(io.BytesIO(whole.content)).to_pylist()
    of_client = [row for row in everything if row["client_id"] == str(uuid("client", 1))]
    assert len([row for row in rows if row["client_id"]]) == len(of_client) > 0

    async with market.database.owner_engine.begin() as db:
        await db.execute(text("alter table feed_horizon no force row level security"))
        await db.execute(
            text("insert into feed_horizon (workspace_id, position) values (:ws, :position)"),
            {"ws": market.workspace_id, "position": int(cursor) + 1},
        )
    assert (await refused(api, f"/export/history.parquet?after={cursor}"))[0] == 410


async def test_credits_add_up_to_their_conversions(api: Api, market: Market) -> None:
    await settled(market)
    table = await read(api, "/export/credits.parquet?from=2026-01-01&to=2026-12-31")
    touches = await read(api, "/export/touches.parquet")
    shares = [name for name in table.column_names if name.endswith("_share")]
    assert len(shares) >= 9
    by_conversion: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        by_conversion.setdefault(row["conversion_id"], []).append(row)
    assert by_conversion.keys() == set(touches["conversion_id"].to_pylist())
    for rows in by_conversion.values():
        assert {sum(row[name] for row in rows) for name in shares} == {Decimal(1)}
        assert len({sum(row[name.replace("_share", "_revenue")] for row in rows) for name in shares}) == 1
    credited = {(row["conversion_id"], row["position"]) for row in touches.to_pylist() if row["credited"]}
    assert credited == {
        (row["conversion_id"], row["position"]) for row in table.to_pylist() if row["last_non_direct_share"] == 1
    }


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/export/sausages.csv", 404, "clients, history, touches, spend, report, credits"),
        ("/export/clients.xls", 400, "parquet, csv, arrow"),
        ("/export/clients.csv?form=1", 400, "from, to and after"),
        ("/export/clients.csv?from=yesterday", 400, "2026-01-31"),
        ("/export/clients.csv?after=x", 400, "Skvoz-Cursor"),
        ("/export/clients.csv?after=99999999999", 400, "none of this workspace's"),
        ("/export/report.csv?after=0", 400, "no cursor"),
        ("/export/credits.csv", 400, "from and to"),
        ("/export/credits.csv?from=2026-01-01&to=2026-01-31&after=0", 400, "no cursor"),
    ],
)
async def test_what_cant_be_exported_is_said(shared_api: Api, path: str, status: int, words: str) -> None:
    found, sentence = await refused(shared_api, path)
    assert found == status
    assert words in sentence


async def test_without_a_token_nothing_leaves(shared_api: Api) -> None:
    response = await shared_api.http.get("/export/clients.csv", headers={"Authorization": ""})
    assert response.status_code == 401
