"""The emulated Bitrix24 portal, asked over HTTP: each habit of the real one that a connector must survive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import pytest

from sandbox.vendors import php
from sandbox.vendors.bitrix24 import VENDOR, oauth
from sandbox.vendors.bitrix24.errors import RestError
from sandbox.vendors.bitrix24.limits import Bucket, Operating
from sandbox.world.happenings import (
    Called,
    CardEdited,
    CardMade,
    Crm,
    DealMoved,
    DealOpened,
    FormSent,
    Traffic,
    Visited,
)
from sandbox.world.stream import Plan

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UTM = {"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "brand|101234567"}


def at(minutes: int) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def card(number: int, *, phones: tuple[str, ...] = (), firm: int | None = None, person: int = 0) -> CardMade:
    return CardMade(
        seq=number,
        at=at(number),
        card=number,
        crm="bitrix24",
        person=person or number,
        typed_name="Пётр Иванов",
        first_name="Пётр",
        last_name="Иванов",
        phones=phones or (f"+7 (916) 000-{number:04d}",),
        emails=(f"client{number}@example.com",),
        firm=firm,
        manager=1,
        utm=UTM,
    )


def deal(number: int, of_card: int, *, from_lead: bool = False, minute: int = 100) -> DealOpened:
    return DealOpened(
        seq=number,
        at=at(minute),
        deal=number,
        crm="bitrix24",
        card=of_card,
        person=of_card,
        title=f"Сделка {number}",
        amount=Decimal("1000.50"),
        manager=1,
        utm=UTM,
        from_lead=from_lead,
        visit=None,
        ad_campaign=None,
    )


def called(
    number: int,
    *,
    from_phone: str,
    to_phone: str,
    answered: bool = True,
    direction: Literal["inbound", "outbound"] = "inbound",
    crm: Crm | None = "bitrix24",
) -> Called:
    return Called(
        seq=number,
        at=at(10 * number),
        call=number,
        person=1,
        from_phone=from_phone,
        to_phone=to_phone,
        tracked=False,
        visit=None,
        answered=answered,
        wait_seconds=5,
        talk_seconds=61 if answered else 0,
        direction=direction,
        crm=crm,
        manager=1,
    )


class Portal:
    """A client of the served portal that keeps no secrets from the tests."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        self.url = stage.credentials["webhook_url"]

    def raw(self, method: str, params: dict[str, Any] | None = None) -> Any:
        return self.stage.http.post(self.url + method, json=params or {})

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        answer = self.raw(method, params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def result(self, method: str, params: dict[str, Any] | None = None) -> Any:
        return self.call(method, params)["result"]

    def refused(self, method: str, params: dict[str, Any] | None = None) -> tuple[int, str]:
        answer = self.raw(method, params)
        return answer.status_code, answer.json()["error"]

    def as_application(self, method: str, params: dict[str, Any] | None = None) -> Any:
        token, _ = oauth.newest_pair(self.stage.world)
        return self.stage.http.post(f"{self.stage.base_url}/rest/{method}", json={**(params or {}), "auth": token})


@pytest.fixture
def portal(stage: Callable[..., Any]) -> Portal:
    return Portal(stage(VENDOR))


def test_the_two_dialects_show_one_deal_differently(portal: Portal) -> None:
    portal.stage.happen(card(1), deal(1, 1))
    old = portal.result("crm.deal.get", {"id": 1})
    new = portal.result("crm.item.get", {"entityTypeId": 2, "id": 1})["item"]
    assert (old["ID"], old["OPPORTUNITY"], old["CONTACT_ID"], old["COMPANY_ID"]) == ("1", "1000.50", "1", None)
    assert (new["id"], new["opportunity"], new["contactId"], new["companyId"]) == (1, 1000.5, 1, 0)
    assert (old["UTM_CAMPAIGN"], new["utmCampaign"]) == ("brand|101234567", "brand|101234567")
    assert (old["CLOSED"], new["closed"], new["contactIds"], new["isWon"]) == ("N", "N", [1], None)
    assert old["DATE_CREATE"] == new["createdTime"] == "2026-03-02T13:40:00+03:00"
    assert all(value is None or isinstance(value, str) for value in old.values())


def test_a_deal_gets_its_dates_and_semantics_from_the_portal(portal: Portal) -> None:
    portal.stage.happen(card(1), deal(1, 1))
    created = portal.result("crm.deal.get", {"id": 1})
    assert (created["STAGE_ID"], created["STAGE_SEMANTIC_ID"]) == ("NEW", "P")
    assert created["CLOSEDATE"] == "2026-03-09T03:00:00+03:00"  # the vendor's default: seven days later
    assert (created["ORIGINATOR_ID"], created["ORIGIN_ID"]) == ("site", "order-1")

    portal.stage.happen(
        DealMoved(1, at(110), 1, "bitrix24", 2, Decimal("2000")),
        DealMoved(2, at(120), 1, "bitrix24", "lost", Decimal("2000"), lost_reason="Дорого"),
    )
    lost = portal.result("crm.deal.get", {"id": 1})
    assert (lost["STAGE_ID"], lost["STAGE_SEMANTIC_ID"], lost["CLOSED"]) == ("LOSE", "F", "Y")
    assert (lost["OPPORTUNITY"], lost["MOVED_TIME"]) == ("2000.00", "2026-03-02T14:00:00+03:00")
    reasons = portal.result("crm.deal.fields")["UF_CRM_1690000001"]
    assert {"ID": lost["UF_CRM_1690000001"], "VALUE": "Дорого"} in reasons["items"]
    assert (reasons["type"], reasons["listLabel"]) == ("enumeration", "Причина отказа")

    history = portal.result("crm.stagehistory.list", {"entityTypeId": 2, "order": {"ID": "ASC"}})["items"]
    assert [(row["TYPE_ID"], row["STAGE_ID"]) for row in history] == [
        ("1", "NEW"),
        ("2", "PREPAYMENT_INVOICE"),
        ("3", "LOSE"),
    ]


def test_a_form_becomes_a_lead_with_the_visits_tags_and_is_converted_by_its_deal(portal: Portal) -> None:
    visit = Visited(
        seq=1,
        at=at(0),
        visit=5,
        person=1,
        visitor_id="v",
        traffic=Traffic("yandex", "cpc", utm=UTM),
        landing_url="https://shop.example/",
        city="Москва",
        device="mobile",
    )
    form = FormSent(2, at(1), 9, 1, 5, "петр иваноф", "8 916 000-00-02", "", "Заявка")
    portal.stage.happen(visit, form)
    lead = portal.result("crm.lead.get", {"ID": 1})
    assert (lead["STATUS_ID"], lead["UTM_SOURCE"], lead["HAS_PHONE"]) == ("NEW", "yandex", "Y")
    assert (lead["NAME"], lead["DATE_CLOSED"]) == ("петр иваноф", "")

    portal.stage.happen(card(2, person=1), deal(3, 2, from_lead=True))
    converted = portal.result("crm.lead.get", {"ID": 1})
    assert (converted["STATUS_ID"], converted["STATUS_SEMANTIC_ID"]) == ("CONVERTED", "S")
    assert portal.result("crm.deal.get", {"id": 1})["LEAD_ID"] == "1"
    history = portal.result("crm.stagehistory.list", {"entityTypeId": 1, "order": {"ID": "ASC"}})["items"]
    assert [row["STATUS_ID"] for row in history] == ["NEW", "CONVERTED"]
    assert portal.stage.person_of("lead", 1) == 1
    assert portal.stage.person_of("deal", 1) == 2


def test_a_deal_from_a_lead_without_a_form_gets_a_lead_of_its_own(portal: Portal) -> None:
    portal.stage.happen(card(1), deal(1, 1, from_lead=True))
    lead = portal.result("crm.lead.get", {"id": 1})
    assert (lead["STATUS_ID"], lead["CONTACT_ID"]) == ("CONVERTED", "1")
    assert [one["VALUE"] for one in lead["PHONE"]] == ["+7 (916) 000-0001"]


def test_a_firm_gets_one_company_card(portal: Portal) -> None:
    portal.stage.happen(card(1, firm=3), card(2, firm=3), deal(1, 1))
    companies = portal.call("crm.company.list", {"select": ["*", "PHONE"], "order": {"ID": "ASC"}})
    firm = portal.stage.world.market.firm(3)
    assert companies["total"] == 1
    assert companies["result"][0]["TITLE"] == firm.name
    assert companies["result"][0]["PHONE"][0]["VALUE"] == firm.office_phone
    assert portal.result("crm.deal.get", {"id": 1})["COMPANY_ID"] == "1"
    assert portal.result("crm.contact.company.items.get", {"id": 2}) == [
        {"COMPANY_ID": 1, "SORT": 10, "ROLE_ID": 0, "IS_PRIMARY": "Y"}
    ]
    assert {row["CONTACT_ID"] for row in portal.result("crm.company.contact.items.get", {"id": 1})} == {1, 2}
    requisite = portal.result("crm.requisite.list", {"filter": {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1}})
    assert requisite[0]["RQ_INN"] == firm.tax_id
    assert portal.stage.person_of("company", 1) is None


def test_an_edited_card_keeps_the_ids_of_unchanged_phones(portal: Portal) -> None:
    portal.stage.happen(card(1, phones=("+79160000001", "8-495-1")))
    before = portal.result("crm.contact.get", {"id": 1})
    edit = CardEdited(2, at(5), 1, "bitrix24", ("+79160000001", "+79031112233"), (), "Петр", "Иванов")
    portal.stage.happen(edit)
    after = portal.result("crm.contact.get", {"id": 1})
    assert after["PHONE"][0]["ID"] == before["PHONE"][0]["ID"]
    assert [one["VALUE"] for one in after["PHONE"]] == ["+79160000001", "+79031112233"]
    assert "EMAIL" not in after
    assert (after["NAME"], after["HAS_EMAIL"]) == ("Петр", "N")
    assert after["DATE_MODIFY"] == "2026-03-02T12:05:00+03:00"


def test_phones_and_emails_are_not_in_the_default_selection_of_lists(portal: Portal) -> None:
    portal.stage.happen(card(1), deal(1, 1))
    plain = portal.result("crm.contact.list", {"order": {"ID": "ASC"}})[0]
    assert "PHONE" not in plain
    assert plain["HAS_PHONE"] == "Y"
    masked = portal.result("crm.contact.list", {"select": ["*", "UF_*"]})[0]
    assert "PHONE" not in masked
    named = portal.result("crm.contact.list", {"select": ["NAME", "PHONE", "EMAIL"]})[0]
    assert set(named) == {"ID", "NAME", "PHONE", "EMAIL"}
    assert named["PHONE"][0] | {"ID": ""} == {
        "ID": "",
        "VALUE_TYPE": "MOBILE",
        "VALUE": "+7 (916) 000-0001",
        "TYPE_ID": "PHONE",
    }
    assert "UF_CRM_1690000001" not in portal.result("crm.deal.list")[0]
    assert "UF_CRM_1690000001" in portal.result("crm.deal.list", {"select": ["UF_*"]})[0]
    by_name = portal.result("crm.item.list", {"entityTypeId": 3, "select": ["id", "fm"]})["items"][0]
    assert by_name == {"id": 1}
    everything = portal.result("crm.item.list", {"entityTypeId": 3, "select": ["*"]})["items"][0]
    assert everything["fm"][0]["typeId"] == "PHONE"


def test_pages_hold_fifty_rows(portal: Portal) -> None:
    portal.stage.happen(*(card(number) for number in range(1, 121)))
    order = {"order": {"ID": "ASC"}}
    first = portal.call("crm.contact.list", order)
    assert (len(first["result"]), first["next"], first["total"]) == (50, 50, 120)
    last = portal.call("crm.contact.list", {**order, "start": 100})
    assert [row["ID"] for row in last["result"]] == [str(number) for number in range(101, 121)]
    assert "next" not in last
    fast = portal.call("crm.contact.list", {**order, "filter": {">ID": 60}, "start": -1})
    assert (fast["result"][0]["ID"], len(fast["result"]), fast["total"]) == ("61", 50, 0)
    assert "next" not in fast
    items = portal.call("crm.item.list", {"entityTypeId": 3, "order": {"id": "ASC"}, "start": 50})
    assert (items["result"]["items"][0]["id"], items["next"]) == (51, 100)


def test_pages_without_an_order_repeat_a_row(portal: Portal) -> None:
    portal.stage.happen(*(card(number) for number in range(1, 61)))
    first = [row["ID"] for row in portal.result("crm.contact.list")]
    second = [row["ID"] for row in portal.result("crm.contact.list", {"start": 50})]
    assert set(first) & set(second) == {"50"}
    portal.stage.switch(unordered_pages_overlap=False)
    assert portal.result("crm.contact.list", {"start": 50})[0]["ID"] == "51"


def test_totals_can_be_missing_and_next_can_lead_nowhere(portal: Portal) -> None:
    portal.stage.happen(*(card(number) for number in range(1, 51)))
    assert "next" not in portal.call("crm.contact.list")
    portal.stage.switch(needless_next=True, omit_total=True)
    answer = portal.call("crm.contact.list")
    assert answer["next"] == 50
    assert "total" not in answer
    assert portal.result("crm.contact.list", {"start": 50, "order": {"ID": "ASC"}}) == []


@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        ({">ID": 1, "<=ID": 3}, ["2", "3"]),
        ({"@ID": [1, 4]}, ["1", "4"]),
        ({"ID": [2, 3]}, ["2", "3"]),
        ({"!@ID": [1, 2]}, ["3", "4"]),
        ({"!ID": 2}, ["1", "3", "4"]),
        ({"%TITLE": "СДЕЛКА 3"}, ["3"]),
        ({"=%TITLE": "Сделка%"}, ["1", "2", "3", "4"]),
        ({"STAGE_ID": "WON"}, ["4"]),
        ({"%STAGE_ID": "WO"}, []),  # a search by fragment doesn't work on dictionaries
        ({">=DATE_CREATE": "2026-03-02T13:43:00+03:00"}, ["3", "4"]),
        ({">=DATE_CREATE": "2026-03-02T10:43:00+00:00"}, ["3", "4"]),
        ({">=DATE_CREATE": "2026-03-02 13:43:00"}, ["3", "4"]),  # without a zone: the portal's
        ({">=DATE_MODIFY": "2026-03-02T14:00:00+03:00"}, ["4"]),
        ({"COMPANY_ID": ""}, ["1", "2", "3", "4"]),
        ({">OPPORTUNITY": "1000.50"}, ["4"]),
        ({"NO_SUCH_FIELD": 1, "ID": 1}, ["1"]),  # the old methods skip what they don't know
    ],
)
def test_filters_of_old_lists(portal: Portal, filter_: dict[str, Any], ids: list[str]) -> None:
    portal.stage.happen(card(1), *(deal(number, 1, minute=100 + number) for number in range(1, 5)))
    portal.stage.happen(DealMoved(9, at(120), 4, "bitrix24", "won", Decimal("1001")))
    found = portal.result("crm.deal.list", {"filter": filter_, "order": {"ID": "ASC"}})
    assert [row["ID"] for row in found] == ids


