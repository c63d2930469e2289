"""The campaign report by any model: credits made from the stored paths at the moment of asking.

Rollups hold one model; all others are a pure function of paths, now or as they were believed at a past moment, so
that no setting rewrites the past. Paths come in batches of days as columns, and memory doesn't grow with their
number.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import orjson

from core.database import PsycopgConnection
from reports import markov
from reports.campaigns import (
    CampaignReport,
    Grain,
    campaign_report_statement,
    channels_of_campaigns,
    read_report,
)
from reports.comparison import MARKOV, SHAPLEY, Learner, chosen, shares
from reports.conversions import CONVERSIONS, Conversion, Definition
from reports.models import MODELS, WHOLE, Ints, Model, split
from reports.rollups import COUNTED_AS, VALUED_AS
from reports.rules import NO_RULES, Grouping
from reports.stored_paths import KINDS, Batch, DatedBy, Unit, Units, stored_paths
from reports.terms import Terms, read_terms
from reports.unconverted import unconverted

ROLLED_UP = "last_non_direct"
"""The model that the rollups are kept by, and that answers at once."""

_UNITS_OF_MARKOV = 2_000
_FIRST_DAY = date(2000, 1, 1)
_VALUES = list(VALUED_AS.values())
"""The figures of money."""
_VALUE_OF_KIND = np.array([_VALUES.index(VALUED_AS[kind]) if kind in VALUED_AS else -1 for kind in KINDS])
"""The place of its money for each kind of conversion, or -1."""


async def models_report(
    conn: PsycopgConnection,
    workspace_id: UUID,
    start: date,
    end: date,
    models: Collection[str] = ("all",),
    *,
    by: Grain | str = Grain.CAMPAIGN,
    as_known_at: datetime | None = None,
    dated_by: DatedBy | str = DatedBy.EVENT,
    settings: Mapping[str, Model] = MODELS,
    conversion: Conversion | str | None = None,
    window_days: int | None = None,
    rules: Grouping = NO_RULES,
) -> dict[str, CampaignReport]:
    """The campaign report by each of these models, side by side: for each model the rows and their totals.

    Credited conversions are decimals to six places, revenue is exact to the hundredth, and both add up to the
    same totals by every model. Cost, impressions, clicks and visits are the same by every model.

    ``dated_by`` FIRST_TOUCH counts a conversion on the day of the first touch in its window (cohort view).
    ``settings`` are the models with weights of one's own (``reports.comparison.with_settings``). A direct touch
    that a model credits counts in the row of direct visits. With ``conversion`` only these conversions are counted,
    in the figure of their kind, and data-driven models learn from journeys to them; ``window_days`` is a narrower
    window than the workspace's. ``rules`` say which campaigns tags mean, and how channels are grouped.

    Raises ``ValueError`` for an unknown model, grain or conversion, for Markov by days or months (its chain is that
    of the whole range), for a window that paths aren't kept with and for more campaigns than a chain can have.
    """
    keys, grain, dated = chosen(models), Grain(by), DatedBy(dated_by)
    if MARKOV.key in keys and grain.period is not None:
        raise ValueError("The Markov model learns from the whole range of days: ask for it without days or months.")
    terms = await read_terms(conn, workspace_id)
    only = None if conversion is None else CONVERSIONS[Conversion(conversion)]
    question = Question(conn, terms, start, end, grain, as_known_at, dated, only, window_days, rules)
    present = as_known_at is None and dated is DatedBy.EVENT and only is None and window_days is None
    computed = [key for key in keys if key != ROLLED_UP or not present]
    credited = await _credits(question, computed, settings)
    found = {}
    for key in keys:
        statement = campaign_report_statement(
            workspace_id,
            start,
            end,
            by=grain,
            as_known_at=as_known_at,
            credits_json=credited.get(key),
            rules=rules,
        )
        found[key] = await read_report(conn, workspace_id, statement)
    return found


async def report_by_model(
    conn: PsycopgConnection,
    workspace_id: UUID,
    start: date,
    end: date,
    model: str = ROLLED_UP,
    *,
    by: Grain | str = Grain.CAMPAIGN,
    as_known_at: datetime | None = None,
    dated_by: DatedBy | str = DatedBy.EVENT,
    settings: Mapping[str, Model] = MODELS,
    conversion: Conversion | str | None = None,
    window_days: int | None = None,
    rules: Grouping = NO_RULES,
) -> CampaignReport:
    """The campaign report by one model; see ``models_report``."""
    found = await models_report(
        conn,
        workspace_id,
        start,
        end,
        [model],
        by=by,
        as_known_at=as_known_at,
        dated_by=dated_by,
        settings=settings,
        conversion=conversion,
        window_days=window_days,
        rules=rules,
    )
    return found[model]


@dataclass(frozen=True, slots=True)
class Question:
    """Which conversions are asked for, and how they are counted; None: all of them, the workspace's window."""

    conn: PsycopgConnection
    terms: Terms
    start: date
    end: date
    grain: Grain
    as_known_at: datetime | None
    dated_by: DatedBy
    conversion: Definition | None = None
    window_days: int | None = None
    rules: Grouping = NO_RULES

    async def units(self) -> Units:
        """Numbers for what the question's touches are counted for."""
        return Units(await channels_of_campaigns(self.conn, self.terms.workspace_id), self.rules)


