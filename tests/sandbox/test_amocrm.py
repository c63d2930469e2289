"""The emulated amoCRM account, asked over HTTP: each habit of the real one that a connector must survive."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from sandbox.vendors import php
from sandbox.vendors.amocrm import VENDOR
from sandbox.vendors.amocrm.account import MAIN, WORKING, user_id
from sandbox.world.happenings import Called, CardEdited, CardMade, DealMoved, DealOpened
from sandbox.world.stream import Plan

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UTM = {"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "brand|101234567", "yclid": "17"}


def at(minutes: int) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def unix(minutes: int) -> int:
    return int(at(minutes).timestamp())


def card(number: int, *, phones: tuple[str, ...] = (), firm: int | None = None) -> CardMade:
    return CardMade(
        seq=number,
        at=at(number),
        card=number,
        crm="amocrm",
        person=1000 + number,
        typed_name="Иванов Пётр",
        first_name="Пётр",
        last_name="Иванов",
        phones=phones or (f"+7 (916) 000-{number:04d}",),
        emails=(f"client{number}@example.com",),
        firm=firm,
        manager=1,
        utm=UTM,
    )


def deal(number: int, of_card: int, *, minute: int = 100, utm: dict[str, str] | None = None) -> DealOpened:
    return DealOpened(
        seq=number,
        at=at(minute),
        deal=number,
        crm="amocrm",
        card=of_card,
        person=1000 + of_card,
        title=f"Сделка {number}",
        amount=Decimal("1000.50"),
        manager=1,
        utm=UTM if utm is None else utm,
        from_lead=False,
        visit=None,
        ad_campaign=None,
    )


def moved(number: int, minute: int, stage: Any, reason: str | None = None) -> DealMoved:
    return DealMoved(1, at(minute), number, "amocrm", stage, Decimal("2000"), reason)


def called(number: int, minute: int, *, from_phone: str, answered: bool = True) -> Called:
    return Called(
        seq=number,
        at=at(minute),
        call=number,
        person=1001,
        from_phone=from_phone,
        to_phone="+74950000000",
        tracked=False,
        visit=None,
        answered=answered,
        wait_seconds=4,
        talk_seconds=61 if answered else 0,
        crm="amocrm",
        manager=1,
    )


class Account:
    """A client of the served account."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        self.token = stage.credentials["access_token"]

    def ask(self, method: str, path: str, **rest: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer: httpx.Response = self.stage.http.request(
            method, f"{self.stage.base_url}/api/v4/{path}", headers=headers, **rest
        )
        return answer

    def get(self, path: str, **params: Any) -> Any:
        answer = self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/hal+json"
        return answer.json()

    def listed(self, path: str, **params: Any) -> list[Any]:
        name = path.rpartition("/")[2]
        found: list[Any] = self.get(path, **params)["_embedded"][name]
        return found

    def send(self, method: str, path: str, body: Any, status: int = 200) -> Any:
        answer = self.ask(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def exchange(self, **given: str) -> httpx.Response:
        known = {key: self.stage.credentials[key] for key in ("client_id", "client_secret", "redirect_uri")}
        answer: httpx.Response = self.stage.http.post(
            f"{self.stage.base_url}/oauth2/access_token", json={**known, **given}
        )
        return answer


@pytest.fixture
def account(stage: Callable[..., Any]) -> Account:
    return Account(stage(VENDOR))


def field(record: Any, code: str) -> Any:
    return next(one for one in record["custom_fields_values"] if one["field_code"] == code)


def test_a_deal_is_a_lead_with_tracking_fields(account: Account) -> None:
    account.stage.happen(card(1), deal(1, 1))
    lead = account.get("leads/1", **{"with": "contacts,loss_reason,source_id"})
    assert (lead["price"], lead["price_with_minor_units"]) == (1000, 1000.5)
    assert (lead["pipeline_id"], lead["status_id"], lead["closed_at"]) == (MAIN.id, WORKING[0], None)
    assert (lead["created_at"], lead["created_by"]) == (unix(100), 0)  # made by an integration
    assert field(lead, "UTM_CAMPAIGN")["values"] == [{"value": "brand|101234567"}]
    assert field(lead, "YCLID")["field_type"] == "tracking_data"
    (contact,) = lead["_embedded"]["contacts"]
    assert (contact["id"], contact["is_main"]) == (1, True)
    assert contact["_links"]["self"]["href"] == f"{account.stage.base_url}/api/v4/contacts/1"
    assert (lead["_embedded"]["loss_reason"], lead["source_id"]) == ([], None)
    assert [tag["name"] for tag in lead["_embedded"]["tags"]] == ["сайт"]
    assert "contacts" not in account.get("leads/1")["_embedded"]
    account.stage.switch(price_with_minor_units=False)
    assert "price_with_minor_units" not in account.get("leads/1")
    assert account.stage.person_of("lead", 1) == 1001


def test_phones_and_emails_are_multitext_fields(account: Account) -> None:
    account.stage.happen(card(1, phones=("8 916 000 00 01", "+79031112233"), firm=3))
    contact = account.get("contacts/1", **{"with": "leads"})
    phone = field(contact, "PHONE")
    assert [(one["value"], one["enum_code"]) for one in phone["values"]] == [
        ("8 916 000 00 01", "MOB"),
        ("+79031112233", "WORK"),
    ]
    assert (phone["field_type"], contact["first_name"], contact["name"]) == ("multitext", "Пётр", "Иванов Пётр")
    assert [company["id"] for company in contact["_embedded"]["companies"]] == [1]
    assert contact["_embedded"]["leads"] == []
    company = account.get("companies/1", **{"with": "contacts"})
    firm = account.stage.world.market.firm(3)
    assert field(company, "PHONE")["values"][0]["value"] == firm.office_phone
    assert {one["field_name"]: one["values"] for one in company["custom_fields_values"]}["ИНН"] == [
        {"value": firm.tax_id}
    ]
    assert [one["id"] for one in company["_embedded"]["contacts"]] == [1]
    assert account.stage.person_of("contact", 1) == 1001
    assert account.stage.person_of("company", 1) is None


def test_one_firm_is_one_company(account: Account) -> None:
    account.stage.happen(card(1, firm=3), card(2, firm=3), deal(1, 2))
    assert len(account.listed("companies")) == 1
    assert [one["id"] for one in account.get("leads/1")["_embedded"]["companies"]] == [1]


def test_empty_custom_fields_are_null(account: Account) -> None:
    account.stage.happen(card(1), deal(1, 1, utm={}))
    lead = account.get("leads/1")
    assert lead["custom_fields_values"] is None
    assert lead["created_by"] == user_id(1)


def test_nothing_found_is_204(account: Account) -> None:
    for path in ("leads", "leads/77", "contacts/notes", "leads/loss_reasons", "users/1", "events"):
        answer = account.ask("GET", path)
        assert (answer.status_code, answer.content) == (204, b""), path


def test_pages_are_followed_by_absolute_links_and_have_no_total(account: Account) -> None:
    account.stage.happen(*(card(number) for number in range(1, 8)))
    seen: list[int] = []
    page = account.get("contacts", limit=3, **{"order[id]": "desc"})
    while True:
        seen += [one["id"] for one in page["_embedded"]["contacts"]]
        assert "_total_items" not in page
        following = page["_links"].get("next")
        if following is None:
            break
        assert following["href"].startswith(f"{account.stage.base_url}/api/v4/contacts?")
        headers = {"Authorization": f"Bearer {account.token}"}
        page = account.stage.http.get(following["href"], headers=headers).json()
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert page["_page"] == 3
    assert {"first", "prev"} <= set(page["_links"])
    assert account.ask("GET", "contacts", params={"limit": 3, "page": 4}).status_code == 204


def test_more_than_250_rows_a_page_are_refused(account: Account) -> None:
    answer = account.ask("GET", "leads", params={"limit": 251})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Limit 250 per page"
    assert account.ask("GET", "events", params={"limit": 101}).status_code == 422
    many = account.ask("POST", "contacts", json=[{"name": "x"}] * 251)
    assert many.status_code == 422


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({"filter[updated_at][from]": unix(102), "filter[updated_at][to]": unix(103)}, [2, 3]),
        ({"filter[id][]": [1, 4]}, [1, 4]),
        ({"filter[id]": "2"}, [2]),
        ({"filter[name][]": "Сделка 3"}, [3]),
        ({"filter[price][from]": 1500}, [4]),
        ({"filter[closed_at][from]": 1}, [4]),
        ({"filter[pipeline_id][]": MAIN.id, "filter[created_at][to]": unix(101)}, [1]),
        ({"filter[statuses][0][pipeline_id]": MAIN.id, "filter[statuses][0][status_id]": 142}, [4]),
        ({"filter[responsible_user_id][]": 1}, []),
        ({"query": "СДЕЛКА 2"}, [2]),
    ],
)
def test_filters_of_leads(account: Account, params: dict[str, Any], ids: list[int]) -> None:
    account.stage.happen(card(1), *(deal(number, 1, minute=100 + number) for number in range(1, 5)))
    account.stage.happen(moved(4, 120, "won"))
    answer = account.ask("GET", "leads", params=params)
    assert answer.status_code == (200 if ids else 204)
    found = answer.json()["_embedded"]["leads"] if ids else []
    assert [lead["id"] for lead in found] == ids


