"""The fields that accounts have of their own: found, watched, and mapped without code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sandbox.server import Sandbox
from schema.enums import CustomFieldType, RecordKind, RunState
from sync.connections import open_connection
from sync.custom_fields import guess, refresh_fields
from sync.errors import Refused
from sync.field_mappings import list_mappings, remove_mapping, set_mapping
from sync.mapping_again import map_waiting, preview_mapping
from tests.sync.conftest import Bench

REASON = "UF_CRM_1690000001"
EDIT = {"find": '"type"', "replace": '"kind"'}
_FIELDS = (
    "select record_kind, key, label, type, declared, gone_at is not null from custom_field where record_kind = :k"
)


def amocrm(market: Sandbox) -> httpx.Client:
    told = market.credentials["amocrm"]
    return httpx.Client(base_url=told["base_url"], headers={"Authorization": f"Bearer {told['access_token']}"})


async def test_what_becomes_of_an_accounts_fields_is_told_once_and_stops_nothing(
    bench: Bench, own_market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await bench.connect(own_market, "amocrm")
    await bench.sync(connection)
    assert ("company", "INN", "ИНН", "text", True, False) in await bench.rows(_FIELDS, k="company")
    told = await bench.rows(
        "select sampled > 0, filled > 0, samples is not null from custom_field where key = 'INN'"
    )
    assert told == [(True, True, True)]
    assert await bench.rows("select * from schema_change") == []  # what the first reading finds is what there is

    with amocrm(own_market) as api:
        made = api.post("/api/v4/leads/custom_fields", json=[{"name": "Вид оплаты", "type": "text"}]).json()
        field = made["_embedded"]["custom_fields"][0]["id"]
        asked = len(own_market.log("amocrm", path="/custom_fields"))
        await bench.sync(connection)
        assert len(own_market.log("amocrm", path="/custom_fields")) == asked  # once an hour is enough
        monkeypatch.setattr("sync.custom_fields.EVERY", timedelta(0))

        assert (await bench.sync(connection)).state is RunState.SUCCEEDED
        assert (str(field), "Вид оплаты") in [(row[1], row[2]) for row in await bench.rows(_FIELDS, k="deal")]
        api.patch(f"/api/v4/leads/custom_fields/{field}", json={"name": "Способ оплаты"})
        await bench.sync(connection)
        assert api.delete(f"/api/v4/leads/custom_fields/{field}").status_code == 204
        assert (await bench.sync(connection)).state is RunState.SUCCEEDED
        await bench.sync(connection)
    assert await bench.rows("select key, change, label, before, after from schema_change order by at") == [
        (str(field), "added", "Вид оплаты", None, "text"),
        (str(field), "renamed", "Способ оплаты", "Вид оплаты", "Способ оплаты"),
        (str(field), "removed", "Способ оплаты", None, None),
    ]
    assert [w for (ws,) in await bench.rows("select warnings from sync_run order by queued_at") for w in ws] == [
        f"Deals have a new field «Вид оплаты» ({field}): text.",
        f"Deals: the field «Способ оплаты» ({field}) was called «Вид оплаты».",
        f"Deals have no field «Способ оплаты» ({field}) any more.",
    ]
    assert await bench.value("select gone_at is not null from custom_field where key = :k", k=str(field))


@pytest.mark.parametrize(
    ("kind", "params", "warning"),
    [("status", {"status": 402}, "could not be read: "), ("edit", EDIT, "have another shape than documented: ")],
)
async def test_a_list_of_fields_that_is_refused_or_strange_is_a_warning_and_takes_nothing_away(
    bench: Bench, own_market: Sandbox, monkeypatch: pytest.MonkeyPatch, kind: str, params: Any, warning: str
) -> None:
    connection = await bench.connect(own_market, "amocrm")
    await refresh_fields(bench.office, bench.workspace, connection)
    before = await bench.rows(_FIELDS, k="company")
    monkeypatch.setattr("sync.custom_fields.EVERY", timedelta(0))
    own_market.fault("amocrm", kind, match="custom_fields", times=None, params=params)
    assert (await bench.sync(connection)).state is RunState.SUCCEEDED
    assert await bench.rows(_FIELDS, k="company") == before != []
    assert await bench.rows("select * from schema_change") == []
    warnings = await bench.value("select warnings from sync_run")
    assert warning in warnings[0]


async def test_a_mapping_gives_the_same_whenever_it_is_set_and_nothing_when_taken_back(
    bench: Bench, market: Sandbox, connection_ids: Callable[[str], None]
) -> None:
    connection_ids("one")
    connection = await bench.connect(market, "bitrix24")
    await bench.sync(connection)
    plain = await bench.state()
    preview = await preview_mapping(
        bench.office, bench.workspace, connection, RecordKind.DEAL, REASON, "lost_reason"
    )
    lost = await bench.value("select count(*) from deal where custom ? :key", key=REASON)
    assert (preview.records, preview.looked_at, preview.changing, preview.not_understood) == (lost, lost, lost, 0)
    assert {(each.before, type(each.after)) for each in preview.samples} == {(None, str)}
    assert await bench.state() == plain  # a look changes nothing

    await set_mapping(bench.office, bench.workspace, connection, RecordKind.DEAL, REASON, "lost_reason", "test")
    assert [each.waiting for each in await list_mappings(bench.office, bench.workspace, connection)] == [True]
    market.clear_log()
    opened = await open_connection(bench.office, bench.workspace, connection)
    assert await map_waiting(bench.office, opened) == lost > 10
    assert market.log("bitrix24") == []  # nothing was fetched for it
    after = await bench.state()
    reasons = await bench.rows("select distinct lost_reason from deal where custom ? :key", key=REASON)
    assert {("Дорого",), ("Передумал",)} < set(reasons)
    assert await bench.value("select count(*) from deal where lost_reason is not null") == lost
    assert [each.waiting for each in await list_mappings(bench.office, bench.workspace, connection)] == [False]
    assert await map_waiting(bench.office, opened) == 0
    assert await bench.unsettled() == []

    assert await remove_mapping(bench.office, bench.workspace, connection, RecordKind.DEAL, "lost_reason", "test")
    assert await map_waiting(bench.office, opened) == lost
    assert await bench.rows("select * from field_mapping") == []
    assert await bench.state() == plain

    await bench.forget()
    connection_ids("one")
    assert await bench.connect(market, "bitrix24") == connection
    await refresh_fields(bench.office, bench.workspace, connection)
    await set_mapping(bench.office, bench.workspace, connection, RecordKind.DEAL, REASON, "lost_reason", "test")
    await bench.sync(connection)
    assert await bench.state() == after


async def test_a_mapping_that_does_not_fit_is_refused_at_once(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "bitrix24")
    assert await refresh_fields(bench.office, bench.workspace, connection) == []
    for kind, key, target, code in (
        (RecordKind.DEAL, REASON, "amount", "TYPES_DIFFER"),
        (RecordKind.DEAL, "UF_NONE", "lost_reason", "NO_SUCH_CUSTOM_FIELD"),
        (RecordKind.DEAL, REASON, "status", "NOT_MAPPABLE_FIELD"),
        (RecordKind.STAGE, REASON, "name", "NOT_MAPPABLE"),
    ):
        with pytest.raises(Refused) as refused:
            await set_mapping(bench.office, bench.workspace, connection, kind, key, target, "test")
        assert [each.code for each in refused.value.problems] == [code]
    assert await bench.rows("select * from field_mapping") == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-03-01", "2026-04-01"], (CustomFieldType.DATE, False)),
        (["2026-03-01T10:00:00+03:00"], (CustomFieldType.DATETIME, False)),
        ([1, 2.5], (CustomFieldType.NUMBER, False)),
        ([[1, 2], 3], (CustomFieldType.NUMBER, True)),
        ([True], (CustomFieldType.BOOLEAN, False)),
        (["https://a.ru/x"], (CustomFieldType.URL, False)),
        (["84", 84], (CustomFieldType.TEXT, False)),
        ([{"id": 1}], (CustomFieldType.OTHER, False)),
        ([[]], (CustomFieldType.TEXT, True)),
    ],
)
def test_types_are_guessed_from_values(values: list[Any], expected: tuple[CustomFieldType, bool]) -> None:
    assert guess(values) == expected


async def test_another_type_and_another_choice_are_told_and_map_anew(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "bitrix24")
    await bench.sync(connection)
    opened = await open_connection(bench.office, bench.workspace, connection)
    await set_mapping(bench.office, bench.workspace, connection, RecordKind.DEAL, REASON, "lost_reason", "test")
    await map_waiting(bench.office, opened)
    await bench.rows("update custom_field set type = 'text' where key = 'SOURCE_DESCRIPTION' returning 1")
    await bench.rows(
        "update custom_field set options = jsonb_set(options, '{0,label}', to_jsonb('Не здесь'::text))"
        " where key = :k returning 1",
        k=REASON,
    )
    (change,) = await refresh_fields(bench.office, bench.workspace, connection)
    assert change.sentence.startswith(f"Deals: the field «Причина отказа» ({REASON}) offers another choice: Не наш")
    assert await map_waiting(bench.office, opened) > 0