def test_filters_of_items_nest_and_refuse_unknown_fields(portal: Portal) -> None:
    portal.stage.happen(card(1), *(deal(number, 1) for number in range(1, 5)))
    either = {"0": {"logic": "OR", "0": {"id": 1}, "1": {">id": 3}}, "stageId": "NEW"}
    found = portal.result("crm.item.list", {"entityTypeId": 2, "filter": either, "order": {"id": "ASC"}})
    assert [item["id"] for item in found["items"]] == [1, 4]
    answer = portal.raw("crm.item.list", {"entityTypeId": 2, "filter": {"CREATED": 1}})
    assert answer.status_code == 400
    assert "field 'CREATED' is not allowed in filter" in answer.json()["error_description"]


def test_items_may_ignore_iso_times(portal: Portal) -> None:
    portal.stage.happen(card(1), *(deal(number, 1, minute=100 + number) for number in range(1, 5)))
    ask = {"entityTypeId": 2, "filter": {">=updatedTime": "2026-03-02T13:43:00+03:00"}}
    assert portal.call("crm.item.list", ask)["total"] == 2
    portal.stage.switch(items_ignore_iso_times=True)
    assert portal.call("crm.item.list", ask)["total"] == 4
    ask["filter"] = {">=updatedTime": "2026-03-02 13:43:00"}
    assert portal.call("crm.item.list", ask)["total"] == 2


