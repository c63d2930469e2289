"""Shapes of the service's answers. Its page names the methods and not the fields of their answers: all that is
assumed of these stands here (BEHAVIOR.md [7]), each to be mended in one line."""

from __future__ import annotations

import msgspec

BLOCKED = frozenset({"blocked", "fraud", "invalid", "bot"})
SUSPICIOUS = frozenset({"suspicious", "flagged"})
# Parameters of the list of clicks, and the header that signs a webhook.
FROM, TO, CURSOR, PAGE, VERDICT = "from", "to", "cursor", "per_page", "verdict"
SIGNATURE = "x-signature"
PLATFORMS = {"yandex": "yandex_direct", "yandex_direct": "yandex_direct", "google": "google_ads"}
PLATFORMS |= {"google_ads": "google_ads", "vk": "vk_ads", "vk_ads": "vk_ads"}


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    next_cursor: str | None = None


class Clicks(msgspec.Struct, frozen=True, kw_only=True):
    data: list[msgspec.Raw]
    meta: Meta = Meta()


class Click(msgspec.Struct, frozen=True, kw_only=True):
    """A click with its verdict. Its campaign is told by id, or by the tags of the page that it led to."""

    id: str | int
    clicked_at: str
    verdict: str
    fraud_score: float | None = None
    reasons: list[str] = []
    platform: str | None = None
    campaign_id: str | int | None = None
    landing_url: str | None = None
    gclid: str | None = None
    cost: str | float | int | None = None
    currency: str | None = None


class ClickKey(msgspec.Struct, frozen=True, kw_only=True):
    id: str | int


class Site(msgspec.Struct, frozen=True, kw_only=True):
    id: str | int
    domain: str | None = None


class Sites(msgspec.Struct, frozen=True, kw_only=True):
    data: list[Site]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook: an event of a site, with the click that it speaks of, if it speaks of one."""

    event: str
    id: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    message: str = ""
