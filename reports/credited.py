"""The receipt of any model: the conversions of which a row of the report has a share, and each touch's share.

What is counted here adds up to the row of ``reports.by_model`` exactly, whatever the model, the window and the
moment of knowledge. Markov's credits are those of all journeys together and have no receipt by single paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import numpy as np
import orjson

from reports.by_model import Question, batches, learnt, shares_of
from reports.campaigns import Statement
from reports.comparison import MARKOV
from reports.models import MODELS, WHOLE, Ints, Model, split
from reports.paths import NIL
from reports.receipt import Whose, touched_statement
from reports.stored_paths import Batch, Unit, Units


@dataclass(frozen=True, slots=True)
class Credited:
    """A conversion, and what of it one row of the report has.

    ``share`` in millionths and ``kopecks`` in hundredths; ``shares`` are those of all its touches within the
    window, the last ones of the stored path.
    """

    conversion_id: UUID
    version: int
    share: int
    kopecks: int
    shares: tuple[int, ...]


async def credited(
    question: Question, model: str, whose: Whose, settings: Mapping[str, Model] = MODELS
) -> list[Credited]:
    """The conversions of which a campaign, or what belongs to none for a reason, has a share by the model.

    Raises ``ValueError`` for an unknown model and for Markov's.
    """
    if model == MARKOV.key:
        raise ValueError("The Markov model credits all journeys together: no conversion has a share of its own.")
    units = await question.units()
    learners = await learnt(question, units, [model])
    found: list[Credited] = []
    async for batch in batches(question, units):
        shares = shares_of(model, batch, learners, settings)
        found += _of_batch(batch, shares, _wanted(units, whose))
    return found


def credited_statement(workspace_id: UUID, found: list[Credited]) -> Statement:
    """The conversions with their paths, as ``reports.receipt`` gives them: ``counted`` is the share, ``amount`` its
    value, and each touch has its ``share``."""
    given = [
        {
            "conversion_id": each.conversion_id,
            "version": each.version,
            "counted": str(Decimal(each.share).scaleb(-6)),
            "amount": str(Decimal(each.kopecks).scaleb(-2)),
            "shares": [str(Decimal(share).scaleb(-6)) for share in each.shares],
        }
        for each in found
    ]
    return touched_statement(workspace_id, orjson.dumps(given).decode())


def _wanted(units: Units, whose: Whose) -> Ints:
    """The numbers of the units that the row counts."""

    def fits(unit: Unit) -> bool:
        if whose.campaign_id is not None:
            return unit.campaign == whose.campaign_id.bytes
        return unit.campaign == NIL.bytes and unit.reason == whose.reason and whose.channel in {None, unit.channel}

    return np.array([number for number, unit in enumerate(units.names()) if fits(unit)], np.int64)


def _of_batch(batch: Batch, shares: Ints, wanted: Ints) -> list[Credited]:
    journeys = batch.journeys
    money = split(batch.kopecks, shares, journeys.starts)
    mine = np.isin(batch.units, wanted)
    parts = np.bincount(journeys.owners[mine], weights=shares[mine], minlength=len(journeys)).astype(np.int64)
    kopecks = np.bincount(journeys.owners[mine], weights=money[mine], minlength=len(journeys)).astype(np.int64)
    untouched = np.flatnonzero(journeys.sizes == 0)[np.isin(batch.reasons, wanted)]
    parts[untouched], kopecks[untouched] = WHOLE, batch.kopecks[untouched]
    return [
        Credited(
            UUID(bytes=batch.ids[path].tobytes()),
            int(batch.versions[path]),
            int(parts[path]),
            int(kopecks[path]),
            tuple(shares[journeys.starts[path] : journeys.starts[path + 1]].tolist()),
        )
        for path in np.flatnonzero(parts > 0).tolist()
    ]
