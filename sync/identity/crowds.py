"""What many records have in common says nothing: names that many people bear, half hours in which many came.

Both follow from the stored records alone: when a name becomes common, or is so no more, all who bear it are weighed
anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sync.identity.comparisons import Vector, hushed
from sync.identity.traits import Traits, bearers_of, slot_of

LARGEST_BLOCK = 50
"""Records in a block, from which on what they have in common is too common to look at."""

MOST_NAMESAKES = 3
"""How many people a name may belong to, as their phones and mailboxes tell, before it is taken for no name."""


def is_common(bearers: Collection[Traits]) -> bool:
    """Whether the records that bear a name belong to too many people, or are too many to tell."""
    if len(bearers) <= MOST_NAMESAKES:
        return False
    return len(bearers) > LARGEST_BLOCK or count_holders(bearers) > MOST_NAMESAKES


def count_holders(bearers: Iterable[Traits]) -> int:
    """To how many people records of one name belong: those with a phone or a mailbox in common are one."""
    holders: list[set[str]] = []
    silent = 0
    for traits in bearers:
        met = {*traits.phones, *traits.mailboxes}
        if not met:
            silent += 1
            continue
        apart = []
        for holder in holders:
            if holder.isdisjoint(met):
                apart.append(holder)
            else:
                met |= holder
        holders = [*apart, met]
    return len(holders) + silent


@dataclass(frozen=True, slots=True)
class Crowds:
    """The names that too many people bear, and the half hours in which too many records came."""

    common: Collection[int] = ()
    busy: Collection[int] = ()

    def hush(self, vector: Vector, one: Traits, other: Traits) -> Vector:
        """What two records' agreement comes to."""
        if one.is_call or other.is_call:
            return vector
        return hushed(
            vector,
            common_name=any(bearers_of(each) in self.common for each in (one, other)),
            busy=any(slot_of(each) in self.busy for each in (one, other)),
        )


def crowds_among(told: Mapping[Any, Traits]) -> Crowds:
    """The crowds among records that are all there are."""
    bearers: dict[int, list[Traits]] = {}
    slots: dict[int, int] = {}
    for traits in told.values():
        if (name := bearers_of(traits)) is not None:
            bearers.setdefault(name, []).append(traits)
        if (slot := slot_of(traits)) is not None:
            slots[slot] = slots.get(slot, 0) + 1
    return Crowds(
        frozenset(name for name, who in bearers.items() if is_common(who)),
        frozenset(slot for slot, count in slots.items() if count > LARGEST_BLOCK),
    )
