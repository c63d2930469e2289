"""What people decide about reports: metrics and rules of their own, costs and plans by hand, closed periods."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Numeric, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, InWorkspace

_NOW = text("now()")


class OwnMetric(InWorkspace, Base):
    """A metric that the business defined itself, by a formula over named metrics (``reports.formulas``)."""

    __tablename__ = "own_metric"

    key: Mapped[str] = mapped_column(primary_key=True, comment="Its name in formulas and over the API.")
    title: Mapped[str]
    formula: Mapped[str]
    unit: Mapped[str] = mapped_column(comment="count, money, percent or ratio")
    author: Mapped[str] = mapped_column(comment="The API key that made it.")
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class CostRule(InWorkspace, Base):
    """A percentage on ad costs: the VAT in or on them, or an agency's fee, from a day on."""

    __tablename__ = "cost_rule"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(comment="vat or fee")
    platform: Mapped[str | None] = mapped_column(comment="Of which ad platform's campaigns; empty: of all.")
    percent: Mapped[Decimal] = mapped_column(Numeric(9, 4), comment="VAT on the net cost; fee on the net cost.")
    valid_from: Mapped[date] = mapped_column(comment="The first day.")
    valid_to: Mapped[date | None] = mapped_column(comment="The last day; empty: until further notice.")
    author: Mapped[str] = mapped_column(comment="The API key that made it.")
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class ManualCost(InWorkspace, Base):
    """A cost that no ad platform reports, spread evenly over its days."""

    __tablename__ = "manual_cost"
    __table_args__ = (Index(None, "workspace_id", "first_day"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID | None] = mapped_column(comment="The campaign that it belongs to, if to one.")
    channel: Mapped[str | None] = mapped_column(comment="The channel that it belongs to, if to no campaign.")
    title: Mapped[str]
    first_day: Mapped[date]
    last_day: Mapped[date]
    amount: Mapped[Decimal] = mapped_column(comment="For all its days, without VAT, in the workspace's currency.")
    author: Mapped[str] = mapped_column(comment="The API key that entered it.")
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    deleted_at: Mapped[datetime | None] = mapped_column(comment="When it was taken back.")


class RuleSet(InWorkspace, Base):
    """A version of the rules by which reports group channels or recognise campaigns. Rows are only ever added; the
    greatest version of a kind holds."""

    __tablename__ = "rule_set"

    kind: Mapped[str] = mapped_column(primary_key=True, comment="channel or campaign")
    version: Mapped[int] = mapped_column(primary_key=True)
    rules: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, comment="In order; the first that fits decides.")
    author: Mapped[str] = mapped_column(comment="The API key that made it.")
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class Plan(InWorkspace, Base):
    """What a month is planned to bring or to cost: of one campaign, of one channel, or of all."""

    __tablename__ = "plan"

    month: Mapped[date] = mapped_column(primary_key=True, comment="First day of the month.")
    campaign_id: Mapped[UUID] = mapped_column(primary_key=True, comment="The nil UUID: of no single campaign.")
    channel: Mapped[str] = mapped_column(primary_key=True, comment="Empty: of no single channel.")
    metric: Mapped[str] = mapped_column(primary_key=True, comment="Key of an additive figure.")
    amount: Mapped[Decimal]
    author: Mapped[str] = mapped_column(comment="The API key that entered it.")
    changed_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class FrozenPeriod(InWorkspace, Base):
    """A closed period: its reports are given as they were known when it was frozen."""

    __tablename__ = "frozen_period"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    first_day: Mapped[date]
    last_day: Mapped[date]
    known_at: Mapped[datetime] = mapped_column(comment="The moment of knowledge that holds for it.")
    author: Mapped[str] = mapped_column(comment="The API key that froze it.")
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    thawed_at: Mapped[datetime | None] = mapped_column(comment="When it was opened again.")
