"""Faults strike as planned, and the log tells what a vendor saw."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from sandbox.server import Sandbox

DAY = {"dateFrom": "30/04/2026", "dateTo": "30/04/2026"}
WEEK = {"dateFrom": "24/04/2026", "dateTo": "30/04/2026", "page": 1, "limit": 1000}


class Client:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        given = sandbox.credentials["calltouch"]
        self._token = given["token"]
        self.site = given["site_id"]
        self.http = httpx.Client(base_url=given["base_url"], timeout=10)

    def calls(self, **query: Any) -> httpx.Response:
        return self.http.get(self.calls_path, params=self.query(query or WEEK))

    @property
    def calls_path(self) -> str:
        return f"/calls-service/RestAPI/{self.site}/calls-diary/calls"

    def query(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"clientApiId": self._token, **params}

    def tag(self, call: int) -> httpx.Response:
        lead = {"matching": [{"type": "call", "callParams": {"callId": call}}], "addTags": {"tags": [{"tag": "x"}]}}
        headers = {"Access-Token": self._token, "SiteId": self.site}
        return self.http.post("/lead-service/v1/api/tag/lead/add", json={"leads": [lead]}, headers=headers)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    sandbox.clear_faults()
    sandbox.clear_log()
    found = Client(sandbox)
    yield found
    found.http.close()
    sandbox.clear_faults()


def test_too_many_requests_with_every_kind_of_retry_after(client: Client) -> None:
    for params in ({"retry_after": 7}, {"retry_after": "soon"}, {"retry_after_date": 30}, {}):
        client.sandbox.fault("calltouch", "status", params={"status": 429, **params})
    answers = [client.calls() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [429] * 4 + [200]
    assert [answers[0].headers["retry-after"], answers[1].headers["retry-after"]] == ["7", "soon"]
    assert parsedate_to_datetime(answers[2].headers["retry-after"]).timestamp() == pytest.approx(
        parsedate_to_datetime(answers[2].headers["date"]).timestamp() + 30, abs=5
    )
    assert "retry-after" not in answers[3].headers


def test_a_200_that_is_no_answer(client: Client) -> None:
    client.sandbox.fault("calltouch", "html")
    client.sandbox.fault("calltouch", "empty")
    page, empty = client.calls(), client.calls()
    assert page.status_code == empty.status_code == 200
    assert page.text.startswith("<!DOCTYPE html>")
    assert empty.content == b""


def test_a_connection_cut_in_the_body(client: Client) -> None:
    whole = len(client.calls().content)
    client.sandbox.fault("calltouch", "cut", params={"bytes": 100})
    received, promised, error = _stream(client)
    assert promised == whole
    assert len(received) <= 100
    assert isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
    assert client.calls().status_code == 200


def _stream(client: Client) -> tuple[bytes, int, Exception | None]:
    """What came of the body, how much was promised, and how it ended."""
    received, promised = b"", 0
    try:
        with client.http.stream("GET", client.calls_path, params=client.query(WEEK)) as answer:
            promised = int(answer.headers["content-length"])
            for piece in answer.iter_raw():
                received += piece
    except httpx.HTTPError as error:
        return received, promised, error
    return received, promised, None


def test_an_answer_dropped_after_the_work_was_done(own_sandbox: Sandbox) -> None:
    client = Client(own_sandbox)
    call = client.calls().json()["records"][0]["callId"]
    own_sandbox.fault("calltouch", "drop_answer", match="tag/lead")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.tag(call)
    done = client.calls(**WEEK, withCallTags="true").json()["records"][0]
    client.http.close()
    assert {"category": "", "type": "MANUAL", "names": ["x"]} in done["callTags"]


def test_a_connection_dropped_before_the_work(own_sandbox: Sandbox) -> None:
    client = Client(own_sandbox)
    call = client.calls().json()["records"][0]["callId"]
    own_sandbox.fault("calltouch", "drop", method="POST")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.tag(call)
    tags = client.calls(**WEEK, withCallTags="true").json()["records"][0]["callTags"]
    client.http.close()
    assert not any(tag["type"] == "MANUAL" for tag in tags)


def test_slow_and_trickling_answers(client: Client) -> None:
    quick = client.calls(**DAY).content
    client.sandbox.fault("calltouch", "slow", params={"seconds": 0.3})
    client.sandbox.fault("calltouch", "trickle", params={"bytes": len(quick) // 3 + 1, "seconds": 0.1})
    begun = time.monotonic()
    assert client.calls(**DAY).content == quick
    middle = time.monotonic()
    assert client.calls(**DAY).content == quick
    assert middle - begun >= 0.3
    assert time.monotonic() - middle >= 0.2


def test_an_expired_token_is_told_in_the_vendors_own_way(client: Client) -> None:
    client.sandbox.fault("*", "expired_token", times=2)
    assert client.calls().status_code == 401
    given = client.sandbox.credentials["yandex_direct"]
    answer = httpx.post(f"{given['base_url']}/json/v501/campaigns", json={})
    assert (answer.status_code, answer.json()["error"]["error_code"]) == (200, 53)


def test_a_redirect_to_another_host_and_a_giant_body(client: Client) -> None:
    client.sandbox.fault("calltouch", "redirect", params={"location": "http://other.example/"})
    assert client.calls().headers["location"] == "http://other.example/"
    client.sandbox.fault("calltouch", "giant", params={"bytes": 3_000_000})
    assert len(client.calls().content) >= 3_000_000


def test_an_answer_with_another_field_name(client: Client) -> None:
    client.sandbox.fault("calltouch", "edit", params={"find": '"callId"', "replace": '"call_id"'})
    assert "call_id" in client.calls().json()["records"][0]


def test_a_request_delivered_twice(own_sandbox: Sandbox) -> None:
    client = Client(own_sandbox)
    own_sandbox.fault("calltouch", "twice", method="POST")
    item = {"requestNumber": "once", "phoneNumber": "+79990001122"}
    headers = {"Access-Token": own_sandbox.credentials["calltouch"]["token"], "SiteId": client.site}
    answer = client.http.post("/lead-service/v1/api/request/create", json={"requests": [item]}, headers=headers)
    client.http.close()
    assert answer.json()["data"]["requests"] == [{"requestNumber": "once", "imported": False}]


def test_pages_move_under_a_reader(own_sandbox: Sandbox) -> None:
    client = Client(own_sandbox)
    whole = [call["callId"] for call in client.calls().json()["records"]]
    own_sandbox.fault("calltouch", "shift_pages", match="page=2", params={"day": "2026-04-24", "delete": 2})
    half = len(whole) // 2
    seen: list[int] = []
    for page in (1, 2, 3):
        seen += [
            call["callId"] for call in client.calls(**(WEEK | {"page": page, "limit": half})).json()["records"]
        ]
    client.http.close()
    missed = set(whole) - set(seen)
    assert missed == set(whole[half : half + 2]), "two calls slid onto the page that was already read"


def test_faults_wait_match_and_strike_by_chance(client: Client) -> None:
    client.sandbox.fault("calltouch", "status", after=2, times=2, params={"status": 503})
    client.sandbox.fault("calltouch", "status", match="requests", times=None, params={"status": 500})
    assert [client.calls().status_code for _ in range(5)] == [200, 200, 503, 503, 200]
    client.sandbox.clear_faults()
    client.sandbox.fault("calltouch", "status", times=None, probability=0.5, params={"status": 503})
    struck = [client.calls().status_code for _ in range(40)].count(503)
    assert 5 < struck < 35


def test_the_log_tells_what_the_vendor_saw(client: Client) -> None:
    client.sandbox.fault("calltouch", "drop")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.calls()
    client.calls()
    entries = client.sandbox.log("calltouch", path="calls-diary")
    assert [(entry["status"], entry["fault"]) for entry in entries] == [(None, "drop"), (200, None)]
    assert entries[0]["at"] <= entries[1]["at"]
    assert "dateFrom" in entries[1]["query"]
    assert client.sandbox.log("yandex_direct") == []


def test_a_fault_that_does_not_exist_is_refused(client: Client) -> None:
    wrong = httpx.post(f"{client.sandbox.base_url}/_control/faults", json={"vendor": "calltouch", "kind": "magic"})
    assert wrong.status_code == 400
    assert "there is no fault of kind" in wrong.json()["error"]
    pattern = httpx.post(
        f"{client.sandbox.base_url}/_control/faults", json={"vendor": "calltouch", "kind": "drop", "match": "("}
    )
    assert pattern.status_code == 400