def test_filters_may_be_ignored_in_silence(account: Account) -> None:
    account.stage.happen(card(1), *(deal(number, 1, minute=100 + number) for number in range(1, 5)))
    window = {"filter[updated_at][from]": unix(103), "order[updated_at]": "desc"}
    assert [lead["id"] for lead in account.listed("leads", **window)] == [4, 3]
    about = account.get("account", **{"with": "is_api_filter_enabled"})
    assert about["is_api_filter_enabled"] is True
    account.stage.switch(api_filter_enabled=False)
    assert [lead["id"] for lead in account.listed("leads", **window)] == [4, 3, 2, 1]
    assert account.get("account", **{"with": "is_api_filter_enabled"})["is_api_filter_enabled"] is False
    late = account.ask("GET", "events", params={"filter[created_at][from]": unix(500)})
    assert late.status_code == 204  # events keep their filters


def test_contacts_are_found_by_phone_and_custom_value(account: Account) -> None:
    account.stage.happen(card(1, phones=("8 (916) 111-22-33",)), card(2))
    assert [one["id"] for one in account.listed("contacts", query="9161112233")] == [1]
    assert [one["id"] for one in account.listed("contacts", query="CLIENT2@")] == [2]
    phone = field(account.get("contacts/1"), "PHONE")["field_id"]
    wanted = {f"filter[custom_fields_values][{phone}][]": "8 (916) 111-22-33"}
    assert [one["id"] for one in account.listed("contacts", **wanted)] == [1]


