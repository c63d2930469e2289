"""Calltouch's records as unified ones: the samples, and the odd values that the journals hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from connectors.calltouch import CONNECTOR
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.values import flag, identifier, instant, learnt_zone, local_time
from connectors.errors import BadRecord
from schema.enums import Channel
from schema.records import CallRecord, LeadRecord, VisitRecord
from schema.traffic import Traffic, origin

SAMPLES = Path(__file__).parent / "samples"
SETTINGS = CalltouchSettings(token="secret-token", site_id="12345")
MOSCOW = timezone(timedelta(hours=3))


def sample_call(index: int = 0, /, **changes: Any) -> bytes:
    page = json.loads((SAMPLES / "calls_page.json").read_text())
    return json.dumps(page["records"][index] | changes).encode()


def sample_request(**changes: Any) -> bytes:
    return json.dumps(json.loads((SAMPLES / "requests.json").read_text())[0] | changes).encode()


def call_of(body: bytes) -> CallRecord:
    record = mapped("calls", body)[-1]
    assert isinstance(record, CallRecord)
    return record


def lead_of(body: bytes) -> LeadRecord:
    record = mapped("requests", body)[-1]
    assert isinstance(record, LeadRecord)
    return record


def visits_of(stream: str, body: bytes) -> list[VisitRecord]:
    return [record for record in mapped(stream, body) if isinstance(record, VisitRecord)]


def mapped(stream: str, body: bytes) -> list[Any]:
    records = CONNECTOR.stream(stream).map(SETTINGS, body)
    assert isinstance(records, list)
    return records


DIRECT_AD = Traffic(
    source="yandex",
    medium="cpc",
    utm_source="yandex",
    utm_medium="cpc",
    utm_campaign="brand|101234567",
    click_id="12345678901234567890",
    referrer="https://yandex.ru/",
    platform="yandex_direct",
    campaign="101234567",
    ad_group="5500000001",
    ad="16000000001",
    keyword="205",
)


def test_call_of_an_ad() -> None:
    visit, call = mapped("calls", sample_call())
    assert call == CallRecord(
        external_id="900000001",
        started_at=datetime(2026, 4, 3, 7, 15, 30, tzinfo=UTC),
        client_phone="79990001122",
        tracking_phone="74950000001",
        answered=True,
        wait_seconds=11,
        talk_seconds=184,
        status="успешный",
        is_unique=True,
        is_target=True,
        recording_url="https://api.calltouch.ru/calls-service/RestAPI/12345/calls-diary/calls/900000001/download",
        visit="700000001",
        visitor_ids=("ct:812345678", "ym:1775109228651162001", "ga:1348104959.1775656133"),
        tags=("Лид", "Москва"),
        comment="перезвонить",
        traffic=DIRECT_AD,
        custom={
            "callUrl": "https://example.com/contacts",
            "redirectNumber": "74950000099",
            "ctCallerId": "ct-79990001122",
        },
    )
    assert visit == VisitRecord(
        external_id="700000001",
        started_at=datetime(2026, 4, 3, 10, 2, 11, tzinfo=MOSCOW),
        visitor_ids=call.visitor_ids,
        landing_url="https://example.com/?utm_source=yandex&utm_medium=cpc&utm_campaign=brand%7C101234567"
        "&yclid=12345678901234567890",
        city="Москва",
        device="desktop",
        traffic=DIRECT_AD,
    )


def test_direct_call_without_visit() -> None:
    (call,) = mapped("calls", sample_call(1))
    assert (call.visit, call.recording_url, call.answered) == (None, None, False)
    assert call.started_at == datetime(2026, 4, 3, 21, 0, 5, tzinfo=UTC)
    assert call.traffic == Traffic(source="(direct)")
    found = origin(call.traffic)
    assert found is not None
    assert found.channel is Channel.DIRECT


def test_request_of_an_ad() -> None:
    visit, lead = mapped("requests", sample_request())
    assert lead.external_id == "500000001"
    assert lead.created_at == datetime(2026, 4, 3, 7, 15, 30, tzinfo=UTC)
    assert (lead.title, lead.name) == ("Заявка с сайта", "Иванова Ивана Тестовна")
    assert (lead.phones, lead.emails, lead.tags) == (("79990001122",), ("testUser@example.com",), ("Лид",))
    assert lead.status is None
    assert lead.visit == visit.external_id == "700000002"
    assert visit.started_at == datetime(2026, 4, 3, 10, 1, tzinfo=MOSCOW)
    assert lead.visitor_ids == ("ct:812345678", "ym:1775109228651162001", "ga:1348104959.1775656133")
    assert lead.traffic == visit.traffic
    assert (lead.traffic.platform, lead.traffic.campaign) == ("yandex_direct", "101234567")


@pytest.mark.parametrize(
    "nothing", ["<не заполнено>", "<не указано>", "(not set)", "(none)", "None", "", None, " "]
)
def test_texts_that_say_nothing(nothing: str | None) -> None:
    body = sample_call(
        1, utmSource=nothing, utmCampaign=nothing, source=nothing, keyword=nothing, manager=nothing, city=nothing
    )
    call = call_of(body)
    assert call.traffic is None
    assert set(call.custom or {}) == {"redirectNumber", "ctCallerId"}


def test_chain_of_visits_becomes_visits() -> None:
    earlier = {
        "sessionId": 699999999,
        "sessionDate": "28/03/2026 23:59:59",
        "source": "google",
        "medium": "organic",
        "utmSource": "<не указано>",
        "url": "https://example.com/",
        "guaClientId": "9.9",
        "ctClientId": 812345678,
    }
    own_again = {"sessionId": 700000001, "source": "yandex"}
    nameless = {"sessionId": None, "source": "bing"}
    own, first = visits_of("calls", sample_call(mapVisits=[earlier, own_again, nameless]))
    assert (own.external_id, own.traffic.campaign) == ("700000001", "101234567")
    assert first.external_id == "699999999"
    assert first.started_at == datetime(2026, 3, 28, 23, 59, 59, tzinfo=MOSCOW)
    assert (first.traffic.source, first.traffic.medium, first.traffic.platform) == ("google", "organic", None)
    assert first.visitor_ids[:2] == ("ct:812345678", "ga:9.9")
    assert "ym:1775109228651162001" in first.visitor_ids


def test_source_of_an_earlier_visit_is_given_to_that_visit() -> None:
    """Asked or not, the vendor may credit the last visit that wasn't direct."""
    ad = {"source": "yandex", "medium": "cpc", "utmSource": "yandex", "utmMedium": "cpc"}
    ad["utmCampaign"] = "brand|101234567"
    history = [
        {"sessionId": 1, "sessionDate": "01/03/2026 10:00:00", **ad},
        {"sessionId": 2, "sessionDate": "02/03/2026 10:00:00", **ad},
        {"sessionId": 3, "sessionDate": "03/03/2026 10:00:00", "source": "vk", "medium": "social"},
        {"sessionId": 700000001, "source": "(direct)", "medium": "(none)", "utmSource": "<не указано>"},
    ]
    body = sample_call(mapVisits=history, url="https://example.com/")
    by_id = {visit.external_id: visit.traffic for visit in visits_of("calls", body)}
    assert by_id["700000001"] == call_of(body).traffic == Traffic(source="(direct)")
    assert [by_id[key].campaign for key in ("1", "2", "3")] == [None, "101234567", None]