def test_phones_are_filtered_as_typed_and_duplicates_found_by_digits(portal: Portal) -> None:
    portal.stage.happen(card(1, phones=("+7 (916) 111-22-33",)))
    filtered = portal.result("crm.contact.list", {"filter": {"PHONE": "+79161112233"}})
    assert filtered == []
    exact = portal.result("crm.contact.list", {"filter": {"PHONE": "+7 (916) 111-22-33"}})
    assert [row["ID"] for row in exact] == ["1"]
    found = portal.result("crm.duplicate.findbycomm", {"type": "PHONE", "values": ["+79161112233"]})
    assert found == {"CONTACT": [1]}
    mail = {"type": "EMAIL", "values": ["CLIENT1@example.com"], "entity_type": "CONTACT"}
    assert portal.result("crm.duplicate.findbycomm", mail) == {"CONTACT": [1]}
    assert portal.result("crm.duplicate.findbycomm", {"type": "PHONE", "values": ["1"]}) == []


def test_names_of_methods_and_parameters_in_any_case_json_form_and_query(portal: Portal) -> None:
    portal.stage.happen(card(1), card(2))
    http, url = portal.stage.http, portal.url
    query = urlencode({"FILTER[>ID]": 1, "select[0]": "ID", "select[1]": "NAME"})
    by_get = http.get(f"{url}CRM.Contact.List.json?{query}").json()["result"]
    assert by_get == [{"ID": "2", "NAME": "Пётр"}]
    form = {"fields[NAME]": "Анна", "fields[PHONE][0][VALUE]": "+7916", "fields[PHONE][0][VALUE_TYPE]": "HOME"}
    added = http.post(f"{url}crm.contact.add", data=form).json()["result"]
    phone = portal.result("crm.contact.get", {"ID": added})["PHONE"]
    assert [(one["VALUE"], one["VALUE_TYPE"]) for one in phone] == [("+7916", "HOME")]


