"""What each touch of a report's conversions earned by a model, as arrays that a statement joins to the paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from core.arrays import plain
from reports.by_model import Question, batches, learnt, shares_of
from reports.comparison import MARKOV
from reports.models import MODELS, WHOLE, Ints, Model, split

MOST = 300_000
"""So many credited touches fit into one statement; a quarter of a million weighs about 20 MB in it."""


@dataclass(frozen=True, slots=True)
class TouchShares:
    """One element for each credited touch: the version of the path, the touch's position counted from the last one,
    which is 1 (0: the path has none in the window), the day on which it counts (since 2000), its part of the
    conversion, and of the money."""

    conversions: tuple[str, ...]
    versions: tuple[int, ...]
    positions: tuple[int, ...]
    days: tuple[int, ...]
    parts: tuple[Decimal, ...]
    money: tuple[Decimal, ...]

    @property
    def parameters(self) -> dict[str, Any]:
        """By the names that ``PATHS_BY_SHARES`` has for them; texts, which cost PostgreSQL least to read."""
        named = {
            "report_conversions": self.conversions,
            "report_versions": self.versions,
            "report_positions": self.positions,
            "report_days": self.days,
            "report_parts": self.parts,
            "report_money": self.money,
        }
        return {name: plain(values) for name, values in named.items()}


PATHS_BY_SHARES = """(
    select p.workspace_id, p.conversion_id, p.version, p.kind, p.client_id, p.record_id, p.also_told_by,
        p.occurred_at, p.currency, p.touch_records, p.touch_kinds, p.touch_times, p.opened_at,
        date '2000-01-01' + g.day as day, p.known_from, p.known_until, o.position as credited, g.part,
        g.money as revenue, o.campaign_id,
        case when o.position = 0 and cardinality(p.touch_times) = 0 then p.reason
            when o.position = 0 and p.client_id is null then 'no_client'
            when o.position = 0 then 'window_passed'
            when o.campaign_id <> '00000000-0000-0000-0000-000000000000' then ''
            when o.channel = 'direct' then 'direct_only' else 'no_campaign' end as reason,
        case when o.position = 0 or o.campaign_id <> '00000000-0000-0000-0000-000000000000' then ''
            else o.channel end as channel
    from unnest(
        %(report_conversions)s::uuid[], %(report_versions)s::integer[], %(report_positions)s::integer[],
        %(report_days)s::integer[], %(report_parts)s::numeric[], %(report_money)s::numeric[]
    ) as g(conversion_id, version, from_last, day, part, money)
    join path p on p.workspace_id = %(report_workspace)s and p.conversion_id = g.conversion_id
        and p.version = g.version
    cross join lateral (
        select case when g.from_last = 0 then 0 else cardinality(p.touch_times) + 1 - g.from_last end as position
    ) n
    cross join lateral (
        select n.position,
            case when n.position = 0 then '00000000-0000-0000-0000-000000000000' else p.touch_campaigns[n.position]
                end as campaign_id,
            coalesce(nullif(p.touch_channels[n.position], ''), 'direct') as channel
    ) o
)"""
"""Paths as if each touch were a path of its own that has only its part: what reads ``path`` reads this too."""


async def touch_shares(question: Question, model: str, settings: Mapping[str, Model] = MODELS) -> TouchShares:
    """What the touches of the question's conversions earned by the model.

    Raises ``ValueError`` for Markov's model, which credits no single path, and where more touches are credited
    than a statement takes.
    """
    if model == MARKOV.key:
        raise ValueError(
            "The Markov model credits all journeys together and no single touch, so other dimensions than the "
            "campaign tree can't be told: ask modelsReport, or take another model."
        )
    units = await question.units()
    learners = await learnt(question, units, [model])
    conversions: list[str] = []
    columns: list[list[Ints]] = [[], [], [], [], []]
    async for batch in batches(question, units):
        parts = shares_of(model, batch, learners, settings)
        money = split(batch.kopecks, parts, batch.journeys.starts)
        owners = batch.journeys.owners
        positions = batch.journeys.starts[owners + 1] - np.arange(len(parts))
        earned = np.flatnonzero(parts > 0)
        alone = np.flatnonzero(batch.journeys.sizes == 0)
        of = np.concatenate((owners[earned], alone))
        conversions += [batch.ids[path].tobytes().hex() for path in of.tolist()]
        nothing = np.zeros(len(alone), np.int64)
        for column, of_touches, of_untouched in zip(
            columns,
            (
                batch.versions[owners[earned]],
                positions[earned],
                batch.days[owners[earned]],
                parts[earned],
                money[earned],
            ),
            (batch.versions[alone], nothing, batch.days[alone], nothing + WHOLE, batch.kopecks[alone]),
            strict=True,
        ):
            column.append(np.concatenate((of_touches, of_untouched)))
        if len(conversions) > MOST:
            raise ValueError(
                f"By this model more than {MOST:,} touches are credited in these days: ask for fewer days, for the "
                "model LAST_NON_DIRECT, or ask modelsReport, which tells campaigns and channels apart."
            )
    versions, positions_of, days_of, parts_of, money_of = (
        np.concatenate(column).tolist() if column else [] for column in columns
    )
    return TouchShares(
        tuple(conversions),
        tuple(versions),
        tuple(positions_of),
        tuple(days_of),
        tuple(Decimal(part).scaleb(-6) for part in parts_of),
        tuple(Decimal(amount).scaleb(-2) for amount in money_of),
    )
