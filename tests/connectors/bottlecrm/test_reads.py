"""Lists without order are read without leaving anything out, and calls record by record."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.bottlecrm import CONNECTOR, reads
from connectors.bottlecrm.errors import error_of
from connectors.bottlecrm.settings import BottleCrmSettings
from connectors.contract import Position, Start, VendorRequest, VendorResponse
from connectors.errors import (
    AuthFailed,
    BadSettings,
    NotPermitted,
    Transient,
    VendorChanged,
    VendorError,
    WriteRejected,
)

NOW = datetime(2026, 11, 24, 17, tzinfo=UTC)
CONTACTS, LEADS, CALLS = (CONNECTOR.stream(name) for name in ("contacts", "leads", "interactions"))
BEGIN = Start(None, NOW, NOW - timedelta(days=365), UUID(int=1))
Recorded = Callable[..., VendorResponse]


def answer(content: Any, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), json.dumps(content).encode())


def listed(request: VendorRequest, ids: list[str]) -> list[dict[str, str]]:
    offset, limit = int(str(request.query["offset"])), int(str(request.query["limit"]))
    return [{"id": id} for id in ids[offset : offset + limit]]


def walk(settings: BottleCrmSettings, ids: list[str], meanwhile: Callable[[int, list[str]], None]) -> set[str]:
    """Read a list that changes between the pages; the ids that were seen."""
    position: Position | None = CONTACTS.start(settings, BEGIN)
    seen: set[str] = set()
    pages = 0
    while position is not None:
        pages += 1
        assert pages < 30, "reading doesn't end"
        position = json.loads(json.dumps(position))
        response = answer({"results": listed(CONTACTS.request(settings, position), ids)})
        page = CONTACTS.read(settings, position, response)
        seen |= {record.external_id for record in page.records}
        position = page.next
        meanwhile(pages, ids)
    return seen


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 350])
def test_a_list_is_read_to_its_end(settings: BottleCrmSettings, count: int) -> None:
    ids = [f"c{number}" for number in range(count)]
    assert walk(settings, ids, lambda _page, _ids: None) == set(ids)


@pytest.mark.parametrize("removed", [1, 9, 10, 60])
def test_what_is_deleted_meanwhile_hides_nothing(settings: BottleCrmSettings, removed: int) -> None:
    ids = [f"c{number}" for number in range(350)]
    kept = set(ids[removed:])

    def delete(page: int, now: list[str]) -> None:
        if page == 2:
            del now[:removed]  # all behind the page that was read last move back

    assert kept <= walk(settings, ids, delete)


def test_the_halves_of_a_list_are_both_read(settings: BottleCrmSettings, recorded: Recorded) -> None:
    opened, closed = reads.halves("leads/", recorded("leads.json"))
    assert (len(opened), len(closed)) == (1, 1)
    with pytest.raises(VendorChanged):
        reads.halves("leads/", answer({"results": []}))


def test_a_login_is_no_change_of_a_record(settings: BottleCrmSettings, recorded: Recorded) -> None:
    response = recorded("accounts.json")
    ((account, *_), _) = reads.halves("accounts/", response)
    assert b'"last_login"' in account.body
    later = VendorResponse(
        200, response.headers, response.content.replace(b"2026-11-24T16:13", b"2026-11-24T18:55")
    )
    assert later.content != response.content
    assert reads.halves("accounts/", later)[0][0].body == account.body


def test_leads_that_were_deleted_are_told_by_the_feed(settings: BottleCrmSettings, recorded: Recorded) -> None:
    position = LEADS.start(settings, BEGIN)
    assert position is not None
    page = LEADS.read(settings, position, recorded("leads.json"))
    assert len(page.records) == 2
    assert page.next is not None
    request = LEADS.request(settings, page.next)
    assert (request.path, request.query["entity_type"]) == ("/activities/", "Lead")
    last = LEADS.read(settings, page.next, recorded("activities.json"))
    (gone,) = last.touched
    assert (gone.stream, gone.deleted) == ("leads", True)
    assert last.next is None


def test_calls_are_asked_for_of_each_record(settings: BottleCrmSettings) -> None:
    people = [f"c{number}" for number in range(120)]
    asked: list[str] = []
    position: Position | None = CALLS.start(settings, BEGIN)
    found: set[str] = set()
    cursor = None
    while position is not None:
        position = json.loads(json.dumps(position))
        request = CALLS.request(settings, position)
        if request.path == "/interactions/":
            home = next(name for name in ("contact", "lead", "account", "opportunity") if name in request.query)
            id = str(request.query[home])
            asked.append(id)
            page = CALLS.read(settings, position, _interactions(request, id))
        else:
            page = CALLS.read(settings, position, _list(request, people))
        found |= {record.external_id for record in page.records}
        position, cursor = page.next, page.cursor
    assert set(asked) == {*people, "l1", "d1"}
    assert len(found) == 120 + 250 - 1
    assert cursor == {"read_at": NOW.isoformat()}
    soon = Start(cursor, NOW + timedelta(hours=1), BEGIN.since, BEGIN.run_id)
    assert CALLS.start(settings, soon) is None
    assert CALLS.start(settings.model_copy(update={"calls": False}), BEGIN) is None


def _list(request: VendorRequest, people: list[str]) -> VendorResponse:
    match request.path:
        case "/contacts/":
            return answer({"results": listed(request, people)})
        case "/leads/":
            return answer(
                {"open_leads": {"open_leads": []}, "close_leads": {"close_leads": listed(request, ["l1"])}}
            )
        case "/accounts/":
            empty: dict[str, Any] = {"active_accounts": {"open_accounts": []}}
            return answer(empty | {"closed_accounts": {"close_accounts": []}})
        case _:
            return answer({"opportunities": listed(request, ["d1"])})


def _interactions(request: VendorRequest, id: str) -> VendorResponse:
    """One of each contact, 250 of the deal, none of the lead, which was deleted meanwhile."""
    if id == "l1":
        return answer({"detail": "No such record."}, 404)
    ids = [f"i{number}" for number in range(250)] if id == "d1" else [f"i-{id}" if id != "c0" else "i0"]
    return answer({"interactions": listed(request, ids), "count": len(ids)})


def refused(method: str, status: int, content: bytes) -> VendorError | None:
    request = httpx.Request(method, "https://crm.example.org/api/contacts/")
    return error_of(httpx.Response(status, content=content, request=request))


def test_what_refusals_mean(recorded: Recorded) -> None:
    assert isinstance(refused("GET", 403, recorded("error_token.json").content), AuthFailed)
    assert isinstance(refused("GET", 403, b'{"detail": "Token lacks scope"}'), NotPermitted)
    blank = refused("POST", 400, recorded("error_fields.json").content)
    assert isinstance(blank, WriteRejected)
    assert (blank.field, blank.sentence) == (
        "last_name",
        "BottleCRM refuses the values: last_name: This field may not be blank.",
    )
    assert isinstance(refused("POST", 500, b"<h1>Server Error</h1>"), Transient)
    assert isinstance(refused("GET", 404, b"<html>"), BadSettings)
    assert isinstance(refused("GET", 400, b"{}"), VendorChanged)
    assert refused("GET", 200, b"{}") is None
