"""How two records' traits agree: a level for each comparison, the vector that Fellegi and Sunter weigh.

Fellegi, Sunter: A Theory for Record Linkage. Journal of the American Statistical Association 64 (1969).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from schema.enums import ClientKind
from sync.identity.keys import is_landline
from sync.identity.names import alike, clearly_differ, given_name, slipped
from sync.identity.traits import SLOT, Traits

UNKNOWN = "unknown"
"""The level of what one of the two doesn't say; it weighs nothing."""

LEVELS: dict[str, tuple[str, ...]] = {
    "name": ("full", "slip", "part", "differ"),
    "patronymic": ("same", "differ"),
    "birthday": ("same", "slip", "differ"),
    "phone": ("same", "desk", "slip", "differ"),
    "email": ("same", "other provider", "slip", "differ"),
    "address": ("same", "part", "differ"),
    "firm": ("same", "differ"),
    "time": ("half an hour", "a day", "apart"),
    "staff": ("same", "differ"),
    "caller": ("unknown until the card",),
}
"""The comparisons, each with its levels, the closest first."""

COMPARISONS = tuple(LEVELS)
_DAY = 86_400
_DIGITS = re.compile(r"\d+")

Vector = tuple[str, ...]
"""A level for each of ``COMPARISONS``."""


def compare(one: Traits, other: Traits, *, all_pairs: bool = False) -> Vector | None:
    """How two records agree; None for two that can't tell anything about each other, and (unless ``all_pairs`` are
    wanted) for two whose names clearly differ.

    A call tells only when it came and who took it: it is compared with the cards made just after it. Its level
    ``caller`` holds all that, on the condition under which alone such a pair is used: nobody's card has the
    caller's number, and nobody called from the card's (`sync.identity.likely`).
    """
    if one.client_kind != other.client_kind or (one.is_call and other.is_call):
        return None
    phone = _best(LEVELS["phone"], (_phone(a, b) for a in one.phones for b in other.phones))
    if one.is_call or other.is_call:
        call, card = (one, other) if one.is_call else (other, one)
        if not 0 <= card.at - call.at <= SLOT or call.taken != card.taken or not call.phones:
            return None
        known = {"phone": "desk" if phone == "desk" else UNKNOWN, "caller": "unknown until the card"}
        return tuple(known.get(comparison, UNKNOWN) for comparison in COMPARISONS)
    name = _names(one.names, other.names, one.client_kind)
    if name == "differ" and not all_pairs:
        return None
    patronymic = _same(one.patronymic, other.patronymic)
    if patronymic == "differ" and one.patronymic and other.patronymic:
        patronymic = "same" if slipped(one.patronymic, other.patronymic) else "differ"
    birthday = _birthday(one.birthday, other.birthday)
    email = _best(LEVELS["email"], (_mailbox(a, b) for a in one.mailboxes for b in other.mailboxes))
    if name == UNKNOWN:  # nobody's name: a row of phones is bought, or made up, and slips of nobody's finger
        phone, email = ("differ" if level == "slip" else level for level in (phone, email))
    address = _address(one.address, other.address)
    firm = _same(one.firm, other.firm)
    gap = abs(one.at - other.at)
    time = "half an hour" if gap <= SLOT else "a day" if gap <= _DAY else "apart"
    if not one.at or not other.at:
        time = UNKNOWN
    same_log = one.taken is not None and other.taken is not None and one.taken[0] == other.taken[0]
    staff = _same(one.taken and one.taken[1], other.taken and other.taken[1]) if same_log else UNKNOWN
    return name, patronymic, birthday, phone, email, address, firm, time, staff, UNKNOWN


def hushed(vector: Vector, *, common_name: bool, busy: bool) -> Vector:
    """The vector of two records that have told a name, without what says nothing in a crowd.

    In a busy half hour (an import, say) being near in time is none of their doing. And a name that many people
    bear is a placeholder, or a firm's in every card: then it says nothing, nor do the hour and the employee, nor
    that their numbers and mailboxes are nearly the same, for such cards are made in rows.
    """
    found = dict(zip(COMPARISONS, vector, strict=True))
    if busy or common_name:
        found["time"] = UNKNOWN
    if common_name:
        found["name"] = UNKNOWN
        found |= {near: "differ" for near in ("phone", "email") if found[near] == "slip"}
        if found["staff"] == "same":
            found["staff"] = UNKNOWN
    return tuple(found.values())


