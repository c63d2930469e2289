"""Where a visit, call, lead or deal came from: UTM tags and ids of ad platforms, read alike everywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_plus
from uuid import UUID

import msgspec

from schema.enums import Channel
from schema.ids import campaign_id

UTM_PLATFORM = "utm"
YANDEX_DIRECT, VK_ADS, GOOGLE_ADS = "yandex_direct", "vk_ads", "google_ads"
SOURCE_OF_PLATFORM = {YANDEX_DIRECT: "yandex", VK_ADS: "vk", GOOGLE_ADS: "google"}
"""What utm_source usually says of an ad platform's clicks."""

_EMPTY = frozenset(
    # Calltouch writes absent values as these texts; analytics counters have their own.
    {"", "<не заполнено>", "<не указано>", "(not set)", "(none)", "none", "null", "undefined"}
)
_LONGEST_EMPTY = max(map(len, _EMPTY))
_DIRECT_SOURCES = frozenset({"(direct)", "direct"})
_SEARCH_ENGINES = frozenset({"yandex", "google", "bing", "mail.ru", "rambler"})
_SOCIAL = frozenset({"vk", "vkontakte", "ok", "telegram", "tg", "instagram", "facebook", "tiktok"})
_PAID_MEDIA = frozenset({"cpc", "ppc", "cpm", "cpa", "paid", "paidsearch", "paid_social", "retargeting", "banner"})
_YANDEX = frozenset({"yandex", "yandex_direct", "yandexdirect", "direct.yandex", "ya"})
_VK = frozenset({"vk", "vkontakte", "vk_ads", "vkads", "vk.com", "ads.vk"})
_GOOGLE = frozenset({"google", "google_ads", "googleads", "adwords"})
# Google's ads on iOS bear gbraid or wbraid in place of gclid (support.google.com/google-ads/answer/10417364).
_CLICKS = ("yclid", "gclid", "gbraid", "wbraid")
_TAGS = frozenset({"utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", *_CLICKS})
# A campaign id stands in utm_campaign alone ('101234567') or as one part of a template ('brand|101234567').
_PART = re.compile(r"[|_\-:.~ ]")
_CAMPAIGN_NUMBER = re.compile(r"\d{5,12}")
# Of VK and Google only a tag that is the number, or ends in "|number": theirs often hold dates and phone codes.
_BARE_NUMBER = re.compile(r"(?:.*\|)?(\d{6,12})")


@lru_cache(maxsize=8192)  # most of what records say they say again and again
def present(value: str | None) -> str | None:
    """The text without surrounding space, or None where it only says that there is nothing."""
    if value is None:
        return None
    text = value.strip()
    return None if len(text) <= _LONGEST_EMPTY and text.casefold() in _EMPTY else text


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What a record tells of its origin, as the vendor wrote it. Ids of the ad platform are the platform's own."""

    source: str | None = None
    medium: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_content: str | None = None
    utm_term: str | None = None
    click_id: str | None = None
    referrer: str | None = None
    platform: str | None = None
    campaign: str | None = None
    ad_group: str | None = None
    ad: str | None = None
    keyword: str | None = None


@dataclass(frozen=True, slots=True)
class CampaignKey:
    """Names a campaign across systems: the platform and its id there, or the UTM triple under platform 'utm'."""

    platform: str
    external_id: str

    @property
    def id(self) -> UUID:
        return campaign_id(self.platform, self.external_id)


@dataclass(frozen=True, slots=True)
class Origin:
    """``Traffic`` understood: the channel, the source and medium that hold, and the campaign if one is named."""

    channel: Channel
    source: str
    medium: str
    campaign: CampaignKey | None


def origin(traffic: Traffic) -> Origin | None:
    """Understand ``traffic``; None where it says nothing at all (which is not the same as a direct visit).

    A platform's own campaign id wins over a number in ``utm_campaign``, and that over the bare UTM triple.
    """
    platforms = (traffic.platform, traffic.campaign) if traffic.platform and traffic.campaign else None
    return _understood(
        present(traffic.utm_source) or present(traffic.source) or "",
        present(traffic.utm_medium) or present(traffic.medium) or "",
        present(traffic.utm_campaign),
        platforms,
        present(traffic.click_id) is not None,
    )


@lru_cache(maxsize=8192)  # few origins make many records
def _understood(
    source: str, medium: str, name: str | None, platforms: tuple[str, str] | None, clicked: bool
) -> Origin | None:
    source, medium = source.casefold(), medium.casefold()
    campaign = CampaignKey(*platforms) if platforms else _named(name, source, medium)
    if not source and not medium and campaign is None and not clicked:
        return None
    if campaign is not None and not source:
        source = SOURCE_OF_PLATFORM.get(campaign.platform, campaign.platform)
    channel = _channel(source, medium, paid=campaign is not None or clicked)
    return Origin(channel, source or "(unknown)", medium or "(none)", campaign)


def traffic_of_url(url: str | None, referrer: str | None = None) -> Traffic:
    """The tags that stand in a page's address (``utm_*``, ``yclid``, ``gclid``, …); other addresses give none."""
    tags = _tags(url) if url else {}
    return Traffic(
        utm_source=present(tags.get("utm_source")),
        utm_medium=present(tags.get("utm_medium")),
        utm_campaign=present(tags.get("utm_campaign")),
        utm_content=present(tags.get("utm_content")),
        utm_term=present(tags.get("utm_term")),
        click_id=next(filter(None, (present(tags.get(name)) for name in _CLICKS)), None),
        referrer=present(referrer),
    )


def _tags(url: str) -> dict[str, str]:
    """The parameters of an address that are tags. Only these are decoded: an address may have dozens of others."""
    found: dict[str, str] = {}
    if "?" not in url:
        return found
    for part in url.partition("#")[0].partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if "%" in name:
            name = _decoded(name)
        if name in _TAGS:
            found[name] = _decoded(value) if "%" in value or "+" in value else value
    return found


_decoded = lru_cache(maxsize=8192)(unquote_plus)  # what is spelt so are names, and those return


def _named(name: str | None, source: str, medium: str) -> CampaignKey | None:
    """The campaign that ``utm_campaign`` names."""
    if name is None:
        return None
    if source in _YANDEX:
        numbers = [part for part in _PART.split(name) if _CAMPAIGN_NUMBER.fullmatch(part)]
        if numbers:
            return CampaignKey(YANDEX_DIRECT, numbers[-1])
    platform = VK_ADS if source in _VK else GOOGLE_ADS if source in _GOOGLE else None
    if platform is not None and medium in _PAID_MEDIA and (number := _BARE_NUMBER.fullmatch(name)):
        return CampaignKey(platform, number[1])
    return CampaignKey(UTM_PLATFORM, "/".join((source, medium, name.casefold())))


def _channel(source: str, medium: str, *, paid: bool) -> Channel:
    if source in _DIRECT_SOURCES and not paid:
        return Channel.DIRECT
    if medium in {"email", "e-mail", "newsletter"} or source == "email":
        return Channel.EMAIL
    social = source in _SOCIAL
    if medium in _PAID_MEDIA or (paid and medium not in {"organic", "referral", "social"}):
        if social:
            return Channel.PAID_SOCIAL
        return Channel.PAID_SEARCH if source in _SEARCH_ENGINES | _YANDEX else Channel.PAID_OTHER
    if medium == "organic":
        return Channel.ORGANIC
    if social or medium == "social":
        return Channel.SOCIAL
    return Channel.REFERRAL if source else Channel.DIRECT