def test_writing_in_the_old_dialect(portal: Portal) -> None:
    id_ = portal.result("crm.contact.add", {"fields": {"NAME": "Анна", "TYPO": 1, "DATE_MODIFY": "2020-01-01"}})
    assert portal.result("crm.contact.get", {"id": id_})["DATE_MODIFY"].startswith("2026-")
    append = {"id": id_, "fields": {"EMAIL": [{"VALUE": "a@example.com", "VALUE_TYPE": "WORK"}]}}
    assert portal.result("crm.contact.update", append) is True
    portal.result("crm.contact.update", {"id": id_, "fields": {"EMAIL": [{"VALUE": "b@example.com"}]}})
    mails = portal.result("crm.contact.get", {"id": id_})["EMAIL"]
    assert [mail["VALUE"] for mail in mails] == ["a@example.com", "b@example.com"]
    change = [{"ID": mails[0]["ID"], "DELETE": "Y"}, {"ID": mails[1]["ID"], "VALUE": "c@example.com"}]
    portal.result("crm.contact.update", {"id": id_, "fields": {"EMAIL": change}})
    assert [mail["VALUE"] for mail in portal.result("crm.contact.get", {"id": id_})["EMAIL"]] == ["c@example.com"]
    bad = portal.refused("crm.contact.update", {"id": id_, "fields": {"EMAIL": [{"VALUE": "nonsense"}]}})
    assert bad == (400, "ERROR_CORE")
    assert portal.result("crm.contact.delete", {"id": id_}) is True
    assert portal.refused("crm.contact.get", {"id": id_}) == (400, "")
    assert portal.result("crm.contact.add", {"fields": {"NAME": "Следующая"}}) == id_ + 1


