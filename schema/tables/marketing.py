"""The campaign tree and what it costs."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import Base, InWorkspace, Unified


class Campaign(InWorkspace, Base):
    """An advertising campaign: of a connected ad platform, or known by its UTM tags alone (platform 'utm').

    Its id follows from platform and external id (``schema.ids.campaign_id``), so it may be named by calls and
    visits before its cabinet is connected; until then its name is its external id."""

    __tablename__ = "campaign"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform: Mapped[str] = mapped_column(comment="Key of the ad platform's connector, or 'utm'.")
    external_id: Mapped[str] = mapped_column(comment="The platform's id, or source/medium/campaign.")
    connection_id: Mapped[UUID | None] = mapped_column(comment="The cabinet that it was read from.")
    name: Mapped[str] = mapped_column(comment="The present name; former ones are in campaign_name.")
    state: Mapped[str | None]
    currency: Mapped[str | None]
    source: Mapped[str | None]
    medium: Mapped[str | None]
    loaded_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class CampaignName(InWorkspace, Base):
    """A name that a campaign has borne. Rows are only ever added."""

    __tablename__ = "campaign_name"

    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    known_from: Mapped[datetime] = mapped_column(primary_key=True)
    name: Mapped[str]


class AdGroup(Unified, Base):
    __tablename__ = "ad_group"

    campaign_id: Mapped[UUID]
    name: Mapped[str]


class Ad(Unified, Base):
    __tablename__ = "ad"

    ad_group_id: Mapped[UUID]
    title: Mapped[str | None]
    landing_url: Mapped[str | None]


class Keyword(Unified, Base):
    __tablename__ = "keyword"

    ad_group_id: Mapped[UUID]
    text: Mapped[str]


class AdSpend(InWorkspace, Base):
    """What a campaign cost on one day. When the platform restates the day, a new revision is added and the
    former one keeps the time until which it was believed."""

    __tablename__ = "ad_spend"
    __table_args__ = (
        Index(
            "uq_ad_spend_current",
            "workspace_id",
            "connection_id",
            "campaign_id",
            "day",
            unique=True,
            postgresql_where=text("known_until is null"),
        ),
        Index("ix_ad_spend_day", "workspace_id", "day", "campaign_id"),
    )

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True, comment="A day of the ad platform's calendar.")
    revision: Mapped[int] = mapped_column(primary_key=True)
    stream: Mapped[str]
    source_id: Mapped[str]
    cost: Mapped[Decimal] = mapped_column(comment="In ``currency``; with VAT if ``vat_included``.")
    currency: Mapped[str]
    vat_included: Mapped[bool]
    impressions: Mapped[int]
    clicks: Mapped[int]
    known_from: Mapped[datetime]
    known_until: Mapped[datetime | None]
    run_id: Mapped[UUID | None]


class InvalidClicks(InWorkspace, Base):
    """Clicks on ads that a service judged to be made by robots or rivals, as it tells them: one or many of a day.
    Reports read them when they are asked; what they cost follows from the ad platform's cost of the day's clicks,
    unless the service tells it."""

    __tablename__ = "invalid_clicks"
    __table_args__ = (Index("ix_invalid_clicks_day", "workspace_id", "day", "campaign_id"),)

    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    stream: Mapped[str]
    source_id: Mapped[str]
    day: Mapped[date] = mapped_column(comment="The day of the clicks, by the service's calendar.")
    campaign_id: Mapped[UUID | None] = mapped_column(comment="The campaign clicked on, where it is told.")
    channel: Mapped[str | None] = mapped_column(comment="Channel group, as understood.")
    clicks: Mapped[int]
    cost: Mapped[Decimal | None] = mapped_column(comment="What they cost, where the service tells it.")
    currency: Mapped[str | None]
    reason: Mapped[str | None] = mapped_column(comment="Why they were judged so, in the service's words.")
    loaded_at: Mapped[datetime]
