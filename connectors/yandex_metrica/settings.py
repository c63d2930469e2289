"""What a user tells to connect a counter of Yandex.Metrica."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from connectors.addresses import ApiAddress
from connectors.auth import consent
from connectors.contract import ConnectorSettings
from connectors.zones import ZoneName


class MetricaSettings(ConnectorSettings):
    token: SecretStr = Field(
        title="OAuth token",
        description=(
            "A token of Yandex ID with the right metrika:read, and metrika:write if conversions are to be sent. "
            "Make an application with those rights at oauth.yandex.ru; then, logged in as someone who may view the "
            "counter, open https://oauth.yandex.ru/authorize?response_type=token&client_id= followed by the "
            "application's id. "
            "It is good for about a year."
        ),
        min_length=1,
        json_schema_extra=consent(
            "https://oauth.yandex.ru/authorize?response_type=token&client_id={client_id}&redirect_uri={redirect_uri}"
            "&state={state}"
        ),
    )
    counter_id: str = Field(
        title="Counter's number",
        description=(
            "The number of the counter: in Metrica's list of counters it stands below the site's name, and in the "
            "address of its reports after id=. Digits only."
        ),
        pattern=r"^\d{1,12}$",
    )
    reread_days: int = Field(
        default=4,
        ge=1,
        le=60,
        title="Days to read again",
        description=(
            "Nearly all visits are finished three days after they began: every sync reads this many last days "
            "again. Raise it to 22 if you upload offline conversions or calls, which Metrica adds to older visits."
        ),
    )
    time_zone: ZoneName = Field(
        default="Europe/Moscow",
        title="Time zone of the counter",
        description=(
            "From the counter's settings in Metrica. Only conversions that are sent there are dated in it; visits "
            "are read by what the counter says."
        ),
    )
    base_url: ApiAddress = Field(
        default="https://api-metrika.yandex.net",
        title="Address of the API",
        description="Leave it as it is, unless you connect a sandbox.",
    )

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
