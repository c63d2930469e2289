"""What a user tells to connect a Calltouch cabinet."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, field_validator

from connectors.contract import ConnectorSettings


class CalltouchSettings(ConnectorSettings):
    token: SecretStr = Field(
        title="API token",
        description=(
            "In the Calltouch cabinet: Integrations, Sending data to external systems, API. "
            "A token belongs to a login and reads the sites that the login may see."
        ),
        min_length=1,
    )
    site_id: str = Field(
        title="Site id",
        description=(
            "The number of the cabinet (siteId, 'ID личного кабинета'), on the same page as the token: digits only."
        ),
        pattern=r"^\d{1,12}$",
    )
    time_zone: str = Field(
        default="Europe/Moscow",
        title="Time zone of the cabinet",
        description="The zone of the cabinet's journals, from the site's settings: its days begin and end there.",
    )
    reread_days: int = Field(
        default=10,
        ge=1,
        le=90,
        title="Days to read again",
        description=(
            "Calltouch doesn't tell what changed: every sync reads this many last days again, for the tags, "
            "comments and states that came later. Raise it where managers tag older calls."
        ),
    )
    base_url: str = Field(
        default="https://api.calltouch.ru",
        title="Address of the API",
        description="Leave it as it is, unless you connect a sandbox. The cabinet shows it on the page of the API.",
        pattern=r"^https?://[^\s/?#]+[^\s?#]*$",
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"There is no time zone {name!r}: write a name like Europe/Moscow.")
        return name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
