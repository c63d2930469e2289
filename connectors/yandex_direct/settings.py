"""What a user tells to connect an advertiser's cabinet of Yandex.Direct."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connectors.addresses import ApiAddress
from connectors.auth import consent
from connectors.contract import ConnectorSettings


class DirectSettings(ConnectorSettings):
    token: SecretStr = Field(
        title="OAuth token",
        description=(
            "A token of Yandex ID with the right direct:api, for an application whose access request was accepted "
            "in Direct (Tools, API, My requests). It is good for about a year."
        ),
        min_length=1,
        json_schema_extra=consent(
            "https://oauth.yandex.ru/authorize?response_type=token&client_id={client_id}&redirect_uri={redirect_uri}"
            "&state={state}"
        ),
    )
    login: str | None = Field(
        default=None,
        title="Advertiser's login",
        description=(
            "Only with an agency's token: the login of the client to read, from the agency's list of clients in "
            "Direct. Leave it empty for your own cabinet."
        ),
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.@_-]*$",
    )
    include_vat: bool = Field(
        default=True,
        title="Costs with VAT",
        description=(
            "Whether costs are read with VAT, as Direct charges them. The report master of the cabinet shows them "
            "in the same two ways. A change is applied to the days that are read from then on."
        ),
    )
    reread_days: int = Field(
        default=30,
        ge=3,
        le=180,
        title="Days to read again",
        description=(
            "Direct settles costs for about three days and corrects older ones for fraudulent clicks: every sync "
            "reads this many last days again."
        ),
    )
    base_url: ApiAddress = Field(
        default="https://api.direct.yandex.com",
        title="Address of the API",
        description=(
            "Leave it as it is, unless you connect Direct's sandbox (https://api-sandbox.direct.yandex.com, "
            "switched on in Direct under Tools, API, Sandbox)."
        ),
    )
