"""What an operator can set, from the environment only.

Every variable begins with `SKVOZ_`, except `DATABASE_URL`, which has a name of its own everywhere.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.errors import SettingsError

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")


class Settings(BaseSettings):
    """The settings of one process; immutable, so that they can be shared freely."""

    model_config = SettingsConfigDict(
        env_prefix="SKVOZ_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    home: Path = Field(Path(".skvoz"), description="Folder of the embedded database and of the master key.")
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port the API listens on.")

    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description="Address at which external systems reach this API (https://skvoz.example.com), for webhooks in."
        " Unset: http://<host>:<port>.",
    )

    database_url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL 15 or newer, as the role that owns the tables. Unset: the embedded server.",
    )
    role_prefix: str = Field(
        "skvoz",
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        description="PostgreSQL roles are named <prefix>_app and <prefix>_loader (embedded: <prefix>_owner too).",
    )

    master_key: SecretStr | None = Field(
        None, description="Master keys, separated by commas; the first one encrypts."
    )
    master_key_file: Path | None = Field(
        None, description="File with master keys, one a line; the first one encrypts. Default: <home>/master.key."
    )

    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port on which a worker answers /metrics and /healthz, on SKVOZ_HOST. Unset: it doesn't.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    introspection: bool = Field(True, description="Whether callers with a token may ask the API for its schema.")
    trusted_documents: Path | None = Field(
        None, description="JSON file from id to GraphQL document, made by the build of a frontend."
    )
    trusted_documents_only: bool = Field(False, description="Refuse every document that isn't in that file.")
    requests_per_minute: int = Field(
        3000,
        ge=0,
        description="How often one token may ask the API, all processes of a machine together; 0: no limit.",
    )

    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins, separated by commas (https://app.example.com), whose pages may ask the API from a "
        "browser; *: all. Empty: only pages of the same origin.",
    )

    allow_private_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host names, addresses and networks (10.0.0.0/8), separated by commas, that connectors may "
        "reach although they aren't public; also by plain http and on any port.",
    )

    @field_validator("home", "master_key_file", "trusted_documents")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, word: object) -> object:
        return word.lower() if isinstance(word, str) else word

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return url

    @field_validator("allow_private_hosts", "cors_origins", mode="before")
    @classmethod
    def _split(cls, hosts: object) -> object:
        if isinstance(hosts, str):
            return tuple(host for part in hosts.split(",") if (host := part.strip().lower()))
        return hosts

    @field_validator("allow_private_hosts")
    @classmethod
    def _networks_are_networks(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if "/" in host:
                ipaddress.ip_network(host)
        return hosts

    @property
    def address(self) -> str:
        """Where this API is reached from outside, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin} is no origin like https://app.example.com (no path, no slash at the end)"
                )
        return origins

    @property
    def keys_path(self) -> Path:
        """The file from which master keys are read when none stands in the environment."""
        return self.master_key_file or self.home / "master.key"

    @property
    def files_path(self) -> Path:
        """The folder of uploaded files. Workers on several machines need it on a disk that they share."""
        return self.home / "files"


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises `SettingsError` with one plain sentence per bad variable; values aren't repeated, since they may be
    secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        sentences = []
        for problem in error.errors(include_input=False, include_url=False):
            field = str(problem["loc"][0])
            variable = "DATABASE_URL" if field.upper() == "DATABASE_URL" else f"SKVOZ_{field.upper()}"
            reason = problem["msg"].removeprefix("Value error, ").rstrip(".")
            sentences.append(f"{variable} can't be used: {reason[:1].lower()}{reason[1:]}.")
        raise SettingsError(" ".join(sentences)) from None
