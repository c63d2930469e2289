"""What is sent to a cabinet, beside the vendor's own examples, and what its answers mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.calltouch import CONNECTOR
from connectors.calltouch.settings import CalltouchSettings
from connectors.contract import Command, Standing, VendorRequest, VendorResponse
from connectors.errors import VendorChanged, WriteRejected

SAMPLES = Path(__file__).parent / "samples"
SETTINGS = CalltouchSettings(token="secret-token", site_id="12345")
AT = "2026-04-03T07:15:30+00:00"  # 10:15:30 in Moscow
DEAL: dict[str, Any] = {
    "number": "bitrix24-7",
    "title": "Окна",
    "amount": "15000.00",
    "at": AT,
    "call": "900000001",
}
REQUEST: dict[str, Any] = {"title": "Форма", "name": "Пётр", "phones": ["+79990001122"], "at": AT}
COST: dict[str, Any] = {"day": "2026-04-03", "source": "vk", "medium": "cpc", "campaign": "весна"}


def example(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def sent(write: str, values: dict[str, Any], key: str = "k1") -> VendorRequest:
    request = CONNECTOR.write(write).request(SETTINGS, Command(key, values))
    assert (request.headers, request.method) == ({"Access-Token": "secret-token", "SiteId": "12345"}, "POST")
    assert "secret-token" not in json.dumps([request.path, dict(request.query), request.json])
    return request


def answer(content: Any) -> VendorResponse:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return VendorResponse(200, httpx.Headers(), body)


def result(write: str, values: dict[str, Any], content: Any, key: str = "k1") -> str:
    return CONNECTOR.write(write).result(SETTINGS, Command(key, values), answer(content))


def same_words(body: Any, documented: Any) -> bool:
    """Whether all names in a body are names of the documented one, level by level."""
    if isinstance(body, dict):
        return all(name in documented and same_words(value, documented[name]) for name, value in body.items())
    if isinstance(body, list) and documented and isinstance(documented[0], dict) and "type" not in documented[0]:
        return all(same_words(each, documented[0]) for each in body)
    return True


def test_a_deal_is_put_against_the_call_with_its_stage_and_amount() -> None:
    values = DEAL | {
        "stage": "В работе",
        "stage_at": AT,
        "pipeline": "Основная",
        "manager": "Иванова",
        "margin": "1.5",
    }
    request = sent("deal.put", values | {"comment": "да", "tags": ["Опт"]})
    assert request.path == "/lead-service/v1/api/client-order/create"
    (order,) = request.json["orders"]
    assert order["matching"] == [{"type": "call", "callParams": {"callId": 900000001}}]
    assert (order["orderNumber"], order["orderDate"]) == ("bitrix24-7", "03-04-2026 10:15:30")
    assert (order["revenue"], order["margin"], order["currency"]) == (15000, 1.5, "rub")
    assert (order["status"], order["statusDate"], order["funnel"]) == (
        "В работе",
        "03-04-2026 10:15:30",
        "Основная",
    )
    assert order["addTags"] == [{"tag": "Skvoz"}, {"tag": "Опт"}]
    assert same_words(request.json, example("order_create.json"))


def test_a_deal_that_is_still_open_has_a_stage_and_no_money() -> None:
    values = {name: value for name, value in DEAL.items() if name != "amount"} | {"stage": "Новая"}
    (order,) = sent("deal.put", values).json["orders"]
    assert "revenue" not in order
    assert order["status"] == "Новая"


def test_what_is_named_goes_before_what_is_looked_for() -> None:
    values = DEAL | {
        "request": "500000001",
        "chat": "chat-100000001",
        "phones": ["+79990001122"],
        "emails": ["a@b.ru"],
    }
    (order,) = sent("deal.put", values).json["orders"]
    assert [entry["type"] for entry in order["matching"]] == ["call", "request", "chat", "leadContact"]
    assert order["matching"][2]["chatParams"] == {"chatId": 100000001}
    contact = order["matching"][3]["leadContactParams"]
    assert (contact["date"], contact["phones"]) == ("03-04-2026 10:15:30", ["+79990001122"])
    documented = example("order_create.json")["orders"][0]["matching"]
    for entry in order["matching"]:
        pattern = next(one for one in documented if one["type"] == entry["type"])
        assert same_words(entry, pattern)


@pytest.mark.parametrize("missing", ["call", "lead"])
def test_what_belongs_to_nothing_is_not_sent(missing: str) -> None:
    write, values = ("deal.put", DEAL) if missing == "call" else ("call.tag", {"lead": "", "tags": ["VIP"]})
    with pytest.raises(WriteRejected, match="which call, request or chat"):
        sent(write, {name: value for name, value in values.items() if name != missing})


def test_money_keeps_its_kopecks() -> None:
    for amount, expected in (
        ("123456.50", "123456.5"),
        ("99999999.99", "99999999.99"),
        ("0.10", "0.1"),
        ("7", "7"),
    ):
        (order,) = sent("deal.put", DEAL | {"amount": amount}).json["orders"]
        assert json.dumps(order["revenue"]) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"data": {"orders": [], "validationErrorData": [{"orderNumber": "bitrix24-7", "message": "нет"}]}}, "нет"),
        ({"data": {"orders": [], "validationErrorData": ["лид не найден"]}}, "лид не найден"),
        ({"data": {"orders": [], "validationErrorData": [{"code": 5}]}}, "no reason given"),
    ],
)
def test_a_success_may_hold_a_refusal(content: Any, words: str) -> None:
    with pytest.raises(WriteRejected, match=words):
        result("deal.put", DEAL, content)


def test_the_id_of_a_deal_is_told() -> None:
    told = {"data": {"orders": [{"orderNumber": "bitrix24-7", "calltouchOrderId": 300000001}]}}
    assert result("deal.put", DEAL, told) == "300000001"
    assert CONNECTOR.write("deal.put").undo == "deal.delete"
    assert sent("deal.delete", {"number": "bitrix24-7"}).json["orders"] == [{"orderNumber": "bitrix24-7"}]


@pytest.mark.parametrize("write", ["deal.put", "deal.delete", "request.create", "call.tag", "ad_spend.put"])
@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'"ok"'])
def test_an_unknown_answer_is_no_success(write: str, content: bytes) -> None:
    values = {"lead": "1", "tags": ["x"]} | DEAL | REQUEST | COST
    with pytest.raises(VendorChanged):
        result(write, values, content)


def test_a_request_bears_our_key_and_the_visit_it_came_from() -> None:
    values = REQUEST | {
        "session": "700000001",
        "source": "vk",
        "emails": ["a@b.ru"],
        "comment": "да",
        "tags": ["VIP"],
    }
    request = sent("request.create", values)
    assert request.path == "/lead-service/v1/api/request/create"
    (item,) = request.json["requests"]
    assert (item["requestNumber"], item["requestDate"]) == ("skvoz-k1", "03-04-2026 10:15:30")
    assert (item["phoneNumber"], item["email"], item["fio"]) == ("+79990001122", "a@b.ru", "Пётр")
    assert item["sessionId"] == "700000001"
    assert "customSources" not in item  # the visit tells the source
    without = sent("request.create", REQUEST | {"source": "vk", "title": "ф" * 300}).json
    assert without["requests"][0]["customSources"] == {"source": "vk"}
    assert len(without["requests"][0]["subject"]) == 256
    assert same_words(without, example("request_create.json"))
    with pytest.raises(WriteRejected, match="phone or e-mail"):
        sent("request.create", {"title": "x", "at": AT})


def test_a_request_that_was_not_imported_is_refused_in_a_success() -> None:
    told = {"data": {"requests": [{"requestNumber": "skvoz-k1", "imported": True}]}}
    assert result("request.create", REQUEST, told) == "skvoz-k1"
    told["data"]["requests"][0]["imported"] = False
    with pytest.raises(WriteRejected):
        result("request.create", REQUEST, told)
    with pytest.raises(VendorChanged):
        result("request.create", REQUEST, {"data": {"requests": []}})


def look(write: str, values: dict[str, Any], content: Any) -> Standing | None:
    lookup = CONNECTOR.write(write).by_marker
    assert lookup is not None
    request = lookup.request(SETTINGS, Command("k1", values))
    assert request is not None
    month_first = write.startswith("request")
    expected = "04/03/2026" if month_first else "03/04/2026"
    assert (request.query["dateFrom"], request.query["dateTo"]) == (expected, expected)
    return lookup.found(SETTINGS, Command("k1", values), answer(content))


def test_a_request_of_ours_is_found_by_its_number() -> None:
    there = [{"requestId": 1, "requestNumber": "form-1"}, {"requestId": 2, "requestNumber": "skvoz-k1"}]
    found = look("request.create", REQUEST, there)
    assert found is not None
    assert found.external_id == "skvoz-k1"
    assert look("request.create", REQUEST, there[:1]) is None
    with pytest.raises(VendorChanged):
        look("request.create", REQUEST, {"error": "no"})


def test_tags_are_added_and_never_taken_off() -> None:
    request = sent("request.tag", {"lead": "500000001", "tags": ["VIP", "Опт"]})
    assert request.path == "/lead-service/v1/api/tag/lead/add"
    (lead,) = request.json["leads"]
    assert lead["addTags"] == {"overwrite": False, "tags": [{"tag": "VIP"}, {"tag": "Опт"}]}
    assert same_words(request.json, example("tag_add.json"))
    assert result("request.tag", {"lead": "5", "tags": ["x"]}, {"data": {"leads": [{"found": True}]}}) == "5"
    with pytest.raises(WriteRejected):
        result("request.tag", {"lead": "5", "tags": ["x"]}, {"data": {"leads": [{"found": False}]}})


NOTE = {"lead": "900000001", "at": AT, "text": "перезвонить  завтра"}


def test_a_comment_is_looked_for_before_it_is_sent() -> None:
    request = sent("call.comment", NOTE)
    assert request.path == "/lead-service/v1/api/comment/lead/add"
    assert request.json["comments"][0]["addComment"] == "перезвонить  завтра"
    assert same_words(request.json, example("comment_add.json"))
    page: dict[str, Any] = {"pageTotal": 1, "records": [{"callId": 900000001, "comments": [{"comment": "другой"}]}]}
    assert look("call.comment", NOTE, page) is None
    page["records"][0]["comments"].append({"comment": "перезвонить завтра"})
    assert look("call.comment", NOTE, page) is not None


@pytest.mark.parametrize(("pages", "kind"), [(1, WriteRejected), (2, VendorChanged)])
def test_a_call_that_is_not_in_sight_gets_no_comment(pages: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        look("call.comment", NOTE, {"pageTotal": pages, "records": [{"callId": 1}]})


def test_a_request_that_is_not_in_sight_gets_no_comment() -> None:
    with pytest.raises(WriteRejected, match="no request"):
        look("request.comment", NOTE, [{"requestId": 1}])
    with pytest.raises(VendorChanged):
        look("request.comment", NOTE, [{"requestId": number} for number in range(1, 1001)])


def test_costs_are_opened_with_nothing_and_then_set_under_the_same_names() -> None:
    backwards = dict(reversed(COST.items()))
    opened = sent("ad_spend.open", COST)
    put = sent("ad_spend.put", backwards | {"cost": "1234.56"})
    cleared = sent("ad_spend.clear", COST)
    assert [request.path.rsplit("/", 1)[1] for request in (opened, put, cleared)] == ["add", "update", "update"]
    items = [request.json["costs"][0] for request in (opened, put, cleared)]
    assert [item.pop("price") for item in items] == [0, 1234.56, 0]
    assert [list(item.items()) for item in items] == [list(items[0].items())] * 3
    assert items[0]["dateFrom"] == items[0]["dateTo"] == "03-04-2026"
    assert result("ad_spend.put", COST, {"success": True}) == "2026-04-03/vk/cpc/весна/-/-"
    for refusal in ({"success": False, "message": "нет"}, {"errors": ["нет"]}, {"error": "нет"}):
        with pytest.raises(WriteRejected):
            result("ad_spend.put", COST, refusal)
    with pytest.raises(WriteRejected, match="needs a source"):
        sent("ad_spend.put", {"day": "2026-04-03", "cost": 1})


def test_every_write_can_be_sent_again() -> None:
    """A lost answer must make neither two nor none: see the contract's idempotency."""
    for write in CONNECTOR.writes:
        assert (write.idempotency == "marker") == (write.by_marker is not None)
