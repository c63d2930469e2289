"""Lists are read by number and by what changed, and now and then all numbers are told."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.contract import Page, Skip, Start, VendorRequest, VendorResponse
from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    Transient,
    VendorChanged,
    VendorError,
    WriteRejected,
)
from connectors.tryton import CONNECTOR, mapping, reads
from connectors.tryton.errors import error_of
from connectors.tryton.settings import TrytonSettings

SAMPLES = Path(__file__).parent / "samples"
NOW = datetime(2026, 11, 24, 17, tzinfo=UTC)
PARTIES, DEALS, STATES = (CONNECTOR.stream(name) for name in ("parties", "opportunities", "states"))


def start(cursor: dict[str, Any] | None = None, now: datetime = NOW, since: datetime | None = None) -> Start:
    return Start(cursor, now, since or NOW - timedelta(days=365), UUID(int=1))


def answer(content: Any, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), json.dumps(content).encode())


def told(request: VendorRequest, name: str) -> Any:
    return json.loads(urlsafe_b64decode(str(request.query[name])))


def drive(settings: TrytonSettings, position: Any, ids: list[int]) -> tuple[list[str], list[str], list[Page]]:
    """Read from a database that holds these numbers; which records were told, which only named."""
    records: list[str] = []
    present: list[str] = []
    pages: list[Page] = []
    while position is not None:
        assert len(pages) < 20, "reading doesn't end"
        position = json.loads(json.dumps(position))
        request = PARTIES.request(settings, position)
        after = told(request, "d")[0][2]
        rows = [{"id": id} for id in ids if id > after][: int(str(request.query["s"]))]
        page = PARTIES.read(settings, position, answer(rows))
        records += [record.external_id for record in page.records]
        present += page.present
        pages.append(page)
        position = page.next
    return records, present, pages


@pytest.mark.parametrize("count", [0, 1, reads.LIMIT, reads.LIMIT + 1])
def test_every_record_is_told_once_and_named_once(settings: TrytonSettings, count: int) -> None:
    ids = list(range(3, 3 * count + 3, 3))
    records, present, pages = drive(settings, PARTIES.start(settings, start()), ids)
    assert records == present == [str(id) for id in ids]
    assert [page.cursor for page in pages[:-1]] == [None] * (len(pages) - 1)
    assert pages[-1].cursor is not None


def test_a_later_run_asks_for_what_changed_and_for_changes_of_phones(settings: TrytonSettings) -> None:
    cursor = {"until": NOW.isoformat(), "whole_at": NOW.isoformat(), "history": None}
    position = PARTIES.start(settings, start(cursor, NOW + timedelta(hours=1)))
    assert position is not None
    assert PARTIES.whole is not None
    assert not PARTIES.whole(position)
    (bound, changed) = told(PARTIES.request(settings, position), "d")
    assert bound == ["id", ">", 0]
    assert [clause[0] for clause in changed[1:]] == [
        "create_date", "write_date", "contact_mechanisms.create_date", "contact_mechanisms.write_date",
        "identifiers.create_date", "identifiers.write_date",
    ]  # fmt: skip
    assert (changed[1][2]["hour"], changed[1][2]["minute"]) == (16, 50)  # ten minutes back
    _, present, pages = drive(settings, position, [1, 2])
    assert (present, len(pages)) == ([], 1)


def test_all_are_named_after_some_hours_and_when_more_history_is_wanted(settings: TrytonSettings) -> None:
    since = (NOW - timedelta(days=365)).isoformat()
    cursor = {"until": NOW.isoformat(), "whole_at": NOW.isoformat(), "history": since}
    later = DEALS.start(settings, start(cursor, NOW + timedelta(hours=7)))
    more = DEALS.start(settings, start(cursor, since=NOW - timedelta(days=500)))
    less = DEALS.start(settings, start(cursor, since=NOW - timedelta(days=10)))
    assert later is not None
    assert more is not None
    assert less is not None
    assert (later["whole"], later["since"] is None) == (True, False)
    assert (more["whole"], more["since"]) == (True, None)
    assert (less["whole"], less["history"]) == (False, since)


def test_records_put_away_are_asked_for_too_and_the_company_is_named(settings: TrytonSettings) -> None:
    position = DEALS.start(settings, start())
    assert position is not None
    request = DEALS.request(settings, position)
    context = json.loads(urlsafe_b64decode(request.headers["X-Tryton-Context"]))
    assert context == {"company": 1, "employee": 1, "active_test": False}
    assert "marketing_campaign.name" in request.query["f"]  # type: ignore[operator]  # a list
    without = settings.model_copy(update={"campaigns": False})
    assert "marketing_campaign.name" not in DEALS.request(without, position).query["f"]  # type: ignore[operator]


def test_the_states_are_stages(settings: TrytonSettings) -> None:
    response = VendorResponse(200, httpx.Headers(), (SAMPLES / "states.json").read_bytes())
    records = STATES.read(settings, {}, response).records
    told = [mapping.state(settings, each.body) for each in records]
    assert [record.external_id for each in told if not isinstance(each, Skip) for record in each] == [
        "opportunities", "lead", "opportunity", "converted", "won", "lost", "cancelled",
    ]  # fmt: skip
    with pytest.raises(VendorChanged):
        STATES.read(settings, {}, answer({"state": {}}))


def test_one_record_is_fetched_by_its_number(settings: TrytonSettings) -> None:
    assert PARTIES.one is not None
    assert PARTIES.one.request(settings, "5").path == "/party.party/5"
    assert PARTIES.one.read(settings, "5", answer(None, 404)) is None
    assert PARTIES.one.read(settings, "5", answer({"id": 5})) is not None


def test_another_envelope_is_not_guessed(settings: TrytonSettings) -> None:
    position = PARTIES.start(settings, start())
    assert position is not None
    with pytest.raises(VendorChanged):
        PARTIES.read(settings, position, answer({"result": []}))


def refused(method: str, status: int, content: bytes) -> VendorError | None:
    request = httpx.Request(method, "https://tryton.example.org/firm/rest/model/party.party")
    return error_of(httpx.Response(status, content=content, request=request))


def test_what_refusals_mean() -> None:
    unknown = (SAMPLES / "error_unknown_field.html").read_bytes()
    rule = (SAMPLES / "error_rule.json").read_bytes()
    assert isinstance(refused("GET", 401, (SAMPLES / "error_key.html").read_bytes()), AuthFailed)
    missing = refused("GET", 500, unknown)
    assert isinstance(missing, NotPermitted)
    assert "'nothing'" in missing.sentence
    assert isinstance(refused("GET", 500, b"<p>division by zero</p>"), Transient)
    written = refused("PUT", 400, rule)
    assert isinstance(written, WriteRejected)
    assert "not allowed to modify the field" in written.sentence
    assert isinstance(refused("GET", 400, rule), NotPermitted)
    assert isinstance(refused("GET", 404, b""), BadSettings)
    assert isinstance(refused("PUT", 423, b""), Transient)
    assert refused("GET", 200, b"[]") is None