def test_won_and_lost_are_the_same_ids_everywhere_and_close_a_lead(account: Account) -> None:
    pipelines = account.get("leads/pipelines")
    assert pipelines["_total_items"] == 2
    for pipeline in pipelines["_embedded"]["pipelines"]:
        statuses = {one["id"]: one for one in pipeline["_embedded"]["statuses"]}
        assert (statuses[142]["sort"], statuses[143]["sort"], statuses[142]["is_editable"]) == (10000, 11000, False)
        assert [one["type"] for one in pipeline["_embedded"]["statuses"]].count(1) == 1
    account.stage.happen(card(1), deal(1, 1), moved(1, 110, 2), moved(1, 120, "lost", "Дорого"))
    lost = account.get("leads/1", **{"with": "loss_reason"})
    assert (lost["status_id"], lost["closed_at"], lost["updated_at"]) == (143, unix(120), unix(120))
    assert lost["_embedded"]["loss_reason"][0]["name"] == "Дорого"
    assert account.listed("leads/loss_reasons")[0]["id"] == lost["loss_reason_id"]
    account.send("PATCH", "leads/1", {"status_id": WORKING[1]})
    reopened = account.get("leads/1")
    assert (reopened["closed_at"], reopened["loss_reason_id"]) == (None, None)


def test_the_log_of_events_tells_the_stages(account: Account) -> None:
    account.stage.happen(card(1), deal(1, 1), moved(1, 110, 2), moved(1, 120, "won"))
    events = account.listed("events", **{"filter[type][]": "lead_status_changed", "limit": 100})
    assert [event["created_at"] for event in events] == [unix(120), unix(110)]  # the newest first
    newest = events[0]
    assert newest["value_after"] == [{"lead_status": {"id": 142, "pipeline_id": MAIN.id}}]
    assert newest["value_before"] == [{"lead_status": {"id": WORKING[2], "pipeline_id": MAIN.id}}]
    assert (newest["entity_type"], newest["entity_id"], type(newest["id"])) == ("lead", 1, str)
    won = {"filter[value_after][leads_statuses][0][pipeline_id]": MAIN.id}
    won["filter[value_after][leads_statuses][0][status_id]"] = 142
    assert [event["id"] for event in account.listed("events", **won)] == [newest["id"]]
    assert account.get(f"events/{newest['id']}")["type"] == "lead_status_changed"
    of_contact = account.listed("events", **{"filter[entity][]": "contact", "filter[entity_id][]": 1})
    assert {event["type"] for event in of_contact} == {"contact_added"}
    several = account.listed("events", **{"filter[type]": "lead_added,entity_linked"})
    assert {event["type"] for event in several} == {"lead_added", "entity_linked"}
    many = account.ask("GET", "events", params={"filter[entity_id][]": list(range(11))})
    assert many.status_code == 400


