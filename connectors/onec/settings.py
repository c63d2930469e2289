"""What a user tells to connect a 1C base."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.addresses import joined, site_of
from connectors.contract import ConnectorSettings, TokenStore
from connectors.onec.odata import ODataAuth
from connectors.onec.profile import Profile, parse, profile
from connectors.zones import ZoneName

_ODATA = "/odata/standard.odata"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PLAN = re.compile(r"(ExchangePlan_)?\w+")


class OneCSettings(ConnectorSettings):
    """One infobase, entered by a 1C user."""

    base_url: str = Field(
        title="Address of the base",
        description=(
            "The address at which the base is published on the web server, as it stands in the browser: "
            "https://server/base. In the cloud: https://1cfresh.com/a/sbm/1234567."
        ),
    )
    login: str = Field(
        title="1C user",
        description=(
            "The name of a user of the base, as it is chosen when signing in. He needs the role 'Удалённый доступ "
            "OData' and the right to read what is to be read."
        ),
    )
    password: SecretStr = Field(title="Password", description="The 1C user's password.")
    timezone: ZoneName = Field(
        title="Time zone of the server",
        description=(
            "The time zone of the 1C server, as its usual name (Europe/Moscow): 1C writes times without a zone, "
            "and none can be asked for."
        ),
    )
    profile: Literal["ut11", "crm3"] = Field(
        default="ut11",
        title="Configuration",
        description=(
            "Which names the base has: ut11 for 'Управление торговлей 11', 'Комплексная автоматизация 2' and 'ERP "
            "2'; crm3 for '1C:CRM 3'."
        ),
    )
    overrides: str = Field(
        default="",
        title="Other names",
        description=(
            "Where the base differs from its configuration: role.word=name, one after the other with semicolons, "
            "such as 'deals.amount=СуммаСделки; calls.duration=сфпДлительностьЗвонка; orders.set=-' (a minus "
            "leaves something out). The check compares all names with the base and says which are near (words: see "
            "the page of this connector)."
        ),
    )
    exchange_plan: str = Field(
        default="",
        title="Exchange plan",
        description=(
            "The name of an exchange plan whose content holds what is read here, with automatic registration, such "
            "as ExchangePlan_ДляСквозь: then 1C itself tells what changed. Empty: versions of all records are "
            "compared."
        ),
    )
    exchange_node: str = Field(
        default="",
        title="Code of the exchange node",
        description=(
            "The code of the plan's node that stands for Skvoz. No other program may use it. Needed with a plan."
        ),
    )
    currency: str = Field(
        default="RUB",
        pattern=r"^[A-Z]{3}$",
        title="Currency",
        description="The currency of amounts that don't name one, as its usual code (RUB).",
    )
    allowed_only: bool = Field(
        default=False,
        title="Leave out what the user may not see",
        description=(
            "Off: a list that holds a record which the 1C user may not see isn't read at all, and that is said. "
            "On: such records are left out without a word."
        ),
    )
    phone_kind: str = Field(
        default="",
        title="Kind of phones",
        description=(
            "Only for writing: the key of the kind of contact information that new phones get (the check tells it)."
        ),
    )
    email_kind: str = Field(
        default="",
        title="Kind of e-mails",
        description=(
            "Only for writing: the key of the kind of contact information that new e-mails get (the check tells "
            "it)."
        ),
    )
    defaults: str = Field(
        default="",
        title="Values of new records",
        description=(
            "Only for writing: what new records must have in this base, such as "
            "'deals.ВидСделки_Key=8d04ce3c-6360-11e9-dd92-fa163e8ba11d; partners.ГруппаДоступа_Key=…', one after "
            "the other with semicolons."
        ),
    )

    @field_validator("base_url")
    @classmethod
    def _is_a_base(cls, value: str) -> str:
        parts = site_of(value, "https://server/base")
        return joined(parts, re.sub(r"(/(ru|ru_RU|odata(/.*)?|hs/.*|ws/.*))?/*$", "", parts.path))

    @field_validator("login")
    @classmethod
    def _is_a_login(cls, value: str) -> str:
        if ":" in value or not value:
            raise ValueError("The name of a 1C user is neither empty nor holds a colon.")
        return value

    @field_validator("overrides")
    @classmethod
    def _are_overrides(cls, value: str) -> str:
        parse(value)
        return value

    @field_validator("exchange_plan")
    @classmethod
    def _is_a_plan(cls, value: str) -> str:
        if value and not _PLAN.fullmatch(value):
            raise ValueError(
                f"{value!r} is no name of an exchange plan: it has letters, digits and underscores only."
            )
        return value if not value or value.startswith("ExchangePlan_") else f"ExchangePlan_{value}"

    @field_validator("phone_kind", "email_kind")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        if value and not _GUID.fullmatch(value):
            raise ValueError(f"{value!r} is no key: keys look like 8d04ce3c-6360-11e9-dd92-fa163e8ba11d.")
        return value.lower()

    @field_validator("defaults")
    @classmethod
    def _are_values(cls, value: str) -> str:
        _values(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> OneCSettings:
        if bool(self.exchange_plan) != bool(self.exchange_node):
            raise ValueError("An exchange plan and the code of its node go together: give both or neither.")
        profile(self.profile, self.overrides)
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def names(self) -> Profile:
        """The profile with the overrides."""
        return profile(self.profile, self.overrides)

    def defaults_of(self, role: str) -> Mapping[str, str]:
        """What a new record of a role gets beside the values that are written."""
        return {name: value for of, name, value in _values(self.defaults) if of == role}


def _values(text: str) -> list[tuple[str, str, str]]:
    found = []
    for line in filter(None, (each.strip() for each in re.split(r"[;\n]", text))):
        name, equals, value = line.partition("=")
        role, dot, property_ = name.strip().partition(".")
        if not (equals and dot and value.strip()):
            raise ValueError(
                f"{line!r} is no value. Write it like deals.ВидСделки_Key=8d04ce3c-…, one after the other."
            )
        found.append((role, property_, value.strip()))
    return found


def base_url(settings: OneCSettings) -> str:
    return f"{settings.base_url}{_ODATA}"


def account(settings: OneCSettings) -> str:
    """The base: its server's sessions and licences are counted for it."""
    parts = urlsplit(settings.base_url)
    return f"{parts.netloc}{parts.path}"


def auth(settings: OneCSettings, _tokens: TokenStore) -> httpx.Auth:
    return ODataAuth(settings.login, settings.password)
