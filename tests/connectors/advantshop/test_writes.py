"""Changes of orders and customers, as the shop takes them; and what its refusals and settings' faults mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors.advantshop import CONNECTOR
from connectors.advantshop.errors import error_of
from connectors.advantshop.settings import AdvantshopSettings
from connectors.contract import Command, Health, VendorRequest, VendorResponse
from connectors.errors import AuthFailed, BadSettings, NotPermitted, Transient, VendorError, WriteRejected
from tests.connectors.advantshop.conftest import sample


def command(external_id: str | None = "1", **values: Any) -> Command:
    return Command("key", values, external_id)


def answer(body: Any) -> VendorResponse:
    return VendorResponse(200, httpx.Headers(), json.dumps(body).encode())


def sent(settings: AdvantshopSettings, write: str, of: Command) -> tuple[str, str, Any]:
    request: VendorRequest = CONNECTOR.write(write).request(settings, of)
    return request.method, request.path, request.json


def test_an_orders_status_is_set_and_read_back(settings: AdvantshopSettings) -> None:
    write = CONNECTOR.write("deal.update")
    assert sent(settings, "deal.update", command(stage="5")) == (
        "POST",
        "/order/changestatus",
        {"OrderId": 1, "StatusId": 5},
    )
    assert write.result(settings, command(), answer({"result": True})) == "1"
    with pytest.raises(WriteRejected, match="Статус не найден"):
        write.result(settings, command(), answer({"result": False, "errors": ["Статус не найден"]}))
    assert write.read is not None
    found = write.read.found(settings, command(), VendorResponse(200, httpx.Headers(), sample("order_get.json")))
    assert found is not None
    assert (found.external_id, found.values) == ("1", {"stage": "5", "paid": True})
    with pytest.raises(WriteRejected, match="number"):
        sent(settings, "deal.update", command(stage="Доставлен"))


def test_paid_is_a_way_without_return(settings: AdvantshopSettings) -> None:
    assert sent(settings, "deal.pay", command(paid=True)) == ("POST", "/order/setpaid", {"OrderId": 1})
    with pytest.raises(WriteRejected):
        sent(settings, "deal.pay", command(paid=False))


def test_a_customers_manager_goes_with_the_email_that_stands_there(settings: AdvantshopSettings) -> None:
    write = CONNECTOR.write("contact.update")
    assert write.resent == ("emails",)
    method, path, body = sent(settings, "contact.update", command("g-1", responsible="7", emails=["a@b.ru"]))
    assert (method, path, body) == ("POST", "/customers/g-1", {"managerId": 7, "email": "a@b.ru"})
    for emails in ([], ["a@b.ru", "c@d.ru"]):  # it would be emptied, or lose one
        with pytest.raises(WriteRejected):
            sent(settings, "contact.update", command("g-1", responsible="7", emails=emails))
    assert write.read is not None
    card = write.read.found(settings, command(), VendorResponse(200, httpx.Headers(), sample("customer_get.json")))
    assert card is not None
    assert card.values["emails"] == ["myemail@email.com"]
    with pytest.raises(WriteRejected, match="Пользователь не найден"):
        write.result(settings, command("g-1"), answer({"status": "error", "errors": "Пользователь не найден"}))


def test_a_customer_is_made_once(settings: AdvantshopSettings) -> None:
    write = CONNECTOR.write("contact.create")
    new = command(None, first_name="Анна", emails=["anna@orlova.ru"], phones=["+7 916 111-22-33"])
    assert sent(settings, "contact.create", new) == (
        "POST",
        "/customers/add",
        {"firstName": "Анна", "email": "anna@orlova.ru", "phone": 79161112233},
    )
    assert write.by_match is not None
    rows = [{"id": "1", "email": "xanna@orlova.ru"}, {"id": "2", "email": "Anna@Orlova.ru", "firstName": "Анна"}]
    found = write.by_match.found(settings, new, answer({"customers": rows}))
    assert found is not None
    assert (found.external_id, found.title) == ("2", "Анна")
    assert write.by_match.found(settings, new, answer({"customers": rows[:1]})) is None
    assert write.result(settings, new, answer({"id": "g-9"})) == "g-9"
    with pytest.raises(WriteRejected, match="e-mail"):
        sent(settings, "contact.create", command(None, phones=["+79161112233"]))


def response(body: bytes, status: int = 200, path: str = "/api/managers") -> httpx.Response:
    return httpx.Response(status, content=body, request=httpx.Request("GET", f"https://shop.example{path}"))


@pytest.mark.parametrize(
    ("body", "status", "path", "error", "word"),
    [
        (b'{"status":"error","errors":"Invalid apikey"}', 200, "/api/managers", AuthFailed, "doesn't accept"),
        (b'{"status":"error","errors":"Check apikey"}', 200, "/api/managers", AuthFailed, "no API key yet"),
        (b"<html>404</html>", 404, "/api/managers", BadSettings, "no ADVANTSHOP shop"),
        (b"", 302, "/api/managers", BadSettings, "no ADVANTSHOP shop"),
        (b"<html>On holidays</html>", 200, "/api/managers", Transient, "page instead"),
        (b"error saas plan", 200, "/api/1c/exportorders", NotPermitted, "1C"),
    ],
)
def test_errors_hide_behind_a_success(
    body: bytes, status: int, path: str, error: type[VendorError], word: str
) -> None:
    found = error_of(response(body, status, path))
    assert type(found) is error
    assert word in found.sentence


def test_data_and_refusals_of_single_records_are_no_errors() -> None:
    fine = [b"[]", sample("order_get.json"), sample("customers_list.json"), b'{"result":false,"errors":["x"]}']
    assert [error_of(response(body)) for body in fine] == [None] * 4
    assert error_of(response(sample("synthetic_1c_exportorders.xml"), path="/api/1c/exportorders")) is None
    assert error_of(response(b"busy", 503)) is None  # the engine's own table knows


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("shop.ru", "https://shop.ru"),
        ("https://Shop.ru/adminv3/settingsapi#api", "https://shop.ru"),
        ("http://127.0.0.1:8800/advantshop/", "http://127.0.0.1:8800/advantshop"),
    ],
)
def test_the_address_is_taken_as_it_is_pasted(given: str, kept: str) -> None:
    assert AdvantshopSettings(base_url=given, api_key="k").base_url == kept


@pytest.mark.parametrize(
    "given", ["", "shop", "ftp://shop.ru", "https://www.advantshop.net", "https://a:b@shop.ru"]
)
def test_what_is_no_shop_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        AdvantshopSettings(base_url=given, api_key="k")


@pytest.mark.parametrize(
    ("managers", "exchange", "ok", "word"),
    [
        (b'[{"id":1,"name":"x"}]', False, True, "Connected to the shop shop.example"),
        (b'[{"id":1,"name":"x"}]', True, False, "1C"),
        (b'{"status":"error","errors":"Invalid apikey"}', False, False, "doesn't accept the API key"),
        (b"<html>", False, False, "Check that the shop address"),
        (b'{"customers":[]}', False, False, "isn't ADVANTSHOP's API"),
    ],
)
async def test_the_check_says_in_a_sentence_what_is_wrong(
    settings: AdvantshopSettings,
    session_to: Callable[..., Any],
    managers: bytes,
    exchange: bool,
    ok: bool,
    word: str,
) -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        assert request.url.params["apikey"] == "k3y"
        if request.url.path.endswith("/managers"):
            return httpx.Response(200, content=managers)
        if request.url.path.endswith("/getlist"):
            return httpx.Response(
                200, json={"result": True, "obj": {"DataItems": [{"Id": 1}], "TotalPageCount": 1}}
            )
        return httpx.Response(200, content=b"error saas plan")

    chosen = settings.model_copy(update={"exchange": exchange})
    health: Health = await CONNECTOR.check(session_to(CONNECTOR, chosen, shop))
    assert health.ok is ok
    assert word in health.sentence