def test_writing_answers_without_an_echo(account: Account) -> None:
    body = [{"name": "A", "price": 99.5}, {"name": "B", "request_id": "mine"}]
    written = account.send("POST", "leads", body)["_embedded"]["leads"]
    assert [set(one) for one in written] == [{"id", "request_id", "_links"}] * 2
    assert [one["request_id"] for one in written] == ["0", "mine"]
    patched = account.send("PATCH", "leads", [{"id": written[0]["id"], "price": 100}])["_embedded"]["leads"][0]
    assert set(patched) == {"id", "request_id", "updated_at", "_links"}
    lead = account.get(f"leads/{written[0]['id']}")
    assert (lead["name"], lead["price_with_minor_units"]) == ("A", 100.0)
    assert (lead["pipeline_id"], lead["status_id"]) == (MAIN.id, WORKING[0])
    alone = account.send("PATCH", f"leads/{written[1]['id']}", {"name": "C"})
    assert set(alone) == {"id", "updated_at", "_links"}


def test_an_update_replaces_all_values_of_a_field_and_leaves_the_others(account: Account) -> None:
    account.stage.happen(card(1, phones=("+79160000001", "+79160000002")))
    new = {"field_code": "PHONE", "values": [{"value": "+79160000003", "enum_code": "HOME"}]}
    account.send("PATCH", "contacts/1", {"custom_fields_values": [new], "_embedded": {"tags": [{"name": "vip"}]}})
    contact = account.get("contacts/1")
    assert [one["value"] for one in field(contact, "PHONE")["values"]] == ["+79160000003"]
    assert field(contact, "EMAIL")["values"][0]["value"] == "client1@example.com"
    assert [tag["name"] for tag in contact["_embedded"]["tags"]] == ["vip"]
    assert [tag["name"] for tag in account.listed("contacts/tags")] == ["vip"]
    account.send("PATCH", "contacts/1", {"custom_fields_values": [{"field_code": "EMAIL", "values": None}]})
    assert [one["field_code"] for one in account.get("contacts/1")["custom_fields_values"]] == ["PHONE"]
    changes = account.listed("events", **{"filter[entity][]": "contact"})
    assert sum(event["type"].startswith("custom_field_") for event in changes) == 2


@pytest.mark.parametrize(
    ("item", "code", "path"),
    [
        ({"name": 5}, "InvalidType", "name"),
        ({"price": "many"}, "InvalidType", "price"),
        ({"status_id": 1}, "NotSupportedChoice", "status_id"),
        ({"pipeline_id": 1}, "NotSupportedChoice", "pipeline_id"),
        ({"responsible_user_id": 1}, "NotSupportedChoice", "responsible_user_id"),
        (
            {"custom_fields_values": [{"field_id": 1, "values": [{"value": "x"}]}]},
            "NotSupportedChoice",
            "custom_fields_values.0.field_id",
        ),
        ({"custom_fields_values": {}}, "InvalidType", "custom_fields_values"),
    ],
)
def test_one_wrong_item_fails_the_whole_request(account: Account, item: Any, code: str, path: str) -> None:
    refused = account.send("POST", "leads", [{"name": "good"}, {**item, "request_id": "bad"}], status=400)
    (faulty,) = refused["validation-errors"]
    assert faulty["request_id"] == "bad"
    assert (code, path) in [(one["code"], one["path"]) for one in faulty["errors"]]
    assert refused["status"] == 400
    assert account.ask("GET", "leads").status_code == 204