class _Cells:
    """The cells of the report that a batch's touches count in, numbered once for all models."""

    def __init__(self, batch: Batch, grain: Grain) -> None:
        journeys = batch.journeys
        days, periods = np.unique(batch.periods(grain.period), return_inverse=True)
        dense = batch.units * len(days) + periods[journeys.owners]
        met = np.bincount(dense) > 0
        found = np.flatnonzero(met)
        cells = (np.cumsum(met) - 1)[dense]
        self.keys = _key(found // max(len(days), 1), days[found % max(len(days), 1)])
        self._columns = cells * len(KINDS) + batch.kinds[journeys.owners]
        # Few conversions bring money: only those need it split.
        self._values = _VALUE_OF_KIND[batch.kinds]
        self._valued = np.flatnonzero((batch.kopecks != 0) & (self._values >= 0))
        self._starts, self._touches = journeys.only(self._valued)
        self._kopecks = batch.kopecks[self._valued]
        values = np.repeat(self._values[self._valued], journeys.sizes[self._valued])
        self._money = cells[self._touches] * len(_VALUES) + values

    def credits(self, parts: Ints) -> Ints:
        """What each cell is credited with where these are the touches' millionths, as ``_Sums`` keeps it."""
        money = split(self._kopecks, parts[self._touches], self._starts)
        counts = _summed(self._columns, parts, len(self.keys), len(KINDS))
        return np.hstack((counts, _summed(self._money, money, len(self.keys), len(_VALUES))))


def _summed(columns: Ints, amounts: Ints, rows: int, width: int) -> Ints:
    """Exact as long as a sum stays below 2**53."""
    earned = np.flatnonzero(amounts)
    sums = np.bincount(columns[earned], weights=amounts[earned], minlength=rows * width)
    return sums.astype(np.int64).reshape(rows, width)


class _Sums:
    """Credits by unit and period: each kind of conversion in millionths, then each kind of money in hundredths."""

    def __init__(self) -> None:
        self._keys: list[Ints] = []
        self._values: list[Ints] = []

    def add(self, keys: Ints, values: Ints) -> None:
        """A row of sums for each key; a key may come again."""
        self._keys.append(keys)
        self._values.append(values)

    def rows(self) -> Iterator[tuple[int, list[int]]]:
        """The key and the sums of each cell."""
        if not self._keys:
            return
        keys, values = np.concatenate(self._keys), np.concatenate(self._values)
        order = np.argsort(keys, kind="stable")
        found, begins = np.unique(keys[order], return_index=True)
        total = np.add.reduceat(values[order], begins, axis=0)
        kept = total.any(axis=1)
        yield from zip(found[kept].tolist(), total[kept].tolist(), strict=True)


class Learners:
    """What data-driven models know, for each kind of conversion; Markov's states are the rows of the report."""

    def __init__(self, by_channel: bool) -> None:
        self.by_channel = by_channel
        self.of = [Learner(0) for _ in KINDS]
        self.totals = [[0, 0] for _ in KINDS]

    def hear(self, batch: Batch, units: Units) -> None:
        for kind, learner in enumerate(self.of):
            paths = np.flatnonzero((batch.kinds == kind) & (batch.journeys.sizes > 0))
            if len(paths):
                starts, touches = batch.journeys.only(paths)
                ones = np.ones(len(paths), np.int64)
                self._learn(learner, units, starts, batch.units[touches], batch.channels[touches], ones)
                self.totals[kind][0] += len(paths) * WHOLE
                self.totals[kind][1] += int(batch.kopecks[paths].sum())

    async def hear_of_unconverted(self, question: Question, units: Units) -> None:
        found = unconverted(
            question.conn,
            question.terms,
            question.start,
            question.end,
            KINDS if question.conversion is None else (str(question.conversion.kind),),
            as_known_at=question.as_known_at,
            conversion=question.conversion,
        )
        async for touches in found:
            theirs, channels = units.of(touches.campaigns, touches.channels)
            owners = np.repeat(np.arange(len(touches.starts) - 1), np.diff(touches.starts))
            for kind, kept in touches.after.items():
                learner = self.of[KINDS.index(kind)]
                sizes = np.bincount(owners[kept], minlength=len(touches.starts) - 1)
                starts = np.concatenate(([0], np.cumsum(sizes[sizes > 0]))).astype(np.int64)
                lost = np.zeros(len(starts) - 1, np.int64)
                self._learn(learner, units, starts, theirs[kept], channels[kept], lost)

    def _learn(
        self, learner: Learner, units: Units, starts: Ints, theirs: Ints, channels: Ints, converted: Ints
    ) -> None:
        states = channels if self.by_channel else theirs
        number = len(units.channels) if self.by_channel else len(units.units)
        if number > _UNITS_OF_MARKOV:
            raise ValueError(
                f"The Markov model can tell {_UNITS_OF_MARKOV:,} campaigns apart, here are more: ask for channels."
            )
        learner.grow(number)
        learner.hear(starts, states, channels, converted)


async def _credits(question: Question, keys: Collection[str], settings: Mapping[str, Model]) -> dict[str, str]:
    """The credits by each of these models as JSON rows for the report's statement."""
    if not keys:
        return {}
    units = await question.units()
    learners = await learnt(question, units, keys)
    sums = {key: _Sums() for key in keys}
    by_path = [key for key in keys if key != MARKOV.key]
    async for batch in batches(question, units):
        cells = _Cells(batch, question.grain)
        for key in by_path:
            sums[key].add(cells.keys, cells.credits(shares_of(key, batch, learners, settings)))
        untouched = _untouched(batch, question.grain)
        for found in sums.values():
            found.add(*untouched)
    if MARKOV.key in sums:
        _add_markov(sums[MARKOV.key], learners, units)
    return {key: _as_json(found, units) for key, found in sums.items()}


async def learnt(question: Question, units: Units, keys: Collection[str]) -> Learners:
    """What the data-driven ones among these models know of all journeys of the question."""
    learners = Learners(question.grain.dimension == "channel")
    if {MARKOV.key, SHAPLEY.key} & set(keys):
        async for batch in batches(question, units):
            learners.hear(batch, units)
        await learners.hear_of_unconverted(question, units)
    return learners


def batches(question: Question, units: Units) -> AsyncIterator[Batch]:
    return stored_paths(
        question.conn,
        question.terms,
        question.start,
        question.end,
        units,
        as_known_at=question.as_known_at,
        dated_by=question.dated_by,
        conversion=question.conversion,
        window_days=question.window_days,
    )


def shares_of(key: str, batch: Batch, learners: Learners, settings: Mapping[str, Model]) -> Ints:
    """The millionths of its conversion that each touch earned, by any model but Markov's."""
    return _shapley(batch, learners) if key == SHAPLEY.key else settings[key].shares(batch.journeys)


def _shapley(batch: Batch, learners: Learners) -> Ints:
    """Each kind of conversion has conversion rates of its own."""
    parts = np.zeros(len(batch.units), np.int64)
    for kind, learner in enumerate(learners.of):
        paths = np.flatnonzero(batch.kinds == kind)
        if len(paths):
            _, touches = batch.journeys.only(paths)
            part = batch.journeys.part(paths)
            parts[touches] = shares(SHAPLEY.key, part, batch.channels[touches], learner, MODELS)
    return parts


def _untouched(batch: Batch, grain: Grain) -> tuple[Ints, Ints]:
    """Conversions without a touch count for the reason why they have none, by every model: keys and sums."""
    paths = np.flatnonzero(batch.journeys.sizes == 0)
    keys, cells = np.unique(_key(batch.reasons, batch.periods(grain.period)[paths]), return_inverse=True)
    kinds, kopecks = batch.kinds[paths], batch.kopecks[paths]
    return keys, _table(cells, kinds, np.full(len(paths), WHOLE), kopecks, len(keys))


def _table(cells: Ints, kinds: Ints, parts: Ints, kopecks: Ints, rows: int) -> Ints:
    """The sums of so many cells, as ``_Sums`` keeps them."""
    counts = _summed(cells * len(KINDS) + kinds, parts, rows, len(KINDS))
    values = _VALUE_OF_KIND[kinds]
    valued = values >= 0
    money = _summed((cells * len(_VALUES) + values)[valued], kopecks[valued], rows, len(_VALUES))
    return np.hstack((counts, money))


def _add_markov(sums: _Sums, learners: Learners, units: Units) -> None:
    for kind, (learner, totals) in enumerate(zip(learners.of, learners.totals, strict=True)):
        parts, money = markov.credit(learner.counts, totals)
        numbers = np.arange(len(parts))
        if learners.by_channel:
            numbers = np.array([units.of_channel(channel) for channel in range(len(parts))], np.int64)
        cells, kinds = np.arange(len(parts)), np.full(len(parts), kind)
        sums.add(_key(numbers, np.zeros(len(parts), np.int64)), _table(cells, kinds, parts, money, len(parts)))


def _key(units: Ints, periods: Ints) -> Ints:
    return (units << 24) + periods


def _as_json(sums: _Sums, units: Units) -> str:
    names = units.names()
    return orjson.dumps([_row(names[key >> 24], key & 0xFFFFFF, values) for key, values in sums.rows()]).decode()


def _row(unit: Unit, period: int, values: list[int]) -> dict[str, object]:
    counts = {COUNTED_AS[kind]: str(Decimal(value).scaleb(-6)) for kind, value in zip(KINDS, values, strict=False)}
    return {
        "day": _FIRST_DAY + timedelta(days=period),
        "campaign_id": UUID(bytes=unit.campaign),
        "reason": unit.reason,
        "channel": unit.channel,
        **counts,
        **{figure: str(Decimal(values[place]).scaleb(-2)) for place, figure in enumerate(_VALUES, len(KINDS))},
    }
