"""Who is who: the keys that records carry, the clients that follow from them, and the log of merges."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Float, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from schema.tables.base import BIGINT, Base, InWorkspace, naming


class Client(InWorkspace, Base):
    """A customer: a person or an organisation. Its id is that of its founding record and never changes:
    a client that was merged away stays and points to the one that it became part of."""

    __tablename__ = "client"
    __table_args__ = (
        Index(
            "ix_client_recent", "workspace_id", "last_seen_at", "id", postgresql_where=text("merged_into is null")
        ),
        Index("ix_client_name", "workspace_id", "name", "id", postgresql_where=text("merged_into is null")),
        Index(None, "workspace_id", "merged_into", postgresql_where=text("merged_into is not null")),
        naming("client", "responsible_id", "last_seen_at", "id"),
        Index(
            "ix_client_search",
            text("search_tokens(workspace_id, search_text(name, phone, email))"),
            postgresql_using="gin",
            postgresql_where=text("merged_into is null"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(comment="person or company")
    name: Mapped[str | None] = mapped_column(comment="Golden record: the name that holds.")
    phone: Mapped[str | None] = mapped_column(comment="Golden record: E.164.")
    email: Mapped[str | None] = mapped_column(comment="Golden record.")
    responsible_id: Mapped[UUID | None] = mapped_column(comment="Golden record: the user who leads the client.")
    founded_at: Mapped[datetime] = mapped_column(comment="Time of the founding record; the older client survives.")
    last_seen_at: Mapped[datetime] = mapped_column(comment="Time of the newest record.")
    merged_into: Mapped[UUID | None] = mapped_column(comment="The client that it is part of now.")
    closed: Mapped[bool] = mapped_column(
        server_default=text("false"),
        comment="No key of its records is shared or stands on another's: matching need not look beyond it.",
    )
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"), comment="When Skvoz made it.")
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class ClientField(InWorkspace, Base):
    """Where a field of the golden record has its value from, and what the other records say."""

    __tablename__ = "client_field"

    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
    rule: Mapped[str]
    record_kind: Mapped[str]
    record_id: Mapped[UUID]
    others: Mapped[dict[str, Any] | None] = mapped_column(
        comment="Other values, each with the records that say it."
    )


class ClientPin(InWorkspace, Base):
    """A field of a client that a person set by hand. It is bound to a record, and holds for the client in which the
    record is: so it survives merges, and goes back with a split."""

    __tablename__ = "client_pin"

    record_id: Mapped[UUID] = mapped_column(
        primary_key=True, comment="A record of the client: its founder, if there."
    )
    field: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
    actor: Mapped[str] = mapped_column(comment="The token that asked for it.")
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class GoldenRules(InWorkspace, Base):
    """By which rules golden records are chosen. The newest version holds; without any, the most recent word."""

    __tablename__ = "golden_rules"

    version: Mapped[int] = mapped_column(primary_key=True)
    rules: Mapped[dict[str, Any]] = mapped_column(
        comment="`fields`: rule and order of sources by field; `confidence`: from 0 to 1 by connection."
    )
    author: Mapped[str] = mapped_column(comment="The API key that set them, or 'command line'.")
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    applied_at: Mapped[datetime | None] = mapped_column(comment="When all clients had been looked at by them.")


class IdentityRecord(InWorkspace, Base):
    """A record that can tell who a client is (contact, company, call, lead, visit) and the client it is in."""

    __tablename__ = "identity_record"
    __table_args__ = (Index(None, "workspace_id", "client_id"),)

    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    record_kind: Mapped[str]
    connection_id: Mapped[UUID]
    client_kind: Mapped[str] = mapped_column(comment="Persons and companies are never one client.")
    at: Mapped[datetime] = mapped_column(comment="The record's own time; the oldest record founds the client.")
    name: Mapped[str | None] = mapped_column(
        comment="The name on it, by sound and without order, only to tell whether two records name two people."
    )
    client_id: Mapped[UUID | None] = mapped_column(
        comment="Empty while nothing but visits, or nothing but shared keys, tells who it is."
    )


class Identifier(InWorkspace, Base):
    """A key that a record carries: the evidence that it belongs with others. ``value`` is normalised
    (E.164, lower-case e-mail, 'counter:cookie'); what isn't valid is kept as text elsewhere and is no key."""

    __tablename__ = "identifier"
    __table_args__ = (Index(None, "workspace_id", "record_id"),)

    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    record_kind: Mapped[str]
    client_kind: Mapped[str]
    raw: Mapped[str] = mapped_column(comment="As the external system spells it.")


class SharedKey(InWorkspace, Base):
    """A key that joins nobody: because records with clearly different names carry it (``cap``), because a firm's
    card carries it too (``office``: a landline, a mailbox like info@), or because somebody said so (``listed``)."""

    __tablename__ = "shared_key"

    client_kind: Mapped[str] = mapped_column(
        primary_key=True, comment="An office phone joins the cards of the firm, and none of its people."
    )
    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(comment="cap, office or listed")
    carriers: Mapped[int] = mapped_column(comment="How many different people carried it when it was judged.")
    at: Mapped[datetime]


