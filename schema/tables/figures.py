"""Conversions, their paths with versions, and the rollups that reports read."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, InWorkspace


class Path(InWorkspace, Base):
    """One conversion and the touches within the window before it, in the order of time: what every
    attribution model reads. When late data, a merge, a split or a new rule changes it, a new version is added
    and the former one keeps the time until which it was believed. A conversion that is no more has only
    closed versions. Credits are a pure function of a path and are not stored."""

    __tablename__ = "path"
    __table_args__ = (
        Index("ix_path_current", "workspace_id", "client_id", postgresql_where=text("known_until is null")),
        Index("ix_path_occurred", "workspace_id", "kind", "occurred_at", "conversion_id"),
        Index(
            "uq_path_current",
            "workspace_id",
            "conversion_id",
            unique=True,
            postgresql_where=text("known_until is null"),
        ),
    )

    conversion_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Follows from kind and record.")
    version: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(comment="call, lead, new_client or won_deal")
    client_id: Mapped[UUID | None] = mapped_column(comment="The client who converted; empty if unknown.")
    record_id: Mapped[UUID] = mapped_column(comment="The call, lead or deal that is the conversion.")
    occurred_at: Mapped[datetime]
    value: Mapped[Decimal] = mapped_column(comment="Revenue in ``currency``; 0 for calls and leads.")
    currency: Mapped[str]
    touch_records: Mapped[list[UUID]]
    touch_kinds: Mapped[list[str]]
    touch_times: Mapped[list[datetime]]
    touch_channels: Mapped[list[str]]
    touch_campaigns: Mapped[list[UUID]] = mapped_column(comment="The nil UUID where a touch has no campaign.")
    had_older_touches: Mapped[bool] = mapped_column(comment="There were touches before the window.")
    window_days: Mapped[int]
    rules: Mapped[str] = mapped_column(comment="Version of the rules that made it.")
    cause: Mapped[str] = mapped_column(comment="Why this version came: first, late_data, merge, split, …")
    known_from: Mapped[datetime]
    known_until: Mapped[datetime | None]


class _Cell:
    """The additive figures of one cell; ratios are computed from sums, never stored."""

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True, comment="The nil UUID: no campaign, see reason.")
    reason: Mapped[str] = mapped_column(primary_key=True, comment="Empty, or why there is no campaign.")
    cost: Mapped[Decimal] = mapped_column(server_default="0")
    impressions: Mapped[int] = mapped_column(server_default="0")
    clicks: Mapped[int] = mapped_column(server_default="0")
    visits: Mapped[int] = mapped_column(server_default="0")
    calls: Mapped[int] = mapped_column(server_default="0")
    leads: Mapped[int] = mapped_column(server_default="0")
    new_clients: Mapped[int] = mapped_column(server_default="0")
    won_deals: Mapped[int] = mapped_column(server_default="0")
    revenue: Mapped[Decimal] = mapped_column(server_default="0")


class RollupDay(InWorkspace, _Cell, Base):
    """Campaign × day, by last non-direct click, in the workspace's days and currency."""

    __tablename__ = "rollup_day"

    day: Mapped[date] = mapped_column(primary_key=True, sort_order=-5)


class RollupMonth(InWorkspace, _Cell, Base):
    """Campaign × month: the sums of ``RollupDay``, kept by the same differences."""

    __tablename__ = "rollup_month"

    month: Mapped[date] = mapped_column(primary_key=True, sort_order=-5, comment="First day of the month.")


class SettledVisit(InWorkspace, Base):
    """What a visit was counted as in the rollups, so that a change of it can be taken back exactly."""

    __tablename__ = "settled_visit"

    visit_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date]
    campaign_id: Mapped[UUID]
    reason: Mapped[str]
