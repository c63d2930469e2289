"""The traps of Calltouch's interface, asked over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs

import httpx
import pytest

from sandbox.running import open_to_read
from sandbox.server import Sandbox

EMPTY = ("<не заполнено>", "<не указано>")
LAST_DAY = "30/04/2026"


class Calltouch:
    """A client as bare as can be."""

    def __init__(self, sandbox: Sandbox) -> None:
        given = sandbox.credentials["calltouch"]
        self.site, self.token = given["site_id"], given["token"]
        self.http = httpx.Client(base_url=given["base_url"], timeout=30)
        self.diary = f"/calls-service/RestAPI/{self.site}/calls-diary/calls"

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(path, params={"clientApiId": self.token, **query})

    def calls(self, **query: Any) -> Any:
        whole = {"dateFrom": "02/03/2026", "dateTo": LAST_DAY, "page": 1, "limit": 1000}
        answer = self.get(self.diary, **(whole | query))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def requests(self, **query: Any) -> Any:
        whole = {"siteId": self.site, "dateFrom": "03/02/2026", "dateTo": "04/30/2026"}
        answer = self.get("/calls-service/RestAPI/requests", **(whole | query))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def write(self, what: str, body: Any, token: str | None = None) -> httpx.Response:
        headers = {"Access-Token": token or self.token, "SiteId": self.site}
        return self.http.post(f"/lead-service/v1/api/{what}", json=body, headers=headers)


@pytest.fixture
def calltouch(sandbox: Sandbox) -> Iterator[Calltouch]:
    client = Calltouch(sandbox)
    yield client
    client.http.close()


@pytest.fixture
def own(own_sandbox: Sandbox) -> Iterator[Calltouch]:
    client = Calltouch(own_sandbox)
    yield client
    client.http.close()


def test_calls_take_days_first_and_requests_months_first(calltouch: Calltouch) -> None:
    """03/04 is taken either way: April 3rd here, March 4th there."""
    calls = calltouch.get(calltouch.diary, dateFrom="03/04/2026", dateTo="03/04/2026").json()
    assert {call["date"][:10] for call in calls} == {"03/04/2026"}
    requests = calltouch.requests(dateFrom="03/04/2026", dateTo="03/04/2026")
    assert {request["dateStr"][:10] for request in requests} <= {"04/03/2026"}
    assert calltouch.get(calltouch.diary, dateFrom="04/30/2026", dateTo="04/30/2026").status_code == 400
    wrong = calltouch.get(
        "/calls-service/RestAPI/requests", siteId=calltouch.site, dateFrom="30/04/2026", dateTo="30/04/2026"
    )
    assert wrong.status_code == 400


def test_one_day_is_a_bare_array_and_pages_have_an_envelope(calltouch: Calltouch) -> None:
    assert isinstance(calltouch.get(calltouch.diary, dateFrom=LAST_DAY, dateTo=LAST_DAY).json(), list)
    assert calltouch.get(calltouch.diary, dateFrom="29/04/2026", dateTo=LAST_DAY).status_code == 400
    whole = calltouch.calls()
    assert (whole["page"], whole["pageTotal"], whole["pageSize"]) == (1, 1, 1000)
    pages = [calltouch.calls(page=page, limit=50) for page in range(1, whole["recordsTotal"] // 50 + 2)]
    assert [call for page in pages for call in page["records"]] == whole["records"]
    assert {page["pageTotal"] for page in pages} == {len(pages)}
    assert calltouch.calls(page=99)["records"] == []
    assert calltouch.get(calltouch.diary, dateFrom=LAST_DAY, dateTo=LAST_DAY, page=1, limit=1001).status_code == 400


def test_requests_ignore_pages(calltouch: Calltouch) -> None:
    whole = calltouch.requests()
    assert isinstance(whole, list)
    assert calltouch.requests(page=2, limit=1) == whole


def test_the_journals_hold_just_what_calltouch_could_see(sandbox: Sandbox, calltouch: Calltouch) -> None:
    with sandbox.truth() as truth:
        calls = {record.vendor_id for record in truth.records("calltouch", "call")}
        forms = truth.counts()["form"]
    assert {str(call["callId"]) for call in calltouch.calls()["records"]} == calls
    assert len(calltouch.requests()) == forms


def test_the_caller_is_the_client_and_the_dialled_number_is_tracked(sandbox: Sandbox, calltouch: Calltouch) -> None:
    own = 0
    records = calltouch.calls()["records"]
    with sandbox.truth() as truth:
        for call in records:
            person_id = truth.person_of("calltouch", "call", call["callId"])
            assert person_id is not None
            own += f"+{call['callerNumber']}" in truth.person(person_id).phones
            assert f"+{call['phoneNumber']}" in truth.market.tracked_phones
    assert 0.7 < own / len(records) < 1, "the others call from the office or a neighbour's phone"


def test_the_instant_is_unix_time_and_the_text_is_moscow_time(calltouch: Calltouch) -> None:
    for call in calltouch.calls()["records"][:20]:
        moscow = datetime.fromtimestamp(call["timestamp"], UTC) + timedelta(hours=3)
        assert call["date"] == moscow.strftime("%d/%m/%Y %H:%M:%S")
    for request in calltouch.requests()[:20]:
        moscow = datetime.fromtimestamp(request["date"] / 1000, UTC) + timedelta(hours=3)
        assert request["dateStr"] == moscow.strftime("%d/%m/%Y %H:%M:%S")


def test_empty_values_are_texts_and_ids_pass_a_float(calltouch: Calltouch) -> None:
    records = calltouch.calls()["records"]
    assert {call["utmSource"] for call in records} >= {"<не указано>", "yandex"}
    assert "<не заполнено>" in {call["keyword"] for call in records}
    assert all(call["ctClientId"] > 2**53 for call in records if call["sessionId"])
    assert all(len(call["yaClientId"]) == 19 for call in records if call["sessionId"])
    assert any(call["sessionId"] is None and call["url"] is None for call in records)


def test_nested_objects_come_only_when_switched_on(calltouch: Calltouch) -> None:
    switches = ("withCallTags", "withYandexDirect", "withMapVisits", "withComments", "withOrders")
    plain = calltouch.calls()["records"]
    rich = calltouch.calls(**dict.fromkeys(switches, "true"))["records"]
    for name in ("callTags", "yandexDirect", "mapVisits", "comments", "orders"):
        assert all(call[name] is None for call in plain)
        assert any(call[name] for call in rich) or name in ("comments", "orders")
    assert any(len(call["mapVisits"]) > 1 for call in rich)
    for call in rich:
        visits = [visit["sessionId"] for visit in call["mapVisits"]]
        assert (visits[-1:] or [None]) == [call["sessionId"]]
        assert all(isinstance(tag["names"], list) for tag in call["callTags"])


def test_direct_ids_join_to_the_campaigns_of_the_world(sandbox: Sandbox, calltouch: Calltouch) -> None:
    with sandbox.truth() as truth:
        known = {c.id for c in truth.market.campaigns if c.platform == "yandex_direct"}
        ads = {ad.id: ad for ad in truth.market.ads}
    found = [c["yandexDirect"] for c in calltouch.calls(withYandexDirect="true")["records"] if c["yandexDirect"]]
    assert found
    for ids in found:
        assert ids["campaignId"] in known
        assert ads[ids["adId"]].ad_group == ids["adGroupId"]


def test_last_click_and_last_non_direct_differ(calltouch: Calltouch) -> None:
    last = calltouch.calls(attribution=0)["records"]
    non_direct = calltouch.calls(attribution=1)["records"]
    moved = [(a, b) for a, b in zip(last, non_direct, strict=True) if a["source"] != b["source"]]
    assert moved
    assert {a["source"] for a, _ in moved} == {"(direct)"}


def test_an_old_record_changes_without_any_mark(own_sandbox: Sandbox, own: Calltouch) -> None:
    """Tags come days later; a call that still runs is told with its phase."""
    before = {call["callId"]: call["callTags"] for call in own.calls(withCallTags="true")["records"]}
    own_sandbox.advance(days=4)
    after = {call["callId"]: call["callTags"] for call in own.calls(withCallTags="true")["records"]}
    assert before.keys() == after.keys()
    changed = [call for call in before if before[call] != after[call]]
    assert changed
    for call in changed:
        assert not before[call]
        assert after[call]


def test_a_running_call_is_listed_before_it_ends(own_sandbox: Sandbox, own: Calltouch) -> None:
    with own_sandbox.truth() as truth:
        start = truth.plan.ends
    seen: dict[int, set[str]] = {}
    for _ in range(160):
        own_sandbox.advance(minutes=3)
        day = (start + timedelta(hours=3)).strftime("%d/%m/%Y")
        for call in own.get(own.diary, dateFrom=day, dateTo=day).json():
            seen.setdefault(call["callId"], set()).add(call["callphase"])
            assert call["duration"] == 0 or call["callphase"] == "calldisconnected"
        if any(len(phases) == 2 for phases in seen.values()):
            return
    pytest.fail("no call was seen running")


def test_a_recording_is_sound_and_only_of_answered_calls(calltouch: Calltouch) -> None:
    records = calltouch.calls()["records"]
    answered = next(call for call in records if call["duration"] > 0)
    missed = next(call for call in records if not call["successful"])
    sound = calltouch.get(f"{calltouch.diary}/{answered['callId']}/download")
    assert sound.headers["content-type"] == "audio/mpeg"
    assert sound.content[:2] == b"\xff\xfb"
    assert not any("download" in str(call["callUrl"]) for call in records), "callUrl is the visitor's page"
    assert calltouch.get(f"{calltouch.diary}/{missed['callId']}/download").status_code == 404


def test_a_wrong_path_leads_to_the_help_centre(calltouch: Calltouch) -> None:
    answer = calltouch.get("/calls-service/RestAPI/sites")
    assert answer.status_code == 302
    landed = calltouch.http.get("/calls-service/RestAPI/sites", follow_redirects=True)
    assert landed.status_code == 200
    assert landed.headers["content-type"].startswith("text/html")


def test_a_wrong_token_and_a_wrong_site_are_told_apart(calltouch: Calltouch) -> None:
    assert calltouch.get(calltouch.diary, clientApiId="no").status_code == 401
    other = calltouch.diary.replace(calltouch.site, "1")
    assert calltouch.get(other, dateFrom=LAST_DAY, dateTo=LAST_DAY).status_code == 403
    assert calltouch.write("tag/lead/add", {"leads": []}, token="no").status_code == 401
    no_site = calltouch.get("/calls-service/RestAPI/requests", dateFrom="04/30/2026", dateTo="04/30/2026")
    assert no_site.status_code == 400


def test_five_requests_a_second_and_no_more(limited_sandbox: Sandbox) -> None:
    client = Calltouch(limited_sandbox)
    statuses = [client.get(client.diary, dateFrom=LAST_DAY, dateTo=LAST_DAY).status_code for _ in range(11)]
    refused = client.get(client.diary, dateFrom=LAST_DAY, dateTo=LAST_DAY)
    client.http.close()
    assert statuses[:5] == [200] * 5
    assert 429 in statuses[5:]
    assert "retry-after" not in refused.headers


def _order(number: str, matching: list[dict[str, Any]], **rest: Any) -> dict[str, Any]:
    order = {"matching": matching, "orderNumber": number, "orderDate": "29-04-2026 12:05:00", "revenue": 15000}
    return {"crm": "Test", "orders": [order | rest]}


def test_a_deal_is_put_on_its_call_once(own: Calltouch) -> None:
    call = own.calls()["records"][-1]["callId"]
    matching = [{"type": "call", "callParams": {"callId": call}}]
    first = own.write("client-order/create", _order("A-1", matching, status="Новая")).json()
    again = own.write("client-order/create", _order("A-1", matching, status="Оплачена", revenue=17000)).json()
    assert first == again
    found = own.calls(withOrders="true")["records"][-1]["orders"]
    assert [(order["orderNumber"], order["completedAmount"]) for order in found] == [("A-1", 17000.0)]
    path = f"/calls-service/RestAPI/{own.site}/orders-diary/orders"
    diary = own.get(path, dateFrom="29/04/2026", dateTo=LAST_DAY, page=1, limit=10).json()
    assert [order["orderSource"]["callId"] for order in diary["records"]] == [call]
    assert own.get(path, dateFrom="29/04/2026", dateTo="29/04/2026").status_code == 400


def test_matching_takes_the_first_entry_that_finds_a_lead(own: Calltouch) -> None:
    call = next(call for call in own.calls()["records"] if call["uniqueCall"])
    caller = call["callerNumber"]
    matching = [
        {"type": "call", "callParams": {"callId": 1}},
        {"type": "callContact", "callContactParams": {"phones": [f"8 ({caller[1:4]}) {caller[4:]}"]}},
    ]
    assert own.write("client-order/create", _order("A-2", matching)).status_code == 200
    assert next(c for c in own.calls(withOrders="true")["records"] if c["callId"] == call["callId"])["orders"]
    nobody = own.write("client-order/create", _order("A-3", matching[:1]))
    assert nobody.status_code == 400
    assert nobody.json()["data"]["validationErrorData"][0]["orderNumber"] == "A-3"
    wrong_date = _order("A-4", matching, orderDate="04/29/2026")
    assert own.write("client-order/create", wrong_date).status_code == 400


def test_http_200_may_say_that_a_request_was_not_imported(own: Calltouch) -> None:
    item = {"requestNumber": "lead-1", "subject": "Форма", "phoneNumber": "+79990001122", "fio": "Иванова"}
    item["requestDate"] = "30-04-2026 10:00:00"
    answers = [own.write("request/create", {"requests": [item]}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["data"]["requests"][0]["imported"] for answer in answers] == [True, False]
    assert sum(request["requestNumber"] == "lead-1" for request in own.requests()) == 1


def test_tags_and_comments_land_on_the_lead(own: Calltouch) -> None:
    call = own.calls()["records"][0]["callId"]
    matching = [{"type": "call", "callParams": {"callId": call}}]
    tags = {"leads": [{"matching": matching, "addTags": {"overwrite": False, "tags": [{"tag": "VIP"}]}}]}
    assert own.write("tag/lead/add", tags).status_code == 200
    comments = {"comments": [{"matching": matching, "addComment": "перезвонить"}]}
    assert own.write("comment/lead/add", comments).status_code == 200
    record = own.calls(withCallTags="true", withComments="true")["records"][0]
    assert {"category": "", "type": "MANUAL", "names": ["VIP"]} in record["callTags"]
    assert [comment["comment"] for comment in record["comments"]] == ["перезвонить"]
    assert own.write("tag/lead/add", {"leads": [tags["leads"][0]] * 101}).status_code == 400


def test_a_cabinet_may_page_its_requests_and_have_old_manners(own: Calltouch) -> None:
    whole, calls = own.requests(), own.calls()["records"]
    assert own.http.put("/_switches", json={"requests_paged": True, "old_manners": True}).status_code == 200
    assert own.requests(page=2, limit=3) == whole[3:6]
    assert own.requests(page=999, limit=3) == []
    old = own.calls()["records"]
    assert [call["timestamp"] for call in old] == [call["timestamp"] * 1000 for call in calls]
    assert {call["successful"] for call in old} == {"True", "False"}


class _Receiver(BaseHTTPRequestHandler):
    """Takes hooks."""

    forms: ClassVar[list[dict[str, list[str]]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.forms.append(parse_qs(body, keep_blank_values=True))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silence."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # a day's hooks come all at once when time is moved on


@contextmanager
def receiving(own: Calltouch, *switches: str) -> Iterator[list[dict[str, list[str]]]]:
    """A receiver of hooks, to which the switches' kinds are sent."""
    _Receiver.forms.clear()
    with _Server(("127.0.0.1", 0), _Receiver) as receiver:
        thread = Thread(target=receiver.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{receiver.server_port}/hook"
        own.http.put("/_switches", json=dict.fromkeys(switches, address))
        yield _Receiver.forms
        receiver.shutdown()
        thread.join()


def wait_for(forms: list[dict[str, list[str]]], count: int) -> None:
    deadline = time.monotonic() + 10
    while len(forms) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(forms) >= count


def test_hooks_tell_of_the_start_and_the_end_of_calls_and_of_requests(own_sandbox: Sandbox, own: Calltouch) -> None:
    with receiving(own, "webhook_url") as forms:
        own_sandbox.advance(days=3)
        period = {"dateFrom": "01/05/2026", "dateTo": "02/05/2026"}
        new = {str(call["callId"]): call for call in own.calls(**period)["records"]}
        requests = own.requests(dateFrom="05/01/2026", dateTo="05/02/2026")
        wait_for(forms, 2 * len(new) + len(requests))
        told = list(forms)
    calls = [form for form in told if "callerphone" in form]
    assert {form["id"][0]: form["callerphone"][0] for form in calls}.items() >= {
        (number, call["callerNumber"]) for number, call in new.items()
    }
    for number, call in new.items():
        durations = [int(form["duration"][0]) for form in calls if form["id"][0] == number]
        assert sorted(durations) == [0, call["duration"]]
    assert {form["unique"][0] for form in calls} <= {"true", "false"}
    assert requests
    assert {form["requestId"][0] for form in told if "requestId" in form} >= {
        str(request["requestId"]) for request in requests
    }


def test_deals_and_chats_have_hooks_of_their_own(own: Calltouch) -> None:
    call = own.calls()["records"][-1]
    with receiving(own, "deals_webhook_url", "chats_webhook_url") as forms:
        matching = [{"type": "call", "callParams": {"callId": call["callId"]}}]
        deal = own.write("client-order/create", _order("A-7", matching, status="Новая")).json()
        said = {"phone": "8 (999) 000-11-22", "text": "Сколько стоит?", "sessionId": call["sessionId"]}
        chat = own.http.post("/_chat", json=said).json()["chatId"]
        wait_for(forms, 2)
        about_deal = next(form for form in forms if "orderId" in form)
        about_chat = next(form for form in forms if "chatId" in form)
    assert about_deal["orderId"] == [str(deal["data"]["orders"][0]["calltouchOrderId"])]
    assert (about_deal["orderNumber"], about_deal["orderStatus"]) == (["A-7"], ["Новая"])
    assert (about_chat["chatId"], about_chat["phone"]) == ([str(chat)], ["79990001122"])


def test_a_deal_may_be_put_on_a_chat_and_bears_its_own_tags(own: Calltouch) -> None:
    chat = own.http.post("/_chat", json={"phone": "+79990001122"}).json()["chatId"]
    contact = {"phones": ["8 (999) 000-11-22"], "withChats": True}
    for number, matching in (
        ("A-8", {"type": "chat", "chatParams": {"chatId": chat}}),
        ("A-9", {"type": "leadContact", "leadContactParams": contact}),
    ):
        order = _order(number, [matching], orderDate="29-04-2026 10:00:00", addTags=[{"tag": "Опт"}])
        assert own.write("client-order/create", order).status_code == 200
    path = f"/calls-service/RestAPI/{own.site}/orders-diary/orders"
    period = {"dateFrom": "29/04/2026", "dateTo": LAST_DAY, "page": 1, "limit": 10}
    found = own.get(path, **period, orderSource="CHAT", withOrdersTags="true").json()["records"]
    assert [order["orderSource"]["chatId"] for order in found] == [chat, chat]
    assert [order["tags"] for order in found] == [[{"category": "", "type": "MANUAL", "names": ["Опт"]}]] * 2
    assert {order["tags"] for order in own.get(path, **period).json()["records"]} == {None}


def _costs(own_sandbox: Sandbox) -> list[tuple[str, str, str]]:
    with closing(open_to_read(own_sandbox.home)) as db:
        return db.execute("SELECT day, campaign, price FROM calltouch_cost ORDER BY day, campaign").fetchall()


def test_added_costs_sum_up_and_an_update_wants_the_very_same_names(own_sandbox: Sandbox, own: Calltouch) -> None:
    def send(what: str, **item: Any) -> httpx.Response:
        whole = {"dateFrom": "01-04-2026", "dateTo": "02-04-2026", "price": 100} | item
        headers = {"Access-Token": own.token, "SiteId": own.site}
        return own.http.post(
            f"/report-service/RestAPI/api/costs-import/{what}", json={"costs": [whole]}, headers=headers
        )

    assert send("add", source="vk", campaign="весна").status_code == 200
    assert send("add", source="vk", campaign="весна").status_code == 200
    assert _costs(own_sandbox) == [("2026-04-01", "весна", "100"), ("2026-04-02", "весна", "100")]
    send("update", campaign="весна", source="vk", price=10)  # the same names in another order
    send("update", source="vk", price=10)
    assert [price for _, _, price in _costs(own_sandbox)] == ["100", "100"]
    send("update", source="vk", campaign="весна", price=10)
    assert [price for _, _, price in _costs(own_sandbox)] == ["5", "5"]
    send("add", source="vk")
    assert _costs(own_sandbox)[0][1] == "<не заполнено>"
    assert send("add").status_code == 400
    assert send("add", source="vk", dateFrom="2026-04-01").status_code == 400
    assert send("remove", source="vk").status_code == 302


def test_a_days_points_are_spent_by_successful_requests_and_come_again(
    own_sandbox: Sandbox, own: Calltouch
) -> None:
    own.http.put("/_switches", json={"daily_points": 2})
    day = {"dateFrom": LAST_DAY, "dateTo": LAST_DAY}
    statuses = [own.get(own.diary, **day).status_code, own.get(own.diary, dateFrom="x", dateTo="x").status_code]
    statuses += [own.get(own.diary, **day).status_code for _ in range(2)]
    assert statuses == [200, 400, 200, 429]
    assert "баллов" in own.get(own.diary, **day).text
    own_sandbox.advance(days=1)
    assert own.get(own.diary, **day).status_code == 200