def test_chain_of_a_request() -> None:
    found = visits_of(
        "requests", sample_request(mapVisits=[{"sessionId": "7", "url": "https://e.com/?utm_source=vk"}])
    )
    assert [visit.external_id for visit in found] == ["700000002", "7"]
    assert found[1].traffic.utm_source == "vk"
    # Its time isn't told: it was no later than the request.
    assert found[1].started_at == datetime(2026, 4, 3, 7, 15, 30, tzinfo=UTC)


def test_tags_of_the_address_stand_in_where_the_record_has_none() -> None:
    url = "https://example.com/?utm_source=vk&utm_medium=cpc&utm_campaign=spring"
    nothing = dict.fromkeys(("utmSource", "utmMedium", "utmCampaign", "utmContent", "utmTerm"), "<не указано>")
    traffic = call_of(sample_call(url=url, **nothing)).traffic
    assert traffic is not None
    assert (traffic.utm_source, traffic.utm_medium, traffic.utm_campaign) == ("vk", "cpc", "spring")


def test_tags_of_two_visits_do_not_mix() -> None:
    url = "https://example.com/?utm_source=vk&utm_content=banner"
    traffic = call_of(sample_call(url=url)).traffic
    assert traffic is not None
    assert (traffic.utm_source, traffic.utm_content) == ("yandex", None)


def test_call_that_goes_on_has_no_length_yet() -> None:
    call = call_of(sample_call(callphase="callconnected"))
    assert call.status == "callconnected"
    assert (call.talk_seconds, call.wait_seconds, call.is_target, call.recording_url) == (None, None, None, None)


def test_the_text_of_a_conversation_is_kept_where_it_is_wanted() -> None:
    said = [
        {"channel": 1, "time": "00:02", "message": "Добрый день!"},
        {"channel": "0", "time": None, "message": "Здравствуйте"},
        {"channel": 0, "time": "00:09", "message": " "},
    ]
    body = sample_call(phrases=said, phonesInText=["79161234567", None])
    assert "transcript" not in (call_of(body).custom or {})
    wanting = SETTINGS.model_copy(update={"transcripts": True})
    records = CONNECTOR.stream("calls").map(wanting, body)
    assert isinstance(records, list)
    assert records[-1].custom["transcript"] == "00:02 Operator: Добрый день!\n--:-- Client: Здравствуйте"
    assert records[-1].custom["phonesInText"] == ["79161234567"]
    assert CONNECTOR.stream("calls").map(wanting, sample_call(phrases=None))


@pytest.mark.parametrize("name", ["gclid", "gbraid", "wbraid"])
def test_a_click_on_an_ad_of_google_is_known_by_any_of_its_ids(name: str) -> None:
    bare = dict.fromkeys(("source", "medium", "utmSource", "utmMedium", "utmCampaign", "yandexDirect", "mapVisits"))
    call = call_of(sample_call(**bare, url=f"https://site.example/?{name}=Cj0KCQ_x-Y"))
    assert call.traffic is not None
    assert call.traffic.click_id == "Cj0KCQ_x-Y"


