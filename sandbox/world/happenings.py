"""What happens in the pretend market: the only thing that the vendors' emulators get to know.

The world is one stream of happenings in the order of time. Each emulated vendor turns the
happenings that it would see in life into rows of its own; none of them sees ``person`` as
an identity: that column is the truth, kept for tests and never served over HTTP.
All times are aware datetimes in UTC, money is ``Decimal`` roubles, phones are what was typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

Crm = Literal["bitrix24", "amocrm", "aspro_cloud", "advantshop", "onec"]
"""A system in which a branch of the firm keeps its cards and deals."""
BRANCHES: Mapping[Crm, float] = {
    "bitrix24": 0.56,
    "amocrm": 0.44,
    "aspro_cloud": 0.30,
    "advantshop": 0.35,
    "onec": 0.25,
}
"""How many newcomers turn to each branch, beside the others that the plan opens."""
Mess = Literal["low", "normal", "high"]  # how untidy people and managers are


@dataclass(frozen=True, slots=True)
class Person:
    """One human being of the market (truth) with everything he may give away about himself."""

    id: int
    first_name: str
    middle_name: str
    last_name: str
    phones: tuple[str, ...]  # E.164; the first is the usual one
    emails: tuple[str, ...]
    visitor_ids: tuple[str, ...]  # one a device: the analytics cookie
    firm: int | None  # the firm he works for, if he buys for one


@dataclass(frozen=True, slots=True)
class Firm:
    """An organisation that buys; its office phone is shared by its people."""

    id: int
    name: str
    tax_id: str  # INN, 10 digits with a right checksum
    office_phone: str  # E.164
    email: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """One advertising campaign. ``platform`` 'yandex_direct' has numeric ids and costs in the cabinet;
    others ('vk', 'email', …) are known by their UTM tags only."""

    id: int
    platform: str
    name: str
    utm_source: str
    utm_medium: str
    utm_campaign: str  # the template as tagged, e.g. 'brand|101234567' or '101234567'


@dataclass(frozen=True, slots=True)
class AdGroup:
    """A group of ads inside a campaign of an advertising cabinet."""

    id: int
    campaign: int
    name: str


@dataclass(frozen=True, slots=True)
class Ad:
    """One advertisement; ``href`` is its landing address with the UTM template."""

    id: int
    campaign: int
    ad_group: int
    title: str
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Keyword:
    """One search phrase that shows the ads of its group."""

    id: int
    campaign: int
    ad_group: int
    phrase: str


@dataclass(frozen=True, slots=True)
class Manager:
    """One who sells, with an account in one CRM."""

    id: int
    crm: Crm
    first_name: str
    last_name: str
    email: str
    phone: str  # E.164, extension of the office


@dataclass(frozen=True, slots=True)
class Traffic:
    """How a visit came: through an ad (``campaign`` set), or free (organic, referral, direct)."""

    source: str  # 'yandex', 'google', 'vk', 'direct', …
    medium: str  # 'cpc', 'organic', 'referral', '(none)', 'email'
    campaign: int | None = None
    ad_group: int | None = None
    ad: int | None = None
    keyword: int | None = None
    click_id: str | None = None  # yclid
    utm: dict[str, str] = field(default_factory=dict)  # as it stands in the address; may be lost
    referrer: str | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """Base: ``seq`` numbers all happenings of the world, without gaps, in the order of time."""

    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Visited(Happening):
    visit: int
    person: int
    visitor_id: str
    traffic: Traffic
    landing_url: str
    city: str
    device: Literal["desktop", "mobile", "tablet"]


@dataclass(frozen=True, slots=True)
class Called(Happening):
    """A call to a tracked number (seen by the call tracker) or straight to the office (not seen by it).

    ``visit`` is the visit that the call tracker ties it to, when it can."""

    call: int
    person: int
    from_phone: str
    to_phone: str
    tracked: bool
    visit: int | None
    answered: bool
    wait_seconds: int
    talk_seconds: int
    direction: Literal["inbound", "outbound"] = "inbound"
    crm: Crm | None = None  # the CRM whose telephony logs it too
    manager: int | None = None


@dataclass(frozen=True, slots=True)
class FormSent(Happening):
    """A form on the site, with what was typed: names with typos, phones in any spelling."""

    form: int
    person: int
    visit: int | None
    typed_name: str
    typed_phone: str
    typed_email: str
    subject: str


@dataclass(frozen=True, slots=True)
class CardMade(Happening):
    """A CRM gets a contact card, typed by a manager or made by an integration. The same person may
    get several cards, in one CRM or two. ``firm`` makes a company card beside it (once per CRM and firm)."""

    card: int
    crm: Crm
    person: int
    typed_name: str
    first_name: str
    last_name: str
    phones: tuple[str, ...]  # any spelling
    emails: tuple[str, ...]
    firm: int | None
    manager: int
    utm: dict[str, str]
    birthday: date | None = None  # where the manager has asked for it


@dataclass(frozen=True, slots=True)
class CardEdited(Happening):
    """A manager mends a card: another phone, an e-mail, a name."""

    card: int
    crm: Crm
    phones: tuple[str, ...]
    emails: tuple[str, ...]
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True)
class DealOpened(Happening):
    """``card`` is the contact card it belongs to; Bitrix24 may log a CRM lead first (``from_lead``)."""

    deal: int
    crm: Crm
    card: int
    person: int
    title: str
    amount: Decimal
    manager: int
    utm: dict[str, str]
    from_lead: bool
    visit: int | None  # truth: the visit whose ad brought it
    ad_campaign: int | None  # truth: the campaign that brought this client


@dataclass(frozen=True, slots=True)
class DealMoved(Happening):
    """``stage`` is the place in the pipeline: 0 new, 1 qualified, 2 offer, 3 invoice; 'won' and 'lost'
    end it."""

    deal: int
    crm: Crm
    stage: int | Literal["won", "lost"]
    amount: Decimal
    lost_reason: str | None = None


@dataclass(frozen=True, slots=True)
class AdDay(Happening):
    """Statistics of one campaign and day, told again with other numbers while the platform mends them:
    the latest happening for (day, campaign) holds. ``cost`` is without VAT."""

    day: date
    campaign: int
    impressions: int
    clicks: int
    cost: Decimal