def test_wrong_shapes_and_unknown_ids_are_refused(account: Account) -> None:
    assert account.ask("POST", "leads", json={"name": "not an array"}).status_code == 400
    assert account.ask("POST", "leads", content=b"{").status_code == 400
    assert account.ask("PATCH", "leads", json=[{"id": 9, "name": "x"}]).status_code == 400
    assert account.ask("PATCH", "leads/9", json={"name": "x"}).status_code == 404
    orphan = {"name": "x", "_embedded": {"contacts": [{"id": 9}]}}
    faulty = account.send("POST", "leads", [orphan], status=400)["validation-errors"][0]["errors"]
    assert [one["path"] for one in faulty] == ["_embedded.contacts.0.id"]
    nonsense = [{"name": "good", "type": "text"}, {"name": "bad", "type": "nonsense"}]
    assert account.ask("POST", "leads/custom_fields", json=nonsense).status_code == 400
    assert len(account.listed("leads/custom_fields")) == 19
    assert account.ask("GET", "deals").json()["status"] == 404
    assert account.ask("DELETE", "leads").status_code == 405


def test_complex_leads_bring_their_contact_or_find_it(account: Account) -> None:
    account.stage.happen(card(1, phones=("8 (916) 111-22-33",)))
    phone = {"field_code": "PHONE", "values": [{"value": "+79161112233", "enum_code": "WORK"}]}
    lead = {
        "name": "C",
        "price": 10,
        "request_id": "r",
        "_embedded": {
            "contacts": [{"first_name": "Пётр", "custom_fields_values": [phone]}],
            "companies": [{"name": "Ромашка"}],
        },
    }
    (answer,) = account.send("POST", "leads/complex", [lead])
    assert (answer["contact_id"], answer["merged"], answer["request_id"]) == (1, True, ["r"])
    embedded = account.get(f"leads/{answer['id']}", **{"with": "contacts"})["_embedded"]
    assert [one["id"] for one in embedded["contacts"]] == [1]
    assert [one["id"] for one in embedded["companies"]] == [answer["company_id"]]
    account.stage.switch(duplicate_control=False)
    (again,) = account.send("POST", "leads/complex", [lead])
    assert (again["contact_id"], again["merged"]) == (2, False)
    lead["_embedded"]["metadata"] = {"category": "forms"}  # type: ignore[index]  # a nested map
    (incoming,) = account.send("POST", "leads/complex", [lead])
    assert account.get(f"leads/{incoming['id']}")["status_id"] == MAIN.statuses[0].id


def test_links(account: Account) -> None:
    account.stage.happen(card(1), card(2), deal(1, 1))
    tie = {"to_entity_id": 2, "to_entity_type": "contacts", "metadata": {"is_main": False}}
    account.send("POST", "leads/1/link", [tie])
    links = account.listed("leads/1/links")
    assert [(one["to_entity_id"], one["metadata"]) for one in links] == [
        (1, {"main_contact": True}),
        (2, {"main_contact": False}),
    ]
    bulk = account.listed("leads/links", **{"filter[entity_id][]": 1})
    assert {one["entity_id"] for one in bulk} == {1}
    assert account.ask("POST", "leads/1/unlink", json=[tie]).status_code == 204
    assert len(account.listed("leads/1/links")) == 1
    wrong = account.ask("POST", "leads/1/link", json=[{"to_entity_id": 99, "to_entity_type": "contacts"}])
    assert wrong.status_code == 400


