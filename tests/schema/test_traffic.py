"""Where a record came from, understood alike whatever system tells it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.enums import Channel
from schema.ids import campaign_id
from schema.traffic import CampaignKey, Traffic, origin, present, traffic_of_url

DIRECT = "yandex_direct"


@pytest.mark.parametrize(
    ("told", "channel", "source", "medium", "campaign"),
    [
        (
            {"utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "brand|101234567"},
            Channel.PAID_SEARCH, "yandex", "cpc", (DIRECT, "101234567"),
        ),
        (
            {"utm_source": "Yandex", "utm_medium": "CPC", "utm_campaign": "101234567"},
            Channel.PAID_SEARCH, "yandex", "cpc", (DIRECT, "101234567"),
        ),
        # The cabinet's own id beats what the tags say.
        (
            {"utm_source": "yandex", "utm_campaign": "999999", "platform": DIRECT, "campaign": "101234567"},
            Channel.PAID_SEARCH, "yandex", "(none)", (DIRECT, "101234567"),
        ),
        (
            {"platform": DIRECT, "campaign": "101234567"},
            Channel.PAID_SEARCH, "yandex", "(none)", (DIRECT, "101234567"),
        ),
        # Of VK and Google a number alone, or after a bar, is the campaign's id; other numbers are words.
        (
            {"utm_source": "vk", "utm_medium": "cpc", "utm_campaign": "12345678"},
            Channel.PAID_SOCIAL, "vk", "cpc", ("vk_ads", "12345678"),
        ),
        (
            {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "brand|20111222333"},
            Channel.PAID_SEARCH, "google", "cpc", ("google_ads", "20111222333"),
        ),
        (
            {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "sale_20260101"},
            Channel.PAID_SEARCH, "google", "cpc", ("utm", "google/cpc/sale_20260101"),
        ),
        (
            {"platform": "vk_ads", "campaign": "12345678"},
            Channel.PAID_SOCIAL, "vk", "(none)", ("vk_ads", "12345678"),
        ),
        # A number in another source's campaign is a name like any other.
        (
            {"utm_source": "telegram", "utm_medium": "cpc", "utm_campaign": "12345678"},
            Channel.PAID_SOCIAL, "telegram", "cpc", ("utm", "telegram/cpc/12345678"),
        ),
        (
            {"utm_source": "email", "utm_medium": "email", "utm_campaign": "Spring"},
            Channel.EMAIL, "email", "email", ("utm", "email/email/spring"),
        ),
        ({"source": "yandex", "medium": "organic"}, Channel.ORGANIC, "yandex", "organic", None),
        ({"source": "(direct)", "medium": "(none)"}, Channel.DIRECT, "(direct)", "(none)", None),
        ({"source": "forum.example", "medium": "referral"}, Channel.REFERRAL, "forum.example", "referral", None),
        ({"source": "vk", "medium": "social"}, Channel.SOCIAL, "vk", "social", None),
        ({"click_id": "123"}, Channel.PAID_OTHER, "(unknown)", "(none)", None),
        # The texts by which a call tracker says that there is nothing.
        (
            {"source": "google", "medium": "organic", "utm_source": "<не заполнено>", "utm_term": "<не указано>"},
            Channel.ORGANIC, "google", "organic", None,
        ),
    ],
)  # fmt: skip
def test_an_origin(
    told: dict[str, Any], channel: Channel, source: str, medium: str, campaign: tuple[str, str] | None
) -> None:
    found = origin(Traffic(**told))
    assert found is not None
    assert (found.channel, found.source, found.medium) == (channel, source, medium)
    assert found.campaign == (CampaignKey(*campaign) if campaign else None)


@pytest.mark.parametrize("told", [{}, {"utm_source": "<не указано>"}, {"source": "", "medium": "(none)"}])
def test_nothing_told_is_not_a_direct_visit(told: dict[str, str]) -> None:
    assert origin(Traffic(**told)) is None


def test_a_campaign_has_one_id_wherever_it_is_named() -> None:
    by_cabinet = origin(Traffic(platform=DIRECT, campaign="101234567"))
    by_tags = origin(Traffic(utm_source="yandex", utm_medium="cpc", utm_campaign="sale_101234567"))
    assert by_cabinet is not None
    assert by_tags is not None
    assert by_cabinet.campaign is not None
    assert by_cabinet.campaign == by_tags.campaign
    assert by_cabinet.campaign.id == campaign_id(DIRECT, "101234567")


def test_the_tags_of_an_address() -> None:
    url = "https://example.com/?utm_source=yandex&utm_medium=cpc&utm_campaign=brand%7C101234567&yclid=77#top"
    told = traffic_of_url(url, "https://yandex.ru/")
    assert (told.utm_source, told.utm_campaign, told.click_id) == ("yandex", "brand|101234567", "77")
    assert told.referrer == "https://yandex.ru/"


@given(st.text())
def test_no_address_is_too_bad_to_be_read(url: str) -> None:
    traffic_of_url(url)
    traffic_of_url(f"http://[{url}?utm_source={url}")


@given(st.fixed_dictionaries({}, optional={name: st.text(max_size=12) for name in Traffic.__struct_fields__}))
def test_every_telling_is_understood_and_an_origin_is_never_empty(told: dict[str, str]) -> None:
    found = origin(Traffic(**told))
    if found is not None:
        assert found.source
        assert found.medium


@given(st.text())
def test_present_gives_text_or_nothing(value: str) -> None:
    kept = present(value)
    assert kept is None or (kept and kept == kept.strip())
