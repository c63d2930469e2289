"""Lists are read to their end whatever the totals say, what changed since yesterday, and once a day everything."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.aspro_cloud import CONNECTOR
from connectors.aspro_cloud.settings import AsproCloudSettings
from connectors.contract import Delivery, Page, Start, VendorRequest, VendorResponse
from connectors.errors import AuthFailed, BadRecord, VendorChanged

NOW = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)  # the second of March in Moscow
SINCE = datetime(2025, 3, 1, tzinfo=UTC)
LEADS = CONNECTOR.stream("leads")
ACCOUNTS = CONNECTOR.stream("accounts")


def start(cursor: dict[str, Any] | None = None, now: datetime = NOW, since: datetime = SINCE) -> Start:
    return Start(cursor, now, since, UUID(int=1))


def answer(body: Any, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), json.dumps(body).encode())


def portal(request: VendorRequest, rows: int, *, ignores_pages: bool = False, **totals: int) -> VendorResponse:
    page, limit = int(str(request.query["page"])), int(str(request.query["limit"]))
    first = 0 if ignores_pages else (page - 1) * limit
    items = [{"id": number + 1} for number in range(rows)][first : first + limit]
    return answer({"response": {**totals, "page": page, "count": len(items), "items": items}})


def drive(settings: AsproCloudSettings, rows: int, **how: Any) -> tuple[list[str], list[Page]]:
    position = ACCOUNTS.start(settings, start())
    ids: list[str] = []
    pages: list[Page] = []
    while position is not None:
        assert len(pages) < 50, "reading doesn't end"
        position = json.loads(json.dumps(position))
        page = ACCOUNTS.read(settings, position, portal(ACCOUNTS.request(settings, position), rows, **how))
        ids += [record.external_id for record in page.records]
        pages.append(page)
        position = page.next
    return ids, pages


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 300])
@pytest.mark.parametrize("totals", [{}, {"total": 5000}, {"total": 5000, "total_result": 7}])
def test_totals_neither_end_the_reading_nor_prolong_it(
    settings: AsproCloudSettings, rows: int, totals: dict[str, int]
) -> None:
    ids, pages = drive(settings, rows, **totals)
    assert ids == [str(number + 1) for number in range(rows)]
    assert len(pages) == rows // 100 + 1
    assert [page.cursor for page in pages[:-1]] == [None] * (len(pages) - 1)


def test_a_portal_that_repeats_its_first_page_is_not_asked_for_ever(settings: AsproCloudSettings) -> None:
    _, pages = drive(settings, 100, ignores_pages=True)
    assert len(pages) == 2


def test_a_run_reads_from_the_day_before_the_last(settings: AsproCloudSettings) -> None:
    first = LEADS.start(settings, start())
    assert first is not None
    assert (first["since"], first["whole"]) == ("2025-03-01", True)
    cursor = LEADS.read(settings, first, portal(LEADS.request(settings, first), 0)).cursor
    assert cursor == {"until": "2026-03-02", "whole_at": NOW.isoformat(), "history": "2025-03-01"}
    second = LEADS.start(settings, start(cursor, NOW + timedelta(hours=1)))
    assert second is not None
    assert LEADS.whole is not None
    assert (LEADS.whole(first), LEADS.whole(second)) == (True, False)
    asked = LEADS.request(settings, second).query["filter[updated_date]"]
    assert json.loads(str(asked)) == {"start_date": "2026-03-01"}


def test_everything_is_read_once_a_day_and_when_more_history_is_wanted(settings: AsproCloudSettings) -> None:
    cursor = {"until": "2026-03-02", "whole_at": NOW.isoformat(), "history": "2025-03-01"}
    next_day = LEADS.start(settings, start(cursor, NOW + timedelta(hours=21)))
    more = LEADS.start(settings, start(cursor, since=SINCE - timedelta(days=90)))
    less = LEADS.start(settings, start(cursor, since=SINCE + timedelta(days=90)))
    assert next_day is not None
    assert more is not None
    assert less is not None
    assert (next_day["whole"], next_day["since"]) == (True, "2025-03-01")
    assert (more["whole"], more["since"]) == (True, "2024-12-01")
    assert (less["whole"], less["history"]) == (False, "2025-03-01")  # what was read doesn't count as deleted


def test_another_envelope_is_not_guessed(settings: AsproCloudSettings) -> None:
    position = LEADS.start(settings, start())
    assert position is not None
    with pytest.raises(VendorChanged):
        LEADS.read(settings, position, answer({"response": {"items": [{"name": "no id"}]}}))


def test_one_record_is_fetched_by_its_id(settings: AsproCloudSettings) -> None:
    one = LEADS.one
    assert one is not None
    assert one.request(settings, "42").path == "/crm/lead/get/42"
    found = one.read(settings, "42", answer({"response": {"id": "42", "name": "x"}}))
    assert found is not None
    assert json.loads(found.body)["name"] == "x"
    missing = {"error": {"error_code": 20, "error_msg": "not found"}}
    assert one.read(settings, "42", answer(missing)) is None
    assert one.read(settings, "42", answer(missing, 404)) is None
    with pytest.raises(AuthFailed):
        one.read(settings, "42", answer({"error": {"error_code": 11, "error_msg": "access denied"}}))


def hook(body: Any, **headers: str) -> Delivery:
    return Delivery(json.dumps(body).encode(), httpx.Headers(headers))


def test_a_webhook_names_the_record_that_is_to_be_fetched(settings: AsproCloudSettings) -> None:
    webhooks = CONNECTOR.webhooks
    assert webhooks is not None
    assert webhooks.genuine is not None
    meta = {"module": "crm", "model": "lead", "action": "update"}
    (touched,) = webhooks.read(settings, hook({"meta": meta, "current": {"id": 42}, "previous": {"id": 42}}))
    assert (touched.stream, touched.external_id, touched.body, touched.deleted) == ("leads", "42", None, False)
    gone = {"meta": meta | {"action": "delete"}, "current": None, "previous": {"id": "42"}}
    assert webhooks.read(settings, hook(gone))[0].deleted
    assert webhooks.read(settings, hook({"meta": meta | {"model": "plan_money"}, "current": {"id": 1}})) == []
    with pytest.raises(BadRecord):
        webhooks.read(settings, hook({"meta": meta, "current": None}))
    with pytest.raises(BadRecord):
        webhooks.read(settings, Delivery(b"<html>", httpx.Headers()))
    kept = AsproCloudSettings(base_url="https://firm.aspro.cloud", api_key="k3y", webhook_secret="w0rd")
    assert webhooks.genuine(settings, hook(gone))
    assert webhooks.genuine(kept, hook(gone, **{"X-Aspro-Secret": "w0rd"}))
    assert not webhooks.genuine(kept, hook(gone))
