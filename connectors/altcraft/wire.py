"""Shapes of Altcraft's answers: the fields that are mapped, and no more (BEHAVIOR.md)."""

from __future__ import annotations

from typing import Any

import msgspec


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer says: 0 is success, whatever the HTTP status [2]."""

    error: int
    error_text: str = ""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list. How the pointer to the next one is called in two of the lists isn't known [8]."""

    data: list[msgspec.Raw] | None = None
    next_from_id: str | int | None = None


class One(msgspec.Struct, frozen=True, kw_only=True):
    data: msgspec.Raw = msgspec.Raw(b"null")


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """Its name stands in the answer itself, or in ``data``."""

    name: str | None = None
    data: Any = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    profile_id: str


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A batch: the overall verdict says nothing of its rows."""

    result: list[Verdict] | dict[str, Any] | None = None


class ProfileKey(msgspec.Struct, frozen=True, kw_only=True):
    """``id`` in lists, ``_id`` where it was asked for so."""

    id: str | None = None
    other: str | None = msgspec.field(default=None, name="_id")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the history."""

    action: str
    datetime: str
    profile_id: str | None = None
    event_id: str | None = None
    email: str | None = None
    message_id: int | str | None = None
    message_name: str | None = None
    campaign_id: int | str | None = None
    campaign_name: str | None = None
    channel: str | None = None
    subscription: dict[str, Any] | None = None


class HookEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of an action hook."""

    event_type: str
    profile_id: str | None = None
    list_id: int | None = None
    is_test: bool = False
