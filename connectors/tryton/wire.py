"""Tryton's records over REST, as far as they are mapped, and its values: times and amounts are objects [4]."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

import msgspec

from connectors.errors import BadRecord


class Moment(msgspec.Struct, frozen=True):
    """A time in UTC; a day has no more than the first three."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0
    microsecond: int = 0

    @property
    def at(self) -> datetime:
        return datetime(
            self.year, self.month, self.day, self.hour, self.minute, self.second, self.microsecond, tzinfo=UTC
        )

    @property
    def date(self) -> date:
        return date(self.year, self.month, self.day)


class Number(msgspec.Struct, frozen=True):
    decimal: str

    @property
    def value(self) -> Decimal:
        try:
            return Decimal(self.decimal)
        except InvalidOperation:
            raise BadRecord(f"{self.decimal!r} is not an amount of money.") from None


class _Row(msgspec.Struct):
    id: int
    create_date: Moment | None = None
    write_date: Moment | None = None

    @property
    def created(self) -> datetime | None:
        return None if self.create_date is None else self.create_date.at

    @property
    def changed(self) -> datetime | None:
        """Null until the first change [7]."""
        latest = self.write_date or self.create_date
        return None if latest is None else latest.at


class Mechanism(msgspec.Struct):
    """A way to reach a party."""

    type: str
    value: str | None = None
    active: bool = True


class Identifier(msgspec.Struct):
    code: str
    type: str | None = None


class Id(msgspec.Struct):
    id: int


class RelationType(msgspec.Struct):
    name: str | None = None


class Relation(msgspec.Struct):
    to: int | None = None
    type: RelationType | None = None


class Party(_Row):
    name: str | None = None
    code: str | None = None
    active: bool = True
    contact_mechanisms: list[Mechanism] = msgspec.field(default_factory=list)
    identifiers: list[Identifier] = msgspec.field(default_factory=list)
    relations: list[Relation] = msgspec.field(default_factory=list)


class EmployeeParty(msgspec.Struct):
    name: str | None = None
    email: str | None = None
    phone: str | None = None


class Employee(_Row):
    active: bool = True
    party: EmployeeParty | None = None


class Currency(msgspec.Struct):
    code: str | None = None


class Tag(msgspec.Struct):
    """A campaign, a source or a medium of the module Marketing Campaign."""

    name: str | None = None


class Opportunity(_Row, kw_only=True):
    number: str | None = None
    reference: str | None = None
    description: str | None = None
    comment: str | None = None
    state: str
    amount: Number | None = None
    currency: Currency | None = None
    party: int | None = None
    employee: int | None = None
    end_date: Moment | None = None
    lost_reason: str | None = None
    marketing_campaign: Tag | None = None
    marketing_source: Tag | None = None
    marketing_medium: Tag | None = None


class State(msgspec.Struct):
    """A state of opportunities, made out of the choices of the field."""

    state: str
    label: str
    sort: int


class Event(_Row, kw_only=True):
    """A line of the log of changes."""

    event: str
    target: str | None = None
    resource: str | None = None