class IdentityDecision(InWorkspace, Base):
    """What a person decided about records, obeyed for ever: 'same', they are one client whatever their keys
    say; 'apart', no record of one side is ever one client with a record of the other. A row a record."""

    __tablename__ = "identity_decision"
    __table_args__ = (Index(None, "workspace_id", "decision_id"),)

    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID] = mapped_column(primary_key=True)
    verdict: Mapped[str] = mapped_column(comment="same or apart")
    side: Mapped[int] = mapped_column(comment="0 or 1: the side of the record in 'apart'.")
    actor: Mapped[str] = mapped_column(comment="The token that asked for it.")
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class MatchTraits(InWorkspace, Base):
    """What of a record can be weighed though it is no key: names, mailboxes, who took it and when."""

    __tablename__ = "match_traits"

    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    traits: Mapped[list[Any]] = mapped_column(JSONB, comment="As `sync.identity.traits` puts them in order.")


class MatchBlock(InWorkspace, Base):
    """A block that a record stands in: only records of a common block are weighed against each other."""

    __tablename__ = "match_block"

    block: Mapped[int] = mapped_column(
        BIGINT, primary_key=True, comment="Digest of what the records have in common."
    )
    record_id: Mapped[UUID] = mapped_column(primary_key=True)


class MatchWeights(InWorkspace, Base):
    """How much each agreement of two records says, learnt from the workspace's own records, and from which weight
    on a match is applied or proposed. The version that was applied last holds, the shipped weights until one is."""

    __tablename__ = "match_weights"

    version: Mapped[int] = mapped_column(primary_key=True)
    weights: Mapped[dict[str, Any]] = mapped_column(
        comment="m and u by comparison and level, name frequencies, bits."
    )
    pairs: Mapped[int] = mapped_column(comment="How many pairs of records they were learnt from.")
    actor: Mapped[str] = mapped_column(comment="Who had them made: 'schedule', 'command line' or an API key.")
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    learnt_at: Mapped[datetime | None] = mapped_column(
        comment="When the weights were learnt; empty for the shipped ones with other thresholds."
    )
    upper: Mapped[float | None] = mapped_column(
        Float, comment="Bits from which on a match is applied, if set by hand; else the weights say it."
    )
    lower: Mapped[float | None] = mapped_column(
        Float, comment="Bits from which on a match is proposed, if set by hand; else the weights say it."
    )
    effect: Mapped[dict[str, Any] | None] = mapped_column(
        comment="What applying them changed, or would have changed when they were made."
    )
    applied_at: Mapped[datetime | None] = mapped_column(comment="When they were applied last.")
    dismissed_at: Mapped[datetime | None] = mapped_column(
        comment="When a person said no to them. Neither applied nor dismissed: they are proposed."
    )
    decided_by: Mapped[str | None] = mapped_column(comment="Who applied or dismissed them.")


class MatchProposal(InWorkspace, Base):
    """Two records that are probably one client's, for a person to decide. It is ``pending`` as long as the data
    says so; what was decided about it stays whatever the data says."""

    __tablename__ = "match_proposal"
    __table_args__ = (
        Index(None, "workspace_id", "record_id"),
        Index(None, "workspace_id", "other_id"),
        Index("ix_match_proposal_state", "workspace_id", "state", "score", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="Follows from the two records.")
    record_id: Mapped[UUID]
    other_id: Mapped[UUID] = mapped_column(comment="The greater of the two ids.")
    record_kind: Mapped[str]
    other_kind: Mapped[str]
    client_id: Mapped[UUID | None] = mapped_column(comment="The client of the first record.")
    other_client_id: Mapped[UUID | None]
    score: Mapped[float] = mapped_column(Float, comment="Bits: 10 says a thousand to one that the two are one.")
    waterfall: Mapped[dict[str, Any]] = mapped_column(
        comment="For each comparison its level and its weight in bits."
    )
    pending: Mapped[bool] = mapped_column(comment="Whether the data still proposes it.")
    state: Mapped[str] = mapped_column(comment="open, later, same or different")
    proposed_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    decided_at: Mapped[datetime | None]
    actor: Mapped[str | None] = mapped_column(comment="The token that decided.")
    decision_id: Mapped[UUID | None] = mapped_column(comment="What was decided, in identity_decision.")


class MergeLog(InWorkspace, Base):
    """Every merge and split, with its evidence. Rows are only ever added."""

    __tablename__ = "merge_log"
    __table_args__ = (
        Index(None, "workspace_id", "client_id"),
        Index(None, "workspace_id", "other_id"),
    )

    id: Mapped[int] = mapped_column(BIGINT, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    kind: Mapped[str] = mapped_column(comment="merge or split")
    client_id: Mapped[UUID] = mapped_column(comment="The client that survives (merge) or that is parted (split).")
    other_id: Mapped[UUID | None] = mapped_column(
        comment="The client merged away, or the one that went out; empty if nothing tells now who that was."
    )
    records: Mapped[list[UUID]] = mapped_column(comment="The records that changed client.")
    evidence: Mapped[dict[str, Any]] = mapped_column(comment="The keys that joined them, or the reason to part.")
    actor: Mapped[str] = mapped_column(comment="'rule', or the token that asked for it.")
    run_id: Mapped[UUID | None]


class ClientMark(InWorkspace, Base):
    """A client whose paths and figures must be settled, because a record of his changed. The mark commits
    with the change; settling removes it in the transaction that brings the figures up to date."""

    __tablename__ = "client_mark"

    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(comment="What changed: a record kind, merge or split.")
    marked_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