def test_a_deal_changes_its_pipeline_through_items_only(portal: Portal) -> None:
    deal_id = portal.result("crm.deal.add", {"fields": {"TITLE": "A", "CONTACT_IDS": []}})
    portal.result("crm.deal.update", {"id": deal_id, "fields": {"CATEGORY_ID": 1}})
    assert portal.result("crm.deal.get", {"id": deal_id})["CATEGORY_ID"] == "0"
    fields = {"categoryId": 1, "opportunity": 19000}
    moved = portal.result("crm.item.update", {"entityTypeId": 2, "id": deal_id, "fields": fields})["item"]
    assert (moved["categoryId"], moved["stageId"], moved["opportunity"]) == (1, "C1:NEW", 19000)
    kinds = [row["TYPE_ID"] for row in portal.result("crm.stagehistory.list", {"entityTypeId": 2})["items"]]
    assert kinds == ["1", "5"]
    wrong = portal.refused("crm.deal.update", {"id": deal_id, "fields": {"STAGE_ID": "NOWHERE"}})
    assert wrong == (400, "CRM_FIELD_ERROR_VALUE_NOT_VALID")


def test_writing_items(portal: Portal) -> None:
    fields = {"name": "Анна", "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "+79160001122"}]}
    contact = portal.result("crm.item.add", {"entityTypeId": 3, "fields": fields})["item"]
    assert (contact["fm"][0]["value"], contact["hasPhone"], contact["companyIds"]) == ("+79160001122", "Y", [])
    deal_fields = {"title": "B", "contactIds": [contact["id"]], "originId": "7", "originatorId": "skvoz"}
    item = portal.result("crm.item.add", {"entityTypeId": 2, "fields": deal_fields})["item"]
    assert (item["contactId"], item["contactIds"], item["originId"]) == (contact["id"], [contact["id"]], "7")
    assert portal.result("crm.deal.contact.items.get", {"id": item["id"]})[0]["CONTACT_ID"] == contact["id"]
    assert portal.result("crm.item.delete", {"entityTypeId": 2, "id": item["id"]}) == []
    gone = portal.refused("crm.item.get", {"entityTypeId": 2, "id": item["id"]})
    assert gone == (400, "NOT_FOUND")
    assert portal.refused("crm.item.get", {"entityTypeId": 99, "id": 1})[0] == 400


def test_a_deleted_contact_leaves_its_deals(portal: Portal) -> None:
    portal.stage.happen(card(1), deal(1, 1))
    portal.result("crm.contact.delete", {"id": 1})
    assert portal.result("crm.deal.get", {"id": 1})["CONTACT_ID"] is None
    assert portal.result("crm.deal.contact.items.get", {"id": 1}) == []
    # happenings about what was deleted by hand change nothing
    portal.stage.happen(CardEdited(2, at(5), 1, "bitrix24", ("+7",), (), "П", "И"))
    assert portal.call("crm.contact.list")["total"] == 0


def test_batch_follows_references(portal: Portal) -> None:
    portal.stage.happen(*(card(number) for number in range(1, 121)))
    page = "crm.contact.list?order[ID]=ASC&start=-1&select[]=ID"
    cmd = {
        "c0": page,
        "c1": f"{page}&filter[>ID]=$result[c0][49][ID]",
        "c2": f"{page}&filter[%3EID]=%24result[c1][49][ID]",
        "bad": "crm.contact.get?id=999",
        "item": "crm.item.get?entityTypeId=3&id=$result[c0][4][ID]",
        "user": "user.get?ID=$result[item][item][assignedById]",
    }
    answer = portal.result("batch", {"halt": 0, "cmd": cmd})
    assert [len(answer["result"][key]) for key in ("c0", "c1", "c2")] == [50, 50, 20]
    assert answer["result"]["c2"][-1] == {"ID": "120"}
    assert answer["result"]["item"]["item"]["id"] == 5
    assert answer["result_error"] == {"bad": {"error": "", "error_description": "Not found"}}
    assert answer["result_next"] == []
    assert set(answer["result_time"]) == set(cmd) - {"bad"}


def test_batch_halts_lists_numeric_keys_and_knows_its_bounds(portal: Portal) -> None:
    halted = portal.result("batch", {"halt": 1, "cmd": {"a": "crm.deal.get?id=1", "b": "scope"}})
    assert halted["result"] == []
    assert list(halted["result_error"]) == ["a"]
    numbered = portal.result("batch", {"cmd": {"0": "scope", "1": "server.time"}})
    assert isinstance(numbered["result"], list)
    assert numbered["result_error"] == []
    long = portal.result("batch", {"cmd": {f"c{number}": "scope" for number in range(51)}})
    assert long["result_error"]["c50"]["error"] == "ERROR_BATCH_LENGTH_EXCEEDED"
    nested = portal.result("batch", {"cmd": {"x": "batch?cmd[a]=scope"}})
    assert nested["result_error"]["x"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"


def test_calls_of_the_portal(portal: Portal) -> None:
    portal.stage.happen(card(1, phones=("+7 (916) 111-22-33",)))
    inbound = called(1, from_phone="+79161112233", to_phone="+74950000000")
    outbound = called(2, from_phone="+74950000000", to_phone="+79161112233", answered=False, direction="outbound")
    elsewhere = called(3, from_phone="+79161112233", to_phone="+74950000000", crm=None)
    portal.stage.happen(inbound, outbound, elsewhere)
    rows = portal.result("voximplant.statistic.get", {"FILTER": {}, "SORT": "ID", "ORDER": "ASC"})
    assert [(row["CALL_TYPE"], row["CALL_FAILED_CODE"], row["CALL_DURATION"]) for row in rows] == [
        ("2", "200", "61"),
        ("1", "304", "0"),
    ]
    assert [row["PHONE_NUMBER"] for row in rows] == ["+79161112233", "79161112233"]  # with and without a plus
    assert (rows[0]["CRM_ENTITY_TYPE"], rows[0]["CRM_ENTITY_ID"]) == ("CONTACT", "1")
    assert rows[0]["CALL_START_DATE"] == "2026-03-02T12:10:00+03:00"
    later = {"FILTER": {">CALL_START_DATE": "2026-03-02T12:15:00+03:00"}}
    assert portal.call("voximplant.statistic.get", later)["total"] == 1
    assert portal.stage.person_of("call", 1) == 1


def test_telephony_is_for_applications_and_recognises_a_call_registered_twice(portal: Portal) -> None:
    portal.stage.happen(card(1, phones=("8 (916) 111-22-33",)))
    call = {"USER_ID": 1, "PHONE_NUMBER": "+79161112233", "TYPE": 2, "EXTERNAL_CALL_ID": "ct-1"}
    assert portal.refused("telephony.externalCall.register", call) == (403, "WRONG_AUTH_TYPE")
    registered = portal.as_application("telephony.externalCall.register", call).json()["result"]
    assert (registered["CRM_ENTITY_TYPE"], registered["CRM_ENTITY_ID"]) == ("CONTACT", 1)
    again = portal.as_application("telephony.externalCall.register", call).json()["result"]
    assert again["CALL_ID"] == registered["CALL_ID"]
    other = portal.as_application("telephony.externalCall.register", {**call, "EXTERNAL_CALL_ID": "ct-2"})
    assert other.json()["result"]["CALL_ID"] != registered["CALL_ID"]
    assert portal.result("voximplant.statistic.get") == []  # only a finished call is a call
    end = {"CALL_ID": registered["CALL_ID"], "USER_ID": 1, "DURATION": 30}
    finished = portal.as_application("telephony.externalCall.finish", end).json()["result"]
    assert (finished["CALL_START_DATE"], finished["CALL_FAILED_CODE"]) == ({}, "200")
    assert len(portal.result("voximplant.statistic.get")) == 1
    unknown = portal.as_application("telephony.externalCall.finish", {"CALL_ID": "x", "USER_ID": 1})
    assert (unknown.status_code, unknown.json()["error"]) == (400, "ERROR_CORE")


def test_tokens_of_an_application_expire_and_rotate(portal: Portal) -> None:
    world = portal.stage.world
    assert portal.as_application("app.info").json()["result"]["STATUS"] == "L"
    VENDOR.expire_token(world)  # type: ignore[misc]  # this vendor has one
    expired = portal.as_application("app.info")
    assert (expired.status_code, expired.json()["error"]) == (401, "expired_token")
    _, refresh = oauth.newest_pair(world)
    ask = {
        "grant_type": "refresh_token",
        "client_id": oauth.client_id(world),
        "client_secret": oauth.client_secret(world),
        "refresh_token": refresh,
    }
    renewed = portal.stage.http.get(f"{portal.stage.base_url}/oauth/token/", params=ask).json()
    assert renewed["expires_in"] == 3600
    assert portal.as_application("app.info").status_code == 200
    twice = portal.stage.http.get(f"{portal.stage.base_url}/oauth/token/", params=ask)
    assert (twice.status_code, twice.json()["error"]) == (400, "invalid_grant")
    assert portal.result("profile")["ADMIN"] is True  # a webhook knows no expiry


def test_errors_come_with_the_documented_codes(portal: Portal) -> None:
    assert portal.refused("crm.nothing.list") == (404, "ERROR_METHOD_NOT_FOUND")
    assert portal.refused("crm.deal.get", {"id": "x"}) == (400, "")
    wrong = portal.stage.http.post(f"{portal.stage.base_url}/rest/1/wrong/crm.deal.list")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "NO_AUTH_FOUND")
    none = portal.stage.http.post(f"{portal.stage.base_url}/rest/crm.deal.list")
    assert (none.status_code, none.json()["error"]) == (401, "NO_AUTH_FOUND")


def test_reference_data(portal: Portal) -> None:
    categories = portal.result("crm.category.list", {"entityTypeId": 2})["categories"]
    assert [(one["id"], one["isDefault"]) for one in categories] == [(0, "Y"), (1, "N")]
    stages = portal.result("crm.status.list", {"filter": {"ENTITY_ID": "DEAL_STAGE_1"}, "order": {"SORT": "ASC"}})
    assert [stage["STATUS_ID"] for stage in stages][:2] == ["C1:NEW", "C1:PREPARATION"]
    assert {stage["STATUS_ID"]: stage["SEMANTICS"] for stage in stages}["C1:WON"] == "S"
    users = portal.result("user.get", {"sort": "ID", "order": "ASC", "FILTER": {"ACTIVE": True}})
    assert users[0]["ACTIVE"] is True
    assert users[0]["TIMESTAMP_X"] == {}
    extension = users[1]["UF_PHONE_INNER"]
    assert [u["ID"] for u in portal.result("user.get", {"FILTER": {"UF_PHONE_INNER": extension}})] == [
        users[1]["ID"]
    ]
    assert portal.result("crm.settings.mode.get") == 1
    assert portal.result("server.time").endswith("+03:00")
    assert "crm" in portal.result("scope")


def test_comments_take_lower_case_fields_only(portal: Portal) -> None:
    portal.stage.happen(card(1), deal(1, 1))
    fields = {"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": "Звонил"}
    assert portal.refused("crm.timeline.comment.add", {"FIELDS": fields})[0] == 400
    assert portal.result("crm.timeline.comment.add", {"fields": fields}) == 1
    listed = portal.result("crm.timeline.comment.list", {"filter": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1}})
    assert [comment["COMMENT"] for comment in listed] == ["Звонил"]