def test_calls_of_the_market_are_notes(account: Account) -> None:
    one, other = "+79161112233", "+79160000002"
    account.stage.happen(card(1, phones=("8 (916) 111-22-33",)), card(2, phones=(other,)), deal(1, 1), deal(2, 2))
    account.stage.happen(
        deal(3, 2), called(1, 130, from_phone=one), called(2, 131, from_phone=other, answered=False)
    )
    kinds = {"filter[note_type][0]": "call_in", "filter[note_type][1]": "call_out"}
    (on_lead,) = account.listed("leads/notes", **kinds)  # one active lead takes the call
    assert (on_lead["entity_id"], on_lead["note_type"], on_lead["created_at"]) == (1, "call_in", unix(130))
    assert (on_lead["params"]["duration"], on_lead["params"]["call_status"]) == (61, 4)
    assert on_lead["params"]["phone"] == one
    (on_contact,) = account.listed("contacts/notes", **kinds)  # of several leads none does
    assert (on_contact["entity_id"], on_contact["params"]["call_status"]) == (2, 6)
    assert account.listed("contacts/2/notes") == [on_contact]
    since = account.ask("GET", "contacts/notes", params={"filter[updated_at][from]": unix(132)})
    assert since.status_code == 204
    events = account.listed("events", **{"filter[type][]": "incoming_call"})
    assert events[1]["value_after"] == [{"note": {"id": on_lead["id"]}}]
    assert account.get("leads/1")["updated_at"] == unix(100)  # notes change no record
    assert account.stage.person_of("call", on_lead["id"]) == 1001


def test_a_strangers_call_waits_for_his_card(account: Account) -> None:
    account.stage.happen(called(1, 0, from_phone="+79160000005"))
    assert account.ask("GET", "contacts/notes").status_code == 204
    account.stage.happen(card(5))
    (note,) = account.listed("contacts/notes")
    assert (note["entity_id"], note["created_at"], note["updated_at"]) == (1, unix(0), unix(5))


def test_calls_are_posted_to_whom_the_phone_belongs(account: Account) -> None:
    account.stage.happen(card(1, phones=("8 (916) 111-22-33",)))
    call = {"direction": "inbound", "duration": 10, "source": "Skvoz", "phone": "+7 916 111 22 33", "uniq": "u-1"}
    answer = account.send("POST", "calls", [call, {**call, "phone": "+79990000000", "request_id": "stranger"}])
    (kept,) = answer["_embedded"]["calls"]
    assert (kept["entity_id"], kept["entity_type"], kept["request_id"]) == (1, "contact", "0")
    assert [one["request_id"] for one in answer["errors"]] == ["stranger"]
    (note,) = account.listed("contacts/1/notes")
    assert (note["id"], note["params"]["uniq"]) == (kept["id"], "u-1")
    refused = account.send("POST", "calls", [{"direction": "inbound"}], status=400)
    missing = {one["path"] for one in refused["validation-errors"][0]["errors"]}
    assert missing == {"duration", "source", "phone"}


def test_notes_are_written(account: Account) -> None:
    account.stage.happen(card(1))
    note = [{"entity_id": 1, "note_type": "common", "params": {"text": "Звонил"}}]
    written = account.send("POST", "contacts/notes", note)["_embedded"]["notes"]
    assert written[0]["entity_id"] == 1
    assert account.listed("contacts/1/notes")[0]["params"] == {"text": "Звонил"}
    assert account.ask("POST", "contacts/notes", json=[{**note[0], "entity_id": 9}]).status_code == 400


def test_custom_fields_have_codes_and_can_be_made(account: Account) -> None:
    fields = account.listed("leads/custom_fields", limit=250)
    utm = next(one for one in fields if one["code"] == "UTM_SOURCE")
    assert (utm["type"], utm["is_predefined"]) == ("tracking_data", True)
    phone = next(one for one in account.listed("contacts/custom_fields") if one["code"] == "PHONE")
    assert [one["value"] for one in phone["enums"]] == ["WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER"]
    page = account.get("leads/custom_fields", limit=10)
    assert (page["_total_items"], page["_page_count"]) == (19, 2)
    assert "next" in page["_links"]
    made = account.send("POST", "leads/custom_fields", [{"name": "external_id", "type": "numeric"}])
    own = made["_embedded"]["custom_fields"][0]["id"]
    value = [{"field_id": own, "values": [{"value": 14012}]}]
    lead = account.send("POST", "leads", [{"name": "A", "custom_fields_values": value}])["_embedded"]["leads"][0]
    read = account.get(f"leads/{lead['id']}")["custom_fields_values"][0]
    assert (read["field_code"], read["values"]) == (None, [{"value": "14012"}])  # numbers come as texts
    assert [one["id"] for one in account.listed("leads", query="14012")] == [lead["id"]]