_CORROBORATING = {
    "birthday": ("same", "slip"),
    "phone": ("same", "desk", "slip"),
    "email": ("same", "other provider", "slip"),
    "address": ("same", "part"),
    "firm": ("same",),
    "time": ("half an hour",),
    "caller": ("unknown until the card",),
}


def rests_on_a_name_alone(vector: Vector) -> bool:
    """Whether too little but the name speaks for two records whose phones or mailboxes are others.

    To have come within half an hour makes up for one that differs, not for both, nor for a name that differs too,
    nor for phones on two cards of one employee: he knows whom he had just before.
    """
    found = dict(zip(COMPARISONS, vector, strict=True))
    others = [found["phone"], found["email"]].count("differ")
    if not others:
        return False
    agree = {comparison for comparison, levels in _CORROBORATING.items() if found[comparison] in levels}
    return not agree or (agree == {"time"} and (others == 2 or found["name"] != "full" or found["staff"] == "same"))


def words_in_common(one: Traits, other: Traits) -> tuple[str, ...]:
    """The words of a name that both have, as weighing counts them: a rare one says more."""
    left = {given_name(word) for word in other.names}
    return tuple(word for word in map(given_name, one.names) if word in left)


@lru_cache(maxsize=262_144)
def _names(one: tuple[str, ...], other: tuple[str, ...], kind: str) -> str:
    if not one or not other:
        return UNKNOWN
    if one == other:
        return "full" if len(one) > 1 or kind == ClientKind.COMPANY else "part"
    if clearly_differ(" ".join(one), " ".join(other), kind):
        return "differ"
    if kind == ClientKind.COMPANY:
        return "slip"
    few, many = sorted((one, other), key=len)
    if len(few) == 1:
        return "part" if any(alike(few[0], word) for word in many) else UNKNOWN
    common = {given_name(word) for word in few} & {given_name(word) for word in many}
    return "full" if len(common) == len(few) else "slip"


def _same(one: str | None, other: str | None) -> str:
    if one is None or other is None:
        return UNKNOWN
    return "same" if one == other else "differ"


def _best(levels: tuple[str, ...], found: Iterable[str]) -> str:
    return min(found, key=levels.index, default=UNKNOWN)


def _birthday(one: str | None, other: str | None) -> str:
    level = _same(one, other)
    if level != "differ" or one is None or other is None:
        return level
    (year, month, day), theirs = one.split("-"), tuple(other.split("-"))
    swapped = theirs == (year, day, month)
    return "slip" if swapped or sum(a != b for a, b in zip(one, other, strict=False)) == 1 else "differ"


@lru_cache(maxsize=65_536)
def _phone(one: str, other: str) -> str:
    if one == other:
        return "desk" if is_landline(one) else "same"
    if len(one) != len(other):
        return "differ"
    wrong = [place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    swapped = (
        len(wrong) == 2
        and wrong[1] == wrong[0] + 1
        and one[wrong[0]] == other[wrong[1]]
        and one[wrong[1]] == other[wrong[0]]
    )
    return "slip" if len(wrong) == 1 or swapped else "differ"


@lru_cache(maxsize=65_536)
def _mailbox(one: str, other: str) -> str:
    if one == other:
        return "same"
    name, other_name = one.partition("@")[0], other.partition("@")[0]
    if name == other_name:
        return "other provider" if len(name) > 4 else "differ"
    numbers = _DIGITS.findall(name), _DIGITS.findall(other_name)  # they are there to tell two people apart
    return "slip" if len(name) > 7 and numbers[0] == numbers[1] and slipped(name, other_name) else "differ"


def _address(one: tuple[str, ...], other: tuple[str, ...]) -> str:
    if not one or not other:
        return UNKNOWN
    if one == other:
        return "same"
    common = len(set(one) & set(other))
    return "part" if 2 * common >= min(len(one), len(other)) else "differ"