def test_the_bucket_overflows_with_503(stage: Callable[..., Any]) -> None:
    portal = Portal(stage(VENDOR, limits=0.1))  # five requests, a fifth of one per second
    answers = [portal.raw("scope") for _ in range(7)]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    assert answers[-1].status_code == 503
    assert answers[-1].json() == {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}


def test_the_bucket_drains_two_a_second() -> None:
    now = [0.0]
    bucket = Bucket(lambda: 1.0, lambda: now[0])
    for _ in range(50):
        bucket.pour("a")
    with pytest.raises(RestError):
        bucket.pour("a")
    bucket.pour("b")  # each address has its own
    now[0] = 0.5
    bucket.pour("a")
    with pytest.raises(RestError):
        bucket.pour("a")


def test_a_method_that_ran_too_long_is_blocked_alone(stage: Callable[..., Any]) -> None:
    portal = Portal(stage(VENDOR, limits=1))
    portal.stage.switch(operating_seconds_per_call=479.0)
    first = portal.call("crm.deal.list")["time"]
    assert first["operating"] >= 479
    portal.call("crm.deal.list")
    assert portal.refused("crm.deal.list") == (429, "OPERATION_TIME_LIMIT")
    in_batch = portal.result("batch", {"cmd": {"a": "crm.deal.list", "b": "scope"}})
    assert in_batch["result_error"]["a"]["error"] == "OPERATION_TIME_LIMIT"
    assert "b" in in_batch["result"]