def test_the_account_and_its_users(account: Account) -> None:
    plain = account.get("account")
    assert "_embedded" not in plain
    full = account.get("account", **{"with": "datetime_settings,users_groups"})
    assert full["_embedded"]["datetime_settings"]["timezone"] == "Europe/Moscow"
    users = account.listed("users")
    assert users[0]["rights"]["is_admin"] is True
    assert account.get(f"users/{users[1]['id']}")["email"] == users[1]["email"]
    assert account.get("users", limit=1)["_total_items"] == len(users) > 1


def test_an_access_token_lives_a_day(account: Account) -> None:
    claims = account.token.split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert decoded["exp"] - decoded["iat"] == 86400
    assert decoded["account_id"] == account.get("account")["id"]
    account.stage.world.advance(timedelta(hours=25))
    expired = account.ask("GET", "account")
    assert (expired.status_code, expired.json()["title"]) == (401, "Unauthorized")
    assert expired.headers["content-type"] == "application/problem+json"


def test_no_token_no_answer(account: Account) -> None:
    account.token = "nonsense"
    assert account.ask("GET", "leads").status_code == 401


def test_refresh_tokens_work_once_and_reuse_kills_the_family(account: Account) -> None:
    VENDOR.expire_token(account.stage.world)  # type: ignore[misc]  # this vendor has one
    assert account.ask("GET", "account").status_code == 401
    first = account.stage.credentials["refresh_token"]
    account.stage.switch(access_seconds=600)
    renewed = account.exchange(grant_type="refresh_token", refresh_token=first).json()
    assert (renewed["expires_in"], renewed["token_type"]) == (600, "Bearer")
    account.token = renewed["access_token"]
    assert account.get("account")["id"]
    assert account.stage.credentials["refresh_token"] == renewed["refresh_token"]

    twice = account.exchange(grant_type="refresh_token", refresh_token=first)
    assert (twice.status_code, twice.json()["hint"]) == (400, "Token has been revoked")
    lost = account.exchange(grant_type="refresh_token", refresh_token=renewed["refresh_token"])
    assert lost.status_code == 400  # even the newest of the family is gone
    assert account.get("account")["id"]  # until the access token runs out

    code = account.stage.http.post(f"{account.stage.base_url}/_authorize").json()["code"]
    anew = account.exchange(grant_type="authorization_code", code=code)
    assert anew.status_code == 200
    account.token = anew.json()["access_token"]
    assert account.get("account")["id"]
    used = account.exchange(grant_type="authorization_code", code=code)
    assert used.json()["hint"] == "Authorization code has been revoked"


def test_refreshing_needs_the_right_client(account: Account) -> None:
    refresh = account.stage.credentials["refresh_token"]
    for wrong in ({"client_secret": "x"}, {"redirect_uri": "https://x.example"}, {"grant_type": "password"}):
        asked = {"grant_type": "refresh_token", "refresh_token": refresh, **wrong}
        assert account.exchange(**asked).status_code == 400
    assert account.exchange(grant_type="refresh_token", refresh_token="x").json()["hint"] == "Invalid refresh token"
    assert account.exchange(grant_type="refresh_token", refresh_token=refresh).status_code == 200


def test_seven_requests_a_second(stage: Callable[..., Any]) -> None:
    account = Account(stage(VENDOR, limits=0.5))  # three and a half, so that a slow machine passes too
    refused = next(answer for _ in range(50) if (answer := account.ask("GET", "account")).status_code != 200)
    assert refused.status_code == 429
    assert refused.json()["retry_after"] >= 1
    account.stage.switch(html_429=True)
    html = next(answer for _ in range(50) if (answer := account.ask("GET", "account")).status_code != 200)
    assert html.status_code == 429
    assert html.headers["content-type"].startswith("text/html")


def test_whoever_goes_on_is_shut_out(stage: Callable[..., Any]) -> None:
    account = Account(stage(VENDOR, limits=0.5))
    account.stage.switch(breaches_until_block=3)
    blocked = next(answer for _ in range(99) if (answer := account.ask("GET", "account")).status_code == 403)
    assert "nginx" in blocked.text
    assert account.exchange(grant_type="refresh_token").status_code == 403
    account.stage.switch(blocked=False)
    account.stage.world.limiter.factor = 0
    assert account.get("account")["id"]


