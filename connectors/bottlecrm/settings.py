"""What a user tells to connect a BottleCRM organisation."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx
from pydantic import Field, SecretStr, field_validator

from connectors.addresses import joined, site_of
from connectors.auth import Bearer
from connectors.contract import ConnectorSettings, TokenStore


class BottleCrmSettings(ConnectorSettings):
    """One organisation, entered by a personal token."""

    base_url: str = Field(
        title="Address of the server",
        description="The address of BottleCRM's API, without /api: https://crm.example.org.",
    )
    access_token: SecretStr = Field(
        min_length=1,
        title="Personal token",
        description=(
            "In BottleCRM, as a user who sees all records (role Admin): Profile → API tokens → add one, without "
            "scopes or with reading and writing of leads, contacts, accounts, opportunities, interactions and "
            "invoices. It is shown once and begins with bcrm_pat_."
        ),
    )
    calls: bool = Field(
        default=True,
        title="Calls",
        description=(
            "Whether calls are read. BottleCRM lists them for each contact, lead, account and deal alone: one "
            "request for each of these, several times a day."
        ),
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = site_of(value, "https://crm.example.org")
        return joined(parts, re.sub(r"(/api(/.*)?)?/*$", "", parts.path))


def base_url(settings: BottleCrmSettings) -> str:
    return f"{settings.base_url}/api"


def account(settings: BottleCrmSettings) -> str:
    """The server, which its organisations share."""
    return urlsplit(settings.base_url).netloc


def auth(settings: BottleCrmSettings, _tokens: TokenStore) -> httpx.Auth:
    return Bearer(settings.access_token)