def test_run_time_is_forgotten_after_ten_minutes() -> None:
    now = [60_000.0]
    operating = Operating(lambda: 1.0, lambda: now[0])
    operating.charge("m", 480)
    with pytest.raises(RestError):
        operating.check("m")
    assert operating.spent("m") == (480, 60_600)
    now[0] = 60_600
    operating.check("m")


def test_a_renamed_portal_redirects(portal: Portal) -> None:
    portal.stage.switch(moved_to="http://new.example")
    answer = portal.raw("crm.deal.list")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("http://new.example/rest/1/")


def test_events_name_the_record_and_nothing_more(portal: Portal) -> None:
    world = portal.stage.world
    portal.stage.switch(event_handler="http://127.0.0.1:1/hook")
    portal.stage.happen(card(1))
    assert world.webhooks == []  # history tells nobody
    world.start_clock()
    portal.result("crm.contact.update", {"id": 1, "fields": {"NAME": "Анна"}})
    (hook,) = world.webhooks
    event = php.decode_brackets(parse_qsl(hook.content.decode()))
    assert (event["event"], event["data"]) == ("ONCRMCONTACTUPDATE", {"FIELDS": {"ID": "1"}})
    assert set(event["auth"]) == {
        "domain",
        "client_endpoint",
        "server_endpoint",
        "member_id",
        "application_token",
    }


