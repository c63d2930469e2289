"""What all kinds of rules have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schema.enums import RecordKind

Language = Literal["en", "ru"]
Wins = Literal["ours", "theirs", "most_recent", "never", "by_hand"]
Title = Callable[[UUID], str]
"""What a connection is called, by id."""


class RuleSettings(BaseModel, ABC):
    """Typed settings of one kind of rule. ``write``: the connector's write that the rule needs; ``also_writes``:
    those that some of its changes need; ``causes``: the records that can set it off; ``lacking``: what is said of a
    system without those writes."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    write: ClassVar[str]
    also_writes: ClassVar[tuple[str, ...]] = ()
    causes: ClassVar[frozenset[RecordKind]]
    lacking: ClassVar[str] = "can't take this"

    @abstractmethod
    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        """The rule in plain words. ``target`` is what the connection written to is called."""

    def reads_from(self) -> UUID | None:
        """The one connection whose records are causes; None for all but the one that is written to."""
        return None

    def vendor_fields(self) -> tuple[str, ...]:
        """The fields of the external system that the rule names."""
        return ()

    def users(self) -> tuple[str, ...]:
        """The users of the external system that the rule names."""
        return ()

    def policy(self, field: str) -> Wins:
        """Who wins where the field was changed there meanwhile."""
        return "by_hand"


def joined(parts: list[str], language: Language) -> str:
    """Words as a list in a sentence."""
    last = {"en": " and ", "ru": " и "}[language]
    return last.join([*([", ".join(parts[:-1])] if len(parts) > 1 else []), *parts[-1:]])
