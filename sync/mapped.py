"""A page of raw records, mapped: what each became, what was left out, and what could not be understood."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
import structlog

from connectors.contract import ConnectorSettings, RawRecord, Skip, Stream
from connectors.errors import BadRecord
from schema.enums import RecordKind
from schema.ids import campaign_id, record_id
from schema.records import AdSpendRecord, CampaignRecord, InvalidClicksRecord
from sync.field_rules import FieldRule, applied
from sync.rows import Placed, together
from sync.targets import TARGETS

log = structlog.get_logger(__name__)

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""NUL as JSON writes it; after an odd number of backslashes it is a backslash and the letter u."""


@dataclass(frozen=True, slots=True)
class Loading:
    """What loading needs to know: whose records these are, and how to map them."""

    workspace_id: UUID
    connection_id: UUID
    run_id: UUID | None
    region: str
    stream: Stream[Any]
    settings: ConnectorSettings


@dataclass(slots=True)
class Mapped:
    """A page sorted into what becomes of each record."""

    stored: dict[str, RawRecord] = field(default_factory=dict)
    placed: dict[type[Any], dict[UUID, Placed]] = field(default_factory=lambda: defaultdict(dict))
    campaigns: list[CampaignRecord] = field(default_factory=list)
    spend: list[tuple[str, AdSpendRecord]] = field(default_factory=list)
    invalid: list[tuple[str, InvalidClicksRecord]] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)

    def of(self, *kinds: RecordKind) -> list[Placed]:
        return [
            placed
            for kind, (name, _) in TARGETS.items()
            if name in kinds
            for placed in self.placed.get(kind, {}).values()
        ]

    def campaign_ids(self) -> set[UUID]:
        """The campaigns that a cabinet itself tells of, or of whose cost it does."""
        own = {campaign_id(each.platform, each.external_id) for each in self.campaigns}
        return own | {campaign_id(each.platform, each.campaign) for _, each in self.spend}


def keepable(body: bytes) -> bytes:
    """A body without NUL, which JSON may hold and no text of PostgreSQL can. What is kept raw keeps it."""
    return _NUL.sub(rb"\1", body) if rb"\u0000" in body else body


def map_records(loading: Loading, page: Iterable[RawRecord], rules: Sequence[FieldRule] = ()) -> Mapped:
    """Map raw records, by the connector and then by the user's ``rules`` for custom fields; one that can't be
    understood is set aside with the reason and stops nothing."""
    mapped = Mapped()
    for raw in page:
        try:
            records = loading.stream.map(loading.settings, keepable(raw.body))
        except BadRecord as error:
            mapped.refused[raw.external_id] = error.sentence
            continue
        except msgspec.MsgspecError as error:
            mapped.refused[raw.external_id] = f"The record has another shape than documented: {error}."
            continue
        except (ValueError, KeyError, TypeError, ArithmeticError, AttributeError) as error:
            log.warning("mapping.failed", stream=loading.stream.name, error=type(error).__name__)
            mapped.refused[raw.external_id] = f"The mapping failed on it ({type(error).__name__}: {error})."
            continue
        mapped.stored[raw.external_id] = raw
        if isinstance(records, Skip):
            mapped.skipped.add(raw.external_id)
            continue
        for record in records:
            _place(mapped, loading, raw.external_id, _ruled(record, rules))
    return mapped


def _ruled(record: Any, rules: Sequence[FieldRule]) -> Any:
    if not rules or type(record) not in TARGETS:
        return record
    kind, _ = TARGETS[type(record)]
    return applied(kind, record, rules)


def _place(mapped: Mapped, loading: Loading, source_id: str, record: Any) -> None:
    if isinstance(record, CampaignRecord):
        mapped.campaigns.append(record)
    elif isinstance(record, AdSpendRecord):
        mapped.spend.append((source_id, record))
    elif isinstance(record, InvalidClicksRecord):
        mapped.invalid.append((source_id, record))
    else:
        kind, target = TARGETS[type(record)]
        id = record_id(loading.connection_id, kind, record.external_id)
        told = mapped.placed[type(record)]
        if target.pieced and id in told:
            record = together(told[id].record, record)
            source_id = min(source_id, told[id].source_id)
        told[id] = Placed(id, source_id, record)