def test_the_end_of_a_call_is_told(portal: Portal) -> None:
    portal.stage.switch(event_handler="http://127.0.0.1:1/hook")
    portal.stage.world.start_clock()
    call = {"USER_ID": 1, "PHONE_NUMBER": "+79161112233", "TYPE": 1}
    call_id = portal.as_application("telephony.externalCall.register", call).json()["result"]["CALL_ID"]
    portal.as_application("telephony.externalCall.finish", {"CALL_ID": call_id, "USER_ID": 1, "DURATION": 5})
    (hook,) = portal.stage.world.webhooks
    event = php.decode_brackets(parse_qsl(hook.content.decode(), keep_blank_values=True))
    assert (event["event"], event["data"]["CALL_ID"]) == ("ONVOXIMPLANTCALLEND", call_id)
    assert (event["data"]["CALL_DURATION"], event["data"]["CALL_FAILED_CODE"]) == ("5", "200")


def test_pages_shift_when_rows_are_deleted(portal: Portal) -> None:
    portal.stage.happen(card(1), *(deal(number, 1) for number in range(1, 5)))
    assert VENDOR.shift_pages is not None
    VENDOR.shift_pages(portal.stage.world, {"delete": 2, "insert": 1})
    assert [row["ID"] for row in portal.result("crm.deal.list", {"order": {"ID": "ASC"}})] == ["3", "4", "5"]


def test_switches_refuse_what_they_do_not_know(portal: Portal) -> None:
    url = f"{portal.stage.base_url}/_switches"
    assert portal.stage.http.put(url, json={"nonsense": 1}).status_code == 400
    assert portal.stage.http.put(url, json={"omit_total": 1}).status_code == 400
    assert portal.stage.http.get(url).json()["omit_total"] is False


def test_the_whole_market_is_in_the_portal(stage: Callable[..., Any]) -> None:
    served = stage(VENDOR, plan=Plan(seed=11, calls=300, start=date(2026, 3, 2), days=30))
    served.world.catch_up()
    portal = Portal(served)

    def read(method: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            after = int(found[-1]["ID"]) if found else 0
            page = portal.result(method, {"order": {"ID": "ASC"}, "filter": {">ID": after}, "start": -1})
            found += page
            if len(page) < 50:
                return found

    deals = read("crm.deal.list")
    assert [len(deals)] == served.truth("SELECT COUNT(*) FROM truth_deal WHERE crm = 'bitrix24'")
    assert len(deals) > 20
    won = sum(Decimal(deal["OPPORTUNITY"]) for deal in deals if deal["STAGE_SEMANTIC_ID"] == "S")
    revenue = "SELECT SUM(amount) FROM truth_deal WHERE crm = 'bitrix24' AND outcome = 'won'"
    assert served.truth(revenue) == [int(won * 100)]
    contacts = read("crm.contact.list")
    assert [len(contacts)] == served.truth("SELECT COUNT(*) FROM truth_card WHERE crm = 'bitrix24'")
    for deal in deals:
        assert served.person_of("deal", deal["ID"]) == served.person_of("contact", deal["CONTACT_ID"])
    leads = read("crm.lead.list")
    assert all(served.person_of("lead", lead["ID"]) for lead in leads)
    assert len(leads) >= served.truth("SELECT COUNT(*) FROM truth_form")[0] > 0
    calls = portal.call("voximplant.statistic.get")["total"]
    assert [calls] == served.truth("SELECT COUNT(*) FROM truth_record WHERE entity = 'call'")
    assert calls > 20