def test_an_edited_card(account: Account) -> None:
    account.stage.happen(card(1))
    account.stage.happen(CardEdited(2, at(9), 1, "amocrm", ("+79031112233",), (), "Петр", "Иванов"))
    contact = account.get("contacts/1")
    assert (contact["name"], contact["updated_at"]) == ("Петр Иванов", unix(9))
    assert [one["field_code"] for one in contact["custom_fields_values"]] == ["PHONE"]
    assert [one["id"] for one in account.listed("contacts", query="9031112233")] == [1]
    assert account.ask("GET", "contacts", params={"query": "9160000001"}).status_code == 204


def test_webhooks_speak_the_old_way(account: Account) -> None:
    account.stage.switch(webhook="http://127.0.0.1:1/hook")
    account.stage.happen(card(1, firm=3), deal(1, 1))
    assert account.stage.world.webhooks == []  # history tells nobody
    account.stage.world.start_clock()
    account.send("PATCH", "leads/1", {"status_id": 142})
    account.send("PATCH", "companies/1", {"name": "Ромашка"})
    hooks = [php.decode_brackets(parse_qsl(hook.content.decode())) for hook in account.stage.world.webhooks]
    assert [next(iter(hook)) for hook in hooks] == ["leads", "leads", "contacts"]
    (status,) = hooks[1]["leads"]["status"]
    assert (status["status_id"], status["old_status_id"], status["price"]) == ("142", str(WORKING[0]), "1000")
    assert {"id", "name", "code", "values"} >= set(status["custom_fields"][0]) >= {"id", "name", "values"}
    (company,) = hooks[2]["contacts"]["update"]
    assert (company["type"], company["name"]) == ("company", "Ромашка")
    assert hooks[2]["account"]["id"] == str(account.get("account")["id"])


def test_pages_shift_while_leads_change(account: Account) -> None:
    account.stage.happen(card(1), *(deal(number, 1) for number in range(1, 5)))
    assert VENDOR.shift_pages is not None
    account.stage.world.advance(timedelta(hours=20))
    VENDOR.shift_pages(account.stage.world, {"delete": 1, "touch": 1})
    order = {"order[updated_at]": "asc"}
    assert [lead["id"] for lead in account.listed("leads", **order)] == [3, 4, 2]
    assert [lead["id"] for lead in account.listed("leads", **{"with": "only_deleted"})] == [1]
    assert account.listed("events", **{"filter[type][]": "lead_deleted"})[0]["entity_id"] == 1


def test_the_whole_market_is_in_the_account(stage: Callable[..., Any]) -> None:
    served = stage(VENDOR, plan=Plan(seed=11, calls=300, start=date(2026, 3, 2), days=30))
    served.world.catch_up()
    account = Account(served)

    def read(path: str, **params: Any) -> list[Any]:
        found: list[Any] = []
        name, page = path.rpartition("/")[2], 1
        while (answer := account.ask("GET", path, params={**params, "page": page})).status_code == 200:
            found += answer.json()["_embedded"][name]
            page += 1
        return found

    leads = read("leads", **{"with": "contacts"})
    assert [len(leads)] == served.truth("SELECT COUNT(*) FROM truth_deal WHERE crm = 'amocrm'")
    assert len(leads) > 20
    won = sum(round(lead["price_with_minor_units"] * 100) for lead in leads if lead["status_id"] == 142)
    assert [won] == served.truth("SELECT SUM(amount) FROM truth_deal WHERE crm = 'amocrm' AND outcome = 'won'")
    contacts = read("contacts")
    assert [len(contacts)] == served.truth("SELECT COUNT(*) FROM truth_card WHERE crm = 'amocrm'")
    for lead in leads:
        (contact,) = lead["_embedded"]["contacts"]
        assert served.person_of("lead", lead["id"]) == served.person_of("contact", contact["id"])
    notes = [note for entity in ("leads", "contacts", "companies") for note in read(f"{entity}/notes")]
    assert len(notes) > 10
    assert all(served.person_of("call", note["id"]) for note in notes)
    moves = read("events", **{"filter[type][]": "lead_status_changed", "limit": 100})
    assert {event["entity_id"] for event in moves} >= {lead["id"] for lead in leads if lead["closed_at"]}
