"""What of a record can be weighed, though none of it is a key: names, birthdays, addresses, who took it, and when.

Traits are pure functions of the record. Two records are compared only if they stand in a *block* together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import blake2b

import msgspec

from schema.enums import ClientKind, IdentifierKind, RecordKind
from sync.identity.keys import Key, is_landline, is_role_mailbox
from sync.identity.names import comparable, given_name, patronymic

SLOT = 32 * 60
"""Seconds: how long after a call (or a form) its card is still thought to be made of it."""

_DAY = 86_400
_SUBSCRIBER = 7  # digits of a phone behind its operator's code
_SHORTEST_MAILBOX = 5  # letters; a shorter name is everybody's


class Traits(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """``at`` is in seconds since 1970 (0: nobody knows); ``taken`` is the log and the employee that have it.
    Names are by sound, phones E.164, mailboxes lower-case, the rest as it is comparable."""

    client_kind: str
    record_kind: str
    at: int
    names: tuple[str, ...] = ()
    patronymic: str | None = None
    birthday: str | None = None
    phones: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    firm: str | None = None
    taken: tuple[str, str] | None = None

    @property
    def is_call(self) -> bool:
        """Whether it is a call from a number that has told no name."""
        return self.record_kind == RecordKind.CALL


def traits_of(
    client_kind: str,
    record_kind: str,
    at: datetime,
    names: Iterable[str],
    keys: Iterable[Key],
    *,
    birthday: str | None = None,
    address: str | None = None,
    firm: str | None = None,
    taken: tuple[str, str] | None = None,
) -> Traits | None:
    """The traits of a record; None when nothing on it could be weighed."""
    spelled = [name for name in names if comparable(name, client_kind)]
    words = (comparable(spelled[0], client_kind) or "").split() if spelled else []
    is_call = record_kind == RecordKind.CALL
    if not words and not (is_call and taken) and record_kind != RecordKind.CONTACT:
        return None
    keys = list(keys)
    return Traits(
        client_kind,
        record_kind,
        int(at.timestamp()),
        tuple(words),
        next((found for name in spelled if (found := patronymic(name))), None)
        if client_kind == ClientKind.PERSON
        else None,
        birthday,
        tuple(sorted(key.value for key in keys if key.kind == IdentifierKind.PHONE)),
        tuple(
            sorted(key.value for key in keys if key.kind == IdentifierKind.EMAIL and not is_role_mailbox(key.value))
        ),
        tuple((comparable(address, ClientKind.COMPANY) or "").split()) if address else (),
        firm,
        taken,
    )


def blocks_of(traits: Traits) -> frozenset[int]:
    """The blocks in which a record stands, as 64-bit numbers."""
    return frozenset(_number(traits, block) for block in named_blocks(traits))


def crowds_of(traits: Traits) -> frozenset[int]:
    """The crowds that a record is counted in, which say nothing by themselves: those who bear its name, and those
    that came in its half hour."""
    return frozenset(crowd for crowd in (bearers_of(traits), slot_of(traits)) if crowd is not None)


def bearers_of(traits: Traits) -> int | None:
    """The crowd of all who bear the whole name of a record, in any form of it."""
    return _number(traits, f"name {_whole_name(traits)}") if traits.names else None


def slot_of(traits: Traits) -> int | None:
    """The crowd of all records but calls that came in one half hour."""
    return _number(traits, f"slot {traits.at // SLOT}") if traits.at and not traits.is_call else None


def _whole_name(traits: Traits) -> str:
    return " ".join(given_name(name) for name in traits.names)


def _number(traits: Traits, block: str) -> int:
    said = f"{traits.client_kind} {block}".encode()
    return int.from_bytes(blake2b(said, digest_size=8).digest(), signed=True)


def named_blocks(traits: Traits) -> Iterator[str]:
    """The blocks in words, the first of which says what their records have in common."""
    if traits.taken is not None and (traits.is_call or traits.record_kind == RecordKind.CONTACT):
        slot = traits.at // SLOT
        log = " ".join(traits.taken)
        yield f"taken {log} {slot}"
        if traits.is_call:
            yield f"taken {log} {slot + 1}"
    if traits.is_call:
        return
    names = traits.names
    if len(names) > 1:
        yield f"name {_whole_name(traits)}"
        for word in names:
            for other in names:
                if other is not word:
                    yield f"word {given_name(word)} {other[0]}"
    for word in names:
        if traits.at:
            yield f"day {given_name(word)} {traits.at // _DAY}"
        if traits.birthday:
            yield f"born {traits.birthday} {word[0]}"
        if traits.firm:
            yield f"firm {traits.firm} {given_name(word)}"
    for phone in traits.phones:
        if is_landline(phone):
            for word in names:
                yield f"desk {phone} {given_name(word)}"
        else:
            yield f"phone {phone[-_SUBSCRIBER:]}"
    for mailbox in traits.mailboxes:
        name = mailbox.partition("@")[0]
        if len(name) >= _SHORTEST_MAILBOX:
            yield f"mailbox {name}"
