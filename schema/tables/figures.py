"""Conversions, their paths with versions, and the rollups that reports read."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import BIGINT, Base, InWorkspace


class Path(InWorkspace, Base):
    """One conversion and the touches within the window before it, in the order of time: what every
    attribution model reads. When late data, a merge, a split or a new rule changes it, a new version is added
    and the former one keeps the time until which it was believed. A conversion that is no more has only
    closed versions. Credits are a pure function of a path and are not stored, but for the one touch that the
    model of the rollups credits: a version carries the cell that it was counted in, so that it can be taken
    out again exactly and a receipt finds it by the cell."""

    __tablename__ = "path"
    __table_args__ = (
        Index(None, "workspace_id", "client_id"),
        Index("ix_path_cell", "workspace_id", "campaign_id", "day", "kind"),
        Index("ix_path_day", "workspace_id", "day"),
        # No index knows until when a version is believed, and pages keep room for another state of a row: closing
        # a version then touches its page alone.
        {"postgresql_with": {"fillfactor": 85}},
    )

    conversion_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Follows from kind and record.")
    version: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(comment="call, lead, new_client, won_deal or paid_invoice")
    client_id: Mapped[UUID | None] = mapped_column(comment="The client who converted; empty if unknown.")
    record_id: Mapped[UUID] = mapped_column(comment="The call, lead, deal or invoice that is the conversion.")
    also_told_by: Mapped[list[UUID]] = mapped_column(comment="Records of other systems that tell of the same.")
    occurred_at: Mapped[datetime]
    window_until: Mapped[datetime | None] = mapped_column(
        comment="Where the window ends, if not with the conversion: of a paid invoice with the win of its deal."
    )
    value: Mapped[Decimal] = mapped_column(comment="Amount of a won deal or paid invoice in ``currency``; else 0.")
    currency: Mapped[str]
    touch_records: Mapped[list[UUID]]
    touch_kinds: Mapped[list[str]]
    touch_times: Mapped[list[datetime]]
    touch_channels: Mapped[list[str]]
    touch_campaigns: Mapped[list[UUID]] = mapped_column(comment="The nil UUID where a touch has no campaign.")
    lead_at: Mapped[datetime | None] = mapped_column(
        comment="When the client first called or left a lead within the window; for models of the deal's stages."
    )
    opened_at: Mapped[datetime | None] = mapped_column(comment="When the deal was opened, if it is one.")
    had_older_touches: Mapped[bool] = mapped_column(comment="There were touches before the window.")
    window_days: Mapped[int]
    rules: Mapped[str] = mapped_column(comment="Version of the rules that made it.")
    digest: Mapped[bytes] = mapped_column(comment="xxh3-128 of all that a version says: equal means unchanged.")
    credited: Mapped[int] = mapped_column(comment="Position of the credited touch, from 1; 0 if there is none.")
    day: Mapped[date] = mapped_column(comment="Its day in the workspace's time zone.")
    campaign_id: Mapped[UUID] = mapped_column(comment="The credited campaign; nil: none, see reason.")
    reason: Mapped[str] = mapped_column(comment="Empty, or why there is no campaign.")
    channel: Mapped[str] = mapped_column(comment="The credited channel where there is no campaign; else empty.")
    revenue: Mapped[Decimal] = mapped_column(
        comment="What it adds to money: 0 if ``value`` is in another currency than the workspace's."
    )
    cause: Mapped[str] = mapped_column(comment="Why this version came: first, late_data, merge, split, …")
    run_id: Mapped[UUID | None] = mapped_column(comment="The run whose records brought it.")
    known_from: Mapped[datetime]
    known_until: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(comment="Why it is no longer believed.")


class _Cell:
    """The additive figures of one cell; ratios are computed from sums, never stored."""

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True, comment="The nil UUID: no campaign, see reason.")
    reason: Mapped[str] = mapped_column(primary_key=True, comment="Empty, or why there is no campaign.")
    channel: Mapped[str] = mapped_column(
        primary_key=True, comment="The channel where there is no campaign to tell it; else empty."
    )
    cost: Mapped[Decimal] = mapped_column(server_default="0")
    impressions: Mapped[int] = mapped_column(BIGINT, server_default="0")
    clicks: Mapped[int] = mapped_column(BIGINT, server_default="0")
    visits: Mapped[int] = mapped_column(server_default="0")
    calls: Mapped[int] = mapped_column(server_default="0")
    leads: Mapped[int] = mapped_column(server_default="0")
    new_clients: Mapped[int] = mapped_column(server_default="0")
    won_deals: Mapped[int] = mapped_column(server_default="0")
    paid_invoices: Mapped[int] = mapped_column(server_default="0")
    revenue: Mapped[Decimal] = mapped_column(server_default="0")
    paid_amount: Mapped[Decimal] = mapped_column(server_default="0")


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
    channel: Mapped[str]


class SettledPerson(InWorkspace, Base):
    """A person whose touches were counted for a company: who leaves the company must change its paths too."""

    __tablename__ = "settled_person"
    __table_args__ = (Index(None, "workspace_id", "company_id"),)

    person_id: Mapped[UUID] = mapped_column(primary_key=True, comment="The person's client.")
    company_id: Mapped[UUID] = mapped_column(primary_key=True, comment="The company's client.")


class SettledCall(InWorkspace, Base):
    """A call without a client, and the phone by which it was compared with others: once it has a client or
    another phone, those others must be settled anew."""

    __tablename__ = "settled_call"
    __table_args__ = (Index(None, "workspace_id", "phone"),)

    call_id: Mapped[UUID] = mapped_column(primary_key=True)
    phone: Mapped[str]
