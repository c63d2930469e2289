"""Credits as a table: what each touch of each conversion earned, by all models side by side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import UUID

import pyarrow as pa

from api.exports.asking import Asked, ExportRefused
from api.exports.reading import Export
from core.database import PsycopgConnection
from reports.by_model import Question, batches, learnt, shares_of
from reports.campaigns import Grain, channels_of_campaigns
from reports.comparison import DEFINITIONS, MARKOV
from reports.models import MODELS, Ints, split
from reports.stored_paths import KINDS, Batch, DatedBy, Units
from reports.terms import read_terms
from sync.feed import end_of_feed

BY_PATH = tuple(key for key in DEFINITIONS if key != MARKOV.key)
"""The models that say what a touch earned; Markov's only knows what a campaign did."""

_FIRST_DAY = date(2000, 1, 1)
_NIL = bytes(16)
_FIXED = (
    pa.field("conversion_id", pa.string(), metadata={"meaning": "As in touches."}),
    pa.field("version", pa.int64(), metadata={"meaning": "Version of the path that was read."}),
    pa.field("conversion", pa.string(), metadata={"meaning": "call, lead, new_client or won_deal"}),
    pa.field("day", pa.date32(), metadata={"meaning": "The conversion's day in the workspace's time zone."}),
    pa.field(
        "position", pa.int64(), metadata={"meaning": "Place of the touch on the path, from 1; as in touches."}
    ),
    pa.field("channel", pa.string(), metadata={"meaning": "The channel that is credited."}),
    pa.field("campaign_id", pa.string(), metadata={"meaning": "The campaign that is credited, if there is one."}),
    pa.field("reason", pa.string(), metadata={"meaning": "Why there is no campaign; else empty."}),
)


def credits_schema() -> pa.Schema:
    """A share (0 to 1) and revenue for each model. Shares of a conversion add up to 1, revenue to its revenue."""
    own = [
        field
        for key in BY_PATH
        for field in (
            pa.field(f"{key}_share", pa.decimal128(9, 6), metadata={"meaning": DEFINITIONS[key].meaning}),
            pa.field(f"{key}_revenue", pa.decimal128(20, 2), metadata={"meaning": "Its part of the revenue."}),
        )
    ]
    return pa.schema([*_FIXED, *own], metadata={"meaning": "What each touch earned, by every model."})


async def export_credits(conn: PsycopgConnection, asked: Asked) -> Export:
    """The credits of conversions from ``asked.start`` to ``asked.end``; both are needed.

    Raises ExportRefused without them, and for a cursor: a model that learns may change every row.
    """
    if asked.start is None or asked.end is None:
        raise ExportRefused("Credits are made for a range of days: say from and to.")
    if asked.after is not None:
        raise ExportRefused("Credits have no cursor: models that learn may change every row. Export days.")
    terms = await read_terms(conn, asked.workspace_id)
    question = Question(conn, terms, asked.start, asked.end, Grain.CAMPAIGN, None, DatedBy.EVENT)
    units = Units(await channels_of_campaigns(conn, asked.workspace_id))
    schema = credits_schema()
    cursor = await end_of_feed(conn, asked.workspace_id)
    return Export("credits", schema, _batches(question, units, schema), cursor)


async def _batches(question: Question, units: Units, schema: pa.Schema) -> AsyncIterator[pa.RecordBatch]:
    learners = await learnt(question, units, BY_PATH)
    async for batch in batches(question, units):
        columns = _fixed(batch, units)
        for key in BY_PATH:
            parts = shares_of(key, batch, learners, MODELS)
            money = split(batch.kopecks, parts, batch.journeys.starts)
            columns += [_decimal(parts, 6), _decimal(money, 2)]
        yield pa.record_batch(
            [column.cast(field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
        )


def _fixed(batch: Batch, units: Units) -> list[pa.Array]:
    owners = batch.journeys.owners
    names, channels = units.names(), list(units.channels)
    ids = [str(UUID(bytes=bytes(id))) for id in batch.ids.tolist()]
    days = [_FIRST_DAY + timedelta(days=day) for day in batch.days.tolist()]
    credited = [names[unit] for unit in batch.units.tolist()]
    return [
        pa.array(ids).take(pa.array(owners)),
        pa.array(batch.versions[owners]),
        pa.array([KINDS[kind] for kind in batch.kinds.tolist()]).take(pa.array(owners)),
        pa.array(days, pa.date32()).take(pa.array(owners)),
        pa.array(batch.journeys.positions + 1),
        pa.array([channels[number] for number in batch.channels.tolist()], pa.string()),
        pa.array(
            [None if unit.campaign == _NIL else str(UUID(bytes=unit.campaign)) for unit in credited], pa.string()
        ),
        pa.array([unit.reason for unit in credited], pa.string()),
    ]


def _decimal(values: Ints, scale: int) -> pa.Array:
    """Whole numbers of the last decimal place as decimals, without a number in Python for each."""
    whole = pa.array(values).cast(pa.decimal128(38, 0))
    return pa.Array.from_buffers(pa.decimal128(38, scale), len(whole), whole.buffers())
