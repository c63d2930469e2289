"""What the bodies of Bitrix24's and amoCRM's webhooks speak of."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.amocrm import CONNECTOR as AMOCRM
from connectors.amocrm.settings import AmoCrmSettings
from connectors.bitrix24 import CONNECTOR as BITRIX24
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import Delivery, Touched, VendorResponse
from connectors.errors import BadRecord
from connectors.forms import read_form

PORTAL = Bitrix24Settings(
    webhook_url=SecretStr("https://firm.bitrix24.ru/rest/1/s3cr3tc0de/"), application_token=SecretStr("t0ken")
)
ACCOUNT = AmoCrmSettings(base_url="https://firm.amocrm.ru", access_token=SecretStr("t0ken"))


def delivery(content: str | bytes) -> Delivery:
    return Delivery(content if isinstance(content, bytes) else content.encode(), httpx.Headers())


def portal(content: str) -> list[Touched]:
    assert BITRIX24.webhooks is not None
    return list(BITRIX24.webhooks.read(PORTAL, delivery(content)))


def account(content: str) -> list[Touched]:
    assert AMOCRM.webhooks is not None
    return list(AMOCRM.webhooks.read(ACCOUNT, delivery(content + "&account[subdomain]=firm&account[id]=7")))


@pytest.mark.parametrize(
    ("content", "touched"),
    [
        ("event=ONCRMDEALUPDATE&data[FIELDS][ID]=7", [Touched("deals", "7"), Touched("stage_history", "")]),
        ("event=ONCRMDEALDELETE&data[FIELDS][ID]=7", [Touched("deals", "7", deleted=True)]),
        ("event=ONCRMCONTACTADD&data%5BFIELDS%5D%5BID%5D=9", [Touched("contacts", "9")]),
        ("event=ONVOXIMPLANTCALLEND&data[CALL_ID]=ab.1&data[CALL_TYPE]=2", [Touched("calls", "ab.1")]),
        ("event=ONTASKUPDATE&data[FIELDS_AFTER][ID]=3", []),
    ],
)
def test_events_of_a_portal(content: str, touched: list[Touched]) -> None:
    assert portal(content) == touched


@pytest.mark.parametrize(
    ("content", "touched"),
    [
        ("leads[add][0][id]=7&leads[add][0][name]=x", [Touched("deals", "7")]),
        (  # a hook of the digital pipeline: five fields of a lead
            "leads[status][0][id]=7&leads[status][0][status_id]=142&leads[status][0][old_status_id]=1",
            [Touched("deals", "7"), Touched("stage_changes", "")],
        ),
        ("contacts[update][0][id]=9&contacts[update][0][type]=company", [Touched("companies", "9")]),
        ("contacts[delete][0][id]=9&contacts[delete][0][type]=contact", [Touched("contacts", "9", deleted=True)]),
        ("leads[update][0][id]=7&leads[update][1][id]=8", [Touched("deals", "7"), Touched("deals", "8")]),
        ("leads[note][0][note][note_type]=10&leads[note][0][note][element_id]=7", [Touched("calls", "")]),
        ("leads[note][0][note][note_type]=4&leads[note][0][note][element_id]=7", []),
        ("task[add][0][id]=3", []),
    ],
)
def test_webhooks_of_an_account(content: str, touched: list[Touched]) -> None:
    assert account(content) == touched


@pytest.mark.parametrize("content", ["", "leads[add][0][id]=", "leads[add][0]=7", "contacts[add][0][id]=x"])
def test_a_webhook_without_its_record_is_not_understood(content: str) -> None:
    with pytest.raises(BadRecord):
        account(content)


@pytest.mark.parametrize(("shown", "genuine"), [("t0ken", True), ("t0keN", False), ("", False)])
def test_a_portal_is_known_by_its_token(shown: str, genuine: bool) -> None:
    assert BITRIX24.webhooks is not None
    assert BITRIX24.webhooks.genuine is not None
    told = delivery(f"event=ONCRMDEALADD&auth[application_token]={shown}")
    assert BITRIX24.webhooks.genuine(PORTAL, told) is genuine
    without = PORTAL.model_copy(update={"application_token": None})
    assert BITRIX24.webhooks.genuine(without, told)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_are_refused(content: bytes) -> None:
    try:
        form = read_form(content)
    except BadRecord:
        return
    assert all(isinstance(value, str | dict) for value in form.values())


def test_one_deal_is_asked_for_as_pages_ask() -> None:
    one = BITRIX24.stream("deals").one
    assert one is not None
    request = one.request(PORTAL, "7")
    assert request.path == "/batch"
    assert request.json["cmd"]["c0"].startswith("crm.deal.list?order[ID]=ASC&filter[ID]=7&select[0]=%2A")
    found = one.read(PORTAL, "7", answer(b'{"result":{"result":{"c0":[{"ID":"7","TITLE":"x"}]}}}'))
    assert found is not None
    assert (found.external_id, found.body) == ("7", b'{"ID":"7","TITLE":"x"}')
    assert one.read(PORTAL, "7", answer(b'{"result":{"result":{"c0":[]}}}')) is None


def test_one_lead_is_asked_for_with_what_pages_bring() -> None:
    one = AMOCRM.stream("deals").one
    assert one is not None
    request = one.request(ACCOUNT, "7")
    assert (request.path, dict(request.query)) == ("/api/v4/leads/7", {"with": "contacts,loss_reason,source_id"})
    found = one.read(ACCOUNT, "7", answer(b'{"id":7,"name":"x"}'))
    assert found is not None
    assert found.external_id == "7"
    assert one.read(ACCOUNT, "7", answer(b"", 204)) is None


def test_an_address_stands_when_the_account_lists_it_with_all_events() -> None:
    assert AMOCRM.webhooks is not None
    how, url = AMOCRM.webhooks.subscription, "https://skvoz.example/hooks/1/2"
    assert how is not None
    made: Any = how.make(ACCOUNT, url).json
    hook = {"id": 1, "destination": url, "settings": made["settings"], "disabled": False}
    for told, stands in (
        (hook, True),
        (hook | {"disabled": True}, False),
        (hook | {"settings": ["add_lead"]}, False),
        (hook | {"destination": "https://other.example/"}, False),
    ):
        listed = httpx.Response(200, json={"_embedded": {"webhooks": [told]}}).content
        assert how.stands(ACCOUNT, url, answer(listed)) is stands
    assert not how.stands(ACCOUNT, url, answer(b"", 204))


def answer(content: bytes, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), content)
