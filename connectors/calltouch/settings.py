"""What a user tells to connect a Calltouch cabinet."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator

from connectors.addresses import ApiAddress
from connectors.contract import ConnectorSettings
from connectors.zones import is_zone

MOST_REREAD_DAYS = 90
_SITE_ID = re.compile(r"[0-9]{1,12}")


Orders = Literal["ignored", "evidence", "deals"]
"""What becomes of the deals that the cabinet knows, which are copies of a CRM's."""


class CalltouchSettings(ConnectorSettings):
    token: SecretStr = Field(
        title="API token",
        description=(
            "In the Calltouch cabinet: Integrations, Sending data to external systems, API. "
            "A token belongs to a login and reads the sites that the login may see."
        ),
    )
    site_id: str = Field(
        title="Site id",
        description=(
            "The number of the cabinet (siteId, 'ID личного кабинета'), on the same page as the token: digits only."
        ),
        json_schema_extra={"pattern": r"^\d{1,12}$"},
    )
    time_zone: str = Field(
        default="Europe/Moscow",
        title="Time zone of the cabinet",
        description="The zone of the cabinet's journals, from the site's settings: its days begin and end there.",
    )
    reread_days: int = Field(
        default=10,
        title="Days to read again",
        description=(
            "Calltouch doesn't tell what changed: every sync reads this many last days again, for the tags, "
            "comments and states that came later. Raise it (up to 90) where managers tag older calls."
        ),
        json_schema_extra={"minimum": 1, "maximum": MOST_REREAD_DAYS},
    )
    orders: Orders = Field(
        default="ignored",
        title="Deals of the cabinet",
        description=(
            "The cabinet holds copies of a CRM's deals. 'ignored': they aren't read. 'evidence': they are read as "
            "orders, with the call or request that each belongs to, and count in no figure of sales. 'deals': they "
            "are read as deals and count; only where the CRM itself isn't connected, or revenue is counted twice. "
            "Deals that Skvoz wrote there are never read back, and what was read once stays."
        ),
    )
    transcripts: bool = Field(
        default=False,
        title="Texts of conversations",
        description=(
            "Whether texts of calls are read too, where the cabinet recognises speech: they stand with the call "
            "and are as confidential as its recording. Switched on, it holds for what is read from then on."
        ),
    )
    callback_route: str | None = Field(
        default=None,
        title="Route of the call back",
        description=(
            "Only for asking for calls back: the key of the route (routeKey), in the cabinet under Widgets, "
            "Callback, Server API. Empty: Skvoz asks for none."
        ),
        min_length=1,
        max_length=200,
    )
    base_url: ApiAddress = Field(
        default="https://api.calltouch.ru",
        title="Address of the API",
        description="Leave it as it is, unless you connect a sandbox. The cabinet shows it on the page of the API.",
    )

    @field_validator("since", mode="before")
    @classmethod
    def _day(cls, value: Any) -> Any:
        if value is None or isinstance(value, date):
            return value
        if not str(value).strip():
            return None
        try:
            return date.fromisoformat(str(value).strip())
        except ValueError:
            raise ValueError("write the day as year-month-day, like 2026-01-31, or leave it empty") from None

    @field_validator("token", mode="before")
    @classmethod
    def _bare_token(cls, value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str) or not text.strip():
            raise ValueError("copy the token from Integrations, API, in the cabinet; it is empty here")
        text = text.strip()
        if not text.isascii() or not text.isprintable() or " " in text or "=" in text or "/" in text:
            raise ValueError("only the token itself goes here, without an address, spaces or other words around it")
        return SecretStr(text)

    @field_validator("site_id", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if not text:
            raise ValueError("it is the number of the cabinet (siteId), which stands beside the token")
        if not _SITE_ID.fullmatch(text) or int(text) == 0:
            raise ValueError("it is a number of digits only, like 12345; neither the site's name nor its address")
        return text

    @field_validator("time_zone", mode="before")
    @classmethod
    def _known_zone(cls, value: Any) -> Any:
        name = value.strip() if isinstance(value, str) else ""
        if not is_zone(name):
            raise ValueError("there is no time zone of that name: write one like Europe/Moscow or Asia/Omsk")
        return name

    @field_validator("reread_days", mode="before")
    @classmethod
    def _few_days(cls, value: Any) -> Any:
        text = str(value).strip()
        if isinstance(value, bool) or not text.isdecimal() or not 1 <= int(text) <= MOST_REREAD_DAYS:
            raise ValueError(f"it is a whole number of days, from 1 to {MOST_REREAD_DAYS}")
        return int(text)

    @field_validator("orders", mode="before")
    @classmethod
    def _known_use(cls, value: Any) -> Any:
        if str(value) not in get_args(Orders):
            raise ValueError("choose one of ignored, evidence, deals")
        return str(value)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
