"""What a user tells to import files of one kind."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator

from connectors.contract import ConnectorSettings
from connectors.file.fields import Kind
from connectors.zones import ZoneName


class FileSettings(ConnectorSettings):
    kind: Kind = Field(
        title="What the rows are",
        description=(
            "One of costs, calls, contacts, deals, fraud (clicks that were judged as fraudulent): each connection "
            "takes files of one kind."
        ),
    )
    file: SecretStr = Field(
        title="The uploaded file",
        description=(
            "The reference that uploading a file gives (POST /files; skvoz import does it for you). Upload the "
            "next month's file to the same connection: its rows come beside those that are there."
        ),
        min_length=1,
        json_schema_extra={"upload": True},
    )
    file_name: str = Field(
        default="",
        title="Name of the file",
        description="As it was called where it came from; only for people to read.",
        max_length=255,
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        title="Columns",
        description=(
            'Which column is which field, where the guess is wrong: a JSON object like {"Потрачено": "cost"}; '
            "'-' leaves a column out. A preview shows the guess and the fields that there are."
        ),
    )
    sheet: str | None = Field(
        default=None,
        title="Sheet",
        description="Of a workbook with several sheets the one to read. Empty: the first that isn't empty.",
    )
    separator: str | None = Field(
        default=None,
        title="Separator",
        description="The sign between the cells of a text file. Empty: found by itself.",
        pattern=r"^[^\w\s\"]$|^\t$",
    )
    time_zone: ZoneName = Field(
        default="Europe/Moscow",
        title="Time zone",
        description="The zone of the times in the file, by a name like Europe/Moscow.",
    )
    currency: str = Field(
        default="RUB",
        title="Currency",
        description="The currency of sums that have none beside them, by its three letters (ISO 4217).",
        pattern=r"^[A-Z]{3}$",
    )
    include_vat: bool = Field(
        default=True,
        title="Costs with VAT",
        description="Whether the costs in the file hold VAT. It stands in the report that the file came from.",
    )
    source: str | None = Field(
        default=None,
        title="Source of the costs",
        description=(
            "Where a file of costs has no column for it: the utm_source of these campaigns, such as vk. Costs meet "
            "visits by the tags utm_source, utm_medium and utm_campaign, so they must be written as on the site."
        ),
    )
    medium: str = Field(
        default="cpc",
        title="Medium of the costs",
        description="Where a file of costs has no column for it: the utm_medium of these campaigns.",
    )

    @field_validator("columns", mode="before")
    @classmethod
    def _of_json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value or "{}", parse_float=Decimal)
        except ValueError:
            raise ValueError('Write a JSON object like {"Потрачено": "cost"}.') from None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
