"""What is right in what people enter: each wrong field gets its own problem, and all are told at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeGuard, TypeVar
from uuid import UUID

from sqlalchemy import text
from strawberry import UNSET

from api.graphql.problems import InputProblem, InputRefused, problem, row_id
from api.graphql.run import RequestContext
from api.graphql.types import Types
from api.graphql.written import EDITORS, Info, allowed, visible
from core.database import driver
from schema.currencies import CURRENCIES
from schema.enums import DealStatus
from sync.identity.keys import email_key, phone_key

LONGEST_NAME, MOST_VALUES = 500, 20
STAYS = " What isn't given stays; null empties a field that may be empty."
_LARGEST = Decimal(10) ** 15
T = TypeVar("T")
_SITE = re.compile(r"(https?://)?[^\s/:@]+(\.[^\s/:@.]+)+(:\d+)?(/\S*)?", re.IGNORECASE)


class Entry:
    """One request's input, checked field by field. ``values`` are those that were given and are right. Where it
    ``clears``, a null is given too: it empties the field."""

    def __init__(self, info: Info, types: Types, *, clears: bool = False) -> None:
        self._clears = clears
        self.context: RequestContext = allowed(info, EDITORS)
        self.viewer = self.context.viewer
        self.office = self.context.office
        self.values: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        """What the caller calls the values, where it isn't the same."""
        self._types = types
        self._wrong: list[InputProblem] = []

    def right(self) -> dict[str, Any]:
        """The values. Raises `InputRefused` with all that is wrong."""
        if self._wrong:
            raise InputRefused(*self._wrong)
        return self.values

    def wrong(self, field: str | None, code: str, **values: object) -> None:
        self._wrong.append(problem(field, code, **values))

    def put(self, name: str, field: str, value: Any) -> None:
        self.values[name] = value
        self.names[name] = field

    def needed(self, **values: object) -> None:
        """Fields that are never empty."""
        for field, value in values.items():
            if value is None:
                self.wrong(field, "EMPTY")

    def given(self, value: T | None, field: str, name: str | None = None) -> TypeGuard[T]:
        """Whether there is a value to check. A null that empties the field is noted at once."""
        if value is None and self._clears:
            self.put(name or field, field, None)
        return value is not None and value is not UNSET

    def text(self, field: str, value: str | None, name: str | None = None) -> None:
        if not self.given(value, field, name):
            return
        told = value.strip()
        if not told:
            self.wrong(field, "EMPTY")
        elif len(told) > LONGEST_NAME:
            self.wrong(field, "TOO_LONG", most=LONGEST_NAME)
        else:
            self.put(name or field, field, told)

    def phone(self, field: str, value: str) -> str | None:
        """The phone as E.164."""
        found = phone_key(value, self.viewer.phone_region)
        if found is None:
            self.wrong(field, "PHONE_INVALID", value=value[:40])
        return found

    def email(self, field: str, value: str) -> str | None:
        """The address, lower case."""
        if email_key(value) is None:
            self.wrong(field, "EMAIL_INVALID", value=value[:80])
            return None
        return value.strip().lower()

    def phones(self, field: str, values: Sequence[str] | None) -> None:
        if self.given(values, field) and self._few(field, values):
            self.put(field, field, [found for each in values if (found := self.phone(field, each)) is not None])

    def emails(self, field: str, values: Sequence[str] | None) -> None:
        if self.given(values, field) and self._few(field, values):
            self.put(field, field, [found for each in values if (found := self.email(field, each)) is not None])

    def _few(self, field: str, values: Sequence[str]) -> bool:
        if len(values) > MOST_VALUES:
            self.wrong(field, "TOO_MANY_VALUES", most=MOST_VALUES)
        return len(values) <= MOST_VALUES

    def address(self, field: str, value: str | None) -> None:
        """The address of a site; one that is spelt without its scheme is meant as it is."""
        told = value.strip() if value else ""  # an empty one is refused as such below
        if told and not _SITE.fullmatch(told):
            self.wrong(field, "SITE_INVALID", value=told[:80])
        else:
            self.text(field, value)

    def amount(self, field: str, value: str | None) -> None:
        if not self.given(value, field):
            return
        amount = Decimal(value)
        if amount < 0:
            self.wrong(field, "AMOUNT_NEGATIVE")
        elif amount >= _LARGEST or amount != amount.quantize(Decimal("0.01")):
            self.wrong(field, "AMOUNT_UNFIT")
        else:
            self.put(field, field, amount.quantize(Decimal("0.01")))

    def currency(self, field: str, value: str | None) -> None:
        if not self.given(value, field):
            return
        code = value.strip().upper()
        if code not in CURRENCIES:
            self.wrong(field, "UNKNOWN_CURRENCY", value=value[:10])
        else:
            self.put(field, field, code)

    async def row(self, field: str, id: str | None, type_name: str) -> UUID | None:
        """The id of a row that the caller may see."""
        if id is None or id is UNSET:
            return None
        try:
            found = row_id(field, id, type_name)
        except InputRefused as refused:
            self._wrong += refused.problems
            return None
        if not await visible(self.context, self._types.entities[type_name], found):
            self.wrong(field, "NOT_FOUND", type=type_name)
            return None
        return found

    async def reference(self, field: str, id: str | None, type_name: str) -> UUID | None:
        """The same, to be named by the record."""
        if not self.given(id, field):
            return None
        found = await self.row(field, id, type_name)
        if found is not None:
            self.put(field, field, str(found))
        return found

    async def responsible(self, id: str | None) -> None:
        """The employee in charge: whom the caller names, else the manager himself who reaches only his own."""
        await self.reference("responsible", id, "User")
        if id is None and self.viewer.own:
            self.put("responsible", "responsible", str(self.viewer.own[0]))

    async def stage(
        self, stage: str | None, pipeline: str | None, status: DealStatus | None, present: UUID | None
    ) -> None:
        """Stage, pipeline and status of a deal must say the same. ``present``: the pipeline that the deal is in."""
        chosen = await self.reference("pipeline", pipeline, "Pipeline")
        place = await self.row("stage", stage, "Stage") if self.given(stage, "stage") else None
        if place is None:
            if "pipeline" in self.values and chosen is None:
                self.put("stage", "stage", None)  # a stage is one of its pipeline
            if status is not None:
                self.put("status", "status", status)
            return
        async with self.office.database.workspace(self.viewer.workspace_id) as db:
            query = text("select pipeline_id, status from stage where workspace_id = :ws and id = :id")
            row = (await db.execute(query, {"ws": self.viewer.workspace_id, "id": place})).one()
        of = chosen or present
        if of is not None and row.pipeline_id not in (None, of):
            self.wrong("stage", "STAGE_OF_OTHER_PIPELINE")
        elif status is not None and status.value != row.status:
            self.wrong("status", "STATUS_OF_STAGE", status=row.status)
        else:
            self.put("stage", "stage", str(place))
            self.put("status", "stage", DealStatus(row.status))
            if row.pipeline_id is not None and chosen is None:
                self.put("pipeline", "stage", str(row.pipeline_id))


async def kind_of_client(context: RequestContext, client: UUID) -> str:
    """What a client is by its records, whatever was pinned."""
    viewer = context.viewer
    async with context.office.database.workspace(viewer.workspace_id) as db:
        cursor = await driver(db).execute(
            "select coalesce((select r.client_kind from identity_record r where r.workspace_id = c.workspace_id"
            " and r.client_id = c.id limit 1), c.kind) from client c where c.workspace_id = %s and c.id = %s",
            (viewer.workspace_id, client),
        )
        row = await cursor.fetchone()
    return str(row[0]) if row is not None else ""
