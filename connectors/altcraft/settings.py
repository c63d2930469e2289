"""What a user tells to connect a database of Altcraft."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.addresses import joined, site_of
from connectors.auth import Bearer
from connectors.contract import ConnectorSettings, TokenStore
from connectors.zones import ZoneName


class AltcraftSettings(ConnectorSettings):
    """One database of profiles; an account may have several, each a connection of its own."""

    base_url: str = Field(
        title="Address",
        description=(
            "The address that stands in the browser when Altcraft is open: https://ru.altkraft.com of the cloud, "
            "your own host of Private Cloud and On-Premises."
        ),
    )
    token: SecretStr = Field(
        title="API token",
        description=(
            "Settings → Tokens (Настройки → Токены), made by a master user. Give its role the rights to databases, "
            "profiles and their history; to subscriptions and market for writing."
        ),
        min_length=1,
    )
    db_id: int = Field(
        ge=1,
        title="Database",
        description="The database's number: Data → Databases (Данные → Базы), column ID.",
    )
    timezone: ZoneName = Field(
        default="Europe/Moscow",
        title="Time zone",
        description="The account's time zone, as its usual name: days of birth and of the history are days of it.",
    )
    walk_hours: int = Field(
        default=24,
        ge=1,
        le=168,
        title="Hours between full readings",
        description=(
            "Altcraft can't say which profiles changed: all are read again after so many hours. In between, those "
            "are read that action hooks name."
        ),
    )
    reactions: bool = Field(
        default=True,
        title="Openings and clicks too",
        description="Beside letters and messages that were sent also first openings, first clicks and refusals.",
    )
    resource_id: int | None = Field(
        default=None,
        ge=1,
        title="Resource for consent",
        description=(
            "Only for writing: the number of the resource (Данные → Ресурсы) to which people are subscribed."
        ),
    )
    segment_id: int | None = Field(
        default=None,
        ge=1,
        title="Segment for clients",
        description="Only for writing: the number of a static segment into which clients are put.",
    )
    client_field: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
        title="Field for 'became a client'",
        description=(
            "Only for writing: a field of the database, of the type date, that gets the moment of a client's first "
            "purchase. A scenario can start from it."
        ),
    )
    endpoint: str | None = Field(
        default=None,
        min_length=1,
        title="Touch point of orders",
        description="Only for writing: the external id of the touch point (Market) to which sales are entered.",
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = site_of(value, "https://ru.altkraft.com")
        return joined(parts, parts.path.partition("/api/")[0])

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def base_url(settings: AltcraftSettings) -> str:
    return f"{settings.base_url}/api/v1.1"


def account(settings: AltcraftSettings) -> str:
    return httpx.URL(settings.base_url).netloc.decode()


def auth(settings: AltcraftSettings, _tokens: TokenStore) -> httpx.Auth:
    """[1] The token goes into the header: in the address, which works too, it would stand in logs."""
    return Bearer(settings.token)