def test_google_ids() -> None:
    ids = {"campaignId": 9, "adGroupId": "8", "creativeId": 7, "criteriaId": 6}
    traffic = call_of(sample_call(yandexDirect={"campaignId": None}, googleAdWords=ids)).traffic
    assert traffic is not None
    assert (traffic.platform, traffic.campaign, traffic.ad_group, traffic.ad, traffic.keyword) == (
        "google_ads",
        "9",
        "8",
        "7",
        "6",
    )


def test_ids_beyond_floats_and_ids_as_text_are_the_same_text() -> None:
    assert call_of(sample_call(yaClientId=1775109228651162001)).visitor_ids[1] == "ym:1775109228651162001"
    assert call_of(sample_call(callId="900000001")).external_id == "900000001"
    assert call_of(sample_call(yaClientId=18446744073709551617)).visitor_ids[1] == "ym:18446744073709551617"


@pytest.mark.parametrize(
    ("contact", "emails", "phones", "others"),
    [
        ({"type": "EMAIL", "value": "a@b.ru"}, ("a@b.ru",), ("79990001122",), None),
        ({"contactType": None, "contactValue": "a@b.ru"}, ("a@b.ru",), ("79990001122",), None),
        ({"contactType": "PHONE", "contactValue": "8 800"}, (), ("79990001122", "8 800"), None),
        ({"contactType": "EMAIL", "contactValue": "<не указано>"}, (), ("79990001122",), None),
        (
            {"contactType": "TELEGRAM", "contactValue": "@ivana"},
            (),
            ("79990001122",),
            [{"type": "TELEGRAM", "value": "@ivana"}],
        ),
    ],
)
def test_contacts(
    contact: dict[str, Any], emails: tuple[str, ...], phones: tuple[str, ...], others: list[dict[str, str]] | None
) -> None:
    lead = lead_of(
        sample_request(client={"fio": None, "phones": [{"phoneNumber": 79990001122}], "contacts": [contact]})
    )
    assert (lead.emails, lead.phones, lead.name) == (emails, phones, None)
    assert (lead.custom or {}).get("contacts") == others


def test_request_without_session_or_client() -> None:
    (lead,) = mapped("requests", sample_request(session=None, client=None, yandexDirect=None))
    assert (lead.visit, lead.traffic, lead.phones) == (None, None, ())


@pytest.mark.parametrize(
    ("stream", "body"),
    [
        ("calls", sample_call(callId=None)),
        ("calls", sample_call(callId=1.5)),
        ("calls", sample_call(timestamp=None, date=None)),
        ("calls", sample_call(sessionDate="yesterday")),
        ("calls", sample_call(timestamp=10**30)),
        ("requests", sample_request(requestId="")),
        ("requests", sample_request(date=None, dateStr="13/13/2026 10:00:00")),
    ],
)
def test_what_cannot_be_understood_is_refused(stream: str, body: bytes) -> None:
    with pytest.raises(BadRecord):
        mapped(stream, body)


def test_a_shape_that_is_not_known_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        mapped("calls", sample_call(callTags="Лид"))


def test_values() -> None:
    assert [flag(value) for value in (True, "True", "false", 1, 0, None, "maybe")] == [
        True,
        True,
        False,
        True,
        False,
        None,
        None,
    ]
    assert [identifier(value) for value in (0, "0", 5, " 5 ", 1.0, True, None)] == [
        None,
        None,
        "5",
        "5",
        *[None] * 3,
    ]
    assert instant(1775200530) == instant(1775200530000) == instant("1775200530")
    assert instant(0) is None
    assert local_time("03/04/2026 10:15:30") == local_time("2026-04-03 10:15:30")


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("03/04/2026 12:15:30", timedelta(hours=5)),
        ("03/04/2026 12:45:31", timedelta(hours=5, minutes=30)),
        ("02/04/2026 23:15:30", timedelta(hours=-8)),
    ],
)
def test_zone_is_learnt_from_the_record(text: str, offset: timedelta) -> None:
    call = sample_call(date=text, sessionDate="01/04/2026 00:00:00")
    (visit,) = visits_of("calls", call)
    assert visit.started_at.utcoffset() == offset


@pytest.mark.parametrize("text", ["03/04/2026 10:22:00", "09/04/2026 10:15:30"])
def test_zone_of_the_settings_where_the_record_contradicts_itself(text: str) -> None:
    fallback = ZoneInfo("Asia/Omsk")
    assert learnt_zone(instant(1775200530), local_time(text), fallback) is fallback


def test_time_without_instant_is_in_the_zone_of_the_settings() -> None:
    omsk = CalltouchSettings(token="t", site_id="1", time_zone="Asia/Omsk")
    records = CONNECTOR.stream("calls").map(omsk, sample_call(timestamp=None))
    assert isinstance(records, list)
    assert records[-1].started_at == datetime(2026, 4, 3, 4, 15, 30, tzinfo=UTC)
