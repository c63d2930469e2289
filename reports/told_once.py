"""Calls and leads that several systems tell of, counted once: the rule of ``reports.paths`` that looks at records
beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from reports.columns import Ids
from reports.known import DIRECT_WORD, TOUCH_KINDS, UNKNOWN_WORD, Told, Touches, by_id, have_campaigns
from schema.enums import RecordKind

SAME_CALL = timedelta(seconds=120)
SAME_LEAD = timedelta(hours=24)

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Groups:
    """Calls or leads told once: of each the first telling, its touch (at the first telling, with the origin of the
    one that knows most), and, by the first record's id, the ids of further ones."""

    firsts: Ids
    touches: Touches
    others: Mapping[bytes, list[bytes]]


def told_once(kind: RecordKind, told: Told, apart: timedelta) -> Groups:
    """Put records that tell of the same call or lead, no longer apart than that, together.

    Each joins the oldest group that it can belong to, so that two calls of a minute's distance, both told by
    two systems, are two. The order in which the records came doesn't matter.
    """
    within = int(apart / _MICROSECOND)
    order = np.lexsort((*by_id(told.records), told.at, told.keys, told.owners))
    owners, keys, at = told.owners[order], told.keys[order], told.at[order]
    near = (owners[1:] == owners[:-1]) & (keys[1:] == keys[:-1]) & (keys[1:] >= 0) & (at[1:] - at[:-1] <= within)
    before, after = np.concatenate(([False], near))[: len(order)], np.append(near, False)[: len(order)]
    alone = order[~(before | after)]
    firsts, bests, others = [], [], {}
    begins, ends = np.flatnonzero(after & ~before), np.flatnonzero(before & ~after) + 1
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        for group in _groups(told, order[begin:end].tolist(), within):
            firsts.append(group[0])
            bests.append(_knows_most(told, group))
            if len(group) > 1:
                others[told.records[group[0]].tobytes()] = [told.records[row].tobytes() for row in group[1:]]
    first = np.concatenate((alone, np.array(firsts, np.int64)))
    best = np.concatenate((alone, np.array(bests, np.int64)))
    kinds = np.full(len(first), TOUCH_KINDS.index(kind))
    touches = Touches(
        told.owners[first], told.at[first], kinds, told.records[best], told.channels[best], told.campaigns[best]
    )
    return Groups(told.records[first], touches, others)


def _groups(told: Told, rows: list[int], within: int) -> list[list[int]]:
    groups: list[list[int]] = []
    for row in rows:
        for group in groups:
            tellers = (told.tellers[other] for other in group)
            if told.at[row] - told.at[group[0]] <= within and told.tellers[row] not in tellers:
                group.append(row)
                break
        else:
            groups.append([row])
    return groups


def _knows_most(told: Told, group: list[int]) -> int:
    campaigns, channels = have_campaigns(told.campaigns[group]).tolist(), told.channels[group].tolist()
    ranks = [
        (campaign, channel not in {UNKNOWN_WORD, DIRECT_WORD}, channel == DIRECT_WORD and not any(campaigns))
        for campaign, channel in zip(campaigns, channels, strict=True)
    ]
    return group[ranks.index(max(ranks))]
