"""What a user tells to connect a Tryton database."""

from __future__ import annotations

from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.addresses import joined, site_of
from connectors.auth import Bearer
from connectors.contract import ConnectorSettings, TokenStore
from connectors.zones import ZoneName


class TrytonSettings(ConnectorSettings):
    """One database, entered by the key of a user application."""

    base_url: str = Field(
        title="Address of the server",
        description="The address that stands in the client's profile or in the browser: https://tryton.example.org.",
    )
    database: str = Field(
        title="Database",
        description="The database's name, as it stands in the client's profile.",
        pattern=r"^[^/?#\s]+$",
    )
    api_key: SecretStr = Field(
        min_length=1,
        title="Key of the user application",
        description=(
            "In Tryton, as an administrator: Administration → Users → Users, open the user that Skvoz is to work "
            "as and add a user application for REST; validate it and copy its key. The user needs the groups for "
            "parties and sales, and a company."
        ),
    )
    company: int = Field(
        default=1,
        ge=1,
        title="Number of the company",
        description="The company whose opportunities are read, by its number; the check lists those there are.",
    )
    employee: int | None = Field(
        default=None,
        ge=1,
        title="Employee who makes records",
        description=(
            "The number of the employee whom new opportunities belong to if nobody else is named. Empty: nobody."
        ),
    )
    campaigns: bool = Field(
        default=True,
        title="Campaigns of opportunities",
        description="Whether the module Marketing Campaign is activated: campaign, source and medium are read.",
    )
    works_at: str = Field(
        default="",
        title="Relation of a person to their company",
        description=(
            "The name of the relation that says for whom a person works, as it stands on the person (module Party "
            "Relationship). Empty: it isn't read."
        ),
    )
    timezone: ZoneName = Field(
        default="Europe/Moscow",
        title="Time zone",
        description="The company's time zone, as its usual name (Europe/Moscow): an opportunity ends on a day.",
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = site_of(value, "https://tryton.example.org")
        return joined(parts, parts.path)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def base_url(settings: TrytonSettings) -> str:
    return f"{settings.base_url}/{settings.database}/rest/model"


def account(settings: TrytonSettings) -> str:
    """The server: its processes are shared by all of its databases."""
    return urlsplit(settings.base_url).netloc


def auth(settings: TrytonSettings, _tokens: TokenStore) -> httpx.Auth:
    return Bearer(settings.api_key)
