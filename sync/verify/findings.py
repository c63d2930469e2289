"""What a verification found, and how that is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from connectors.contract import Span

Kind = Literal["missing", "extra", "different", "links"]
KINDS: tuple[Kind, ...] = ("missing", "extra", "different", "links")


@dataclass(frozen=True, slots=True)
class Wrong:
    """One record that isn't here as it is there. ``missing``: there and not here; ``extra``: here and deleted
    there; ``different``: another state; ``links``: it hangs on other records. ``since``: when we should have known;
    ``run_id``: the sync that should have brought it."""

    external_id: str
    kind: Kind
    since: datetime | None = None
    run_id: UUID | None = None


@dataclass(slots=True)
class Part:
    """What was found in one span of a stream. ``there`` and ``here`` are numbers of records, ``total`` what the
    vendor itself says, ``waiting`` those of them that stand in quarantine."""

    span: Span | None
    there: int = 0
    here: int = 0
    total: int | None = None
    waiting: int = 0
    wrong: list[Wrong] = field(default_factory=list)

    def number(self, kind: Kind) -> int:
        return sum(each.kind == kind for each in self.wrong)

    @property
    def off(self) -> int:
        """By how many records totals disagree, where the vendor tells nothing but those."""
        return abs(self.there - self.here) if not self.wrong else 0

    @property
    def since(self) -> datetime | None:
        """Since when it was wrong."""
        return min((each.since for each in self.wrong if each.since is not None), default=None)


@dataclass(slots=True)
class Found:
    """What was found in one stream. ``compared``: False where the vendor has no way to ask. ``brake`` says why
    nothing was marked as deleted, ``error`` why the stream could not be compared to its end; ``sampled`` is how
    many records were fetched for themselves; ``mended`` counts what was brought here, ``deleted`` what was marked.
    """

    stream: str
    title: str
    parts: list[Part] = field(default_factory=list)
    compared: bool = True
    sampled: int = 0
    mended: int = 0
    deleted: int = 0
    brake: str | None = None
    error: str | None = None

    def number(self, kind: Kind) -> int:
        return sum(part.number(kind) for part in self.parts)

    @property
    def there(self) -> int:
        return sum(part.there for part in self.parts)

    @property
    def here(self) -> int:
        return sum(part.here for part in self.parts)

    @property
    def waiting(self) -> int:
        return sum(part.waiting for part in self.parts)

    @property
    def wrong(self) -> int:
        return sum(len(part.wrong) + part.off for part in self.parts)

    @property
    def since(self) -> datetime | None:
        return min((since for part in self.parts if (since := part.since) is not None), default=None)

    @property
    def sentence(self) -> str:
        """How the stream stands, in plain words."""
        if self.error is not None:
            return f"It could not be compared: {self.error}"
        if not self.compared:
            return "The system has no list of these to compare with."
        said = [self._said(kind) for kind in KINDS if self.number(kind)]
        off = sum(part.off for part in self.parts)
        if off:
            said.append(f"the numbers of records disagree by {off:,}")
        if not said:
            text = f"Everything is here: {self.there:,}."
        else:
            since = "" if self.since is None else f" since {self.since:%Y-%m-%d %H:%M} UTC"
            text = f"{_capital(_listed(said))}{since}."
            done = [f"{self.mended:,} brought here"] if self.mended else []
            done += [f"{self.deleted:,} marked as deleted"] if self.deleted else []
            text += f" {_capital(_listed(done))}." if done else ""
        if self.waiting:
            text += f" {self.waiting:,} in quarantine."
        return f"{text} {self.brake}" if self.brake else text

    def _said(self, kind: Kind) -> str:
        number = self.number(kind)
        verb = "is" if number == 1 else "are"
        match kind:
            case "missing":
                return f"{number:,} {verb} missing"
            case "extra":
                return f"{number:,} {'was' if number == 1 else 'were'} deleted there"
            case "different":
                return f"{number:,} {'differs' if number == 1 else 'differ'}"
            case "links":
                return f"{number:,} {'hangs' if number == 1 else 'hang'} on other records there"


@dataclass(slots=True)
class Verified:
    """A verification. ``run_id`` is the run by which records were brought here, if any were."""

    id: UUID
    connection_id: UUID
    streams: list[Found]
    requests: int = 0
    run_id: UUID | None = None
    error: str | None = None

    @property
    def wrong(self) -> int:
        return sum(found.wrong for found in self.streams)

    @property
    def alarms(self) -> Sequence[str]:
        """What a person should look at: a brake that held, a stream that could not be compared."""
        brakes = [f"{found.title}: {found.brake}" for found in self.streams if found.brake]
        return [*brakes, *(f"{found.title}: {found.error}" for found in self.streams if found.error)]

    @property
    def sentence(self) -> str:
        if self.error is not None:
            return f"It was not finished: {self.error}"
        there = sum(found.there for found in self.streams if found.compared)
        alarms = "".join(f" {each}" for each in self.alarms)
        if not self.wrong:
            return f"Everything is here: {there:,} records compared.{alarms}"
        mended = sum(found.mended + found.deleted for found in self.streams)
        told = "1 record is" if self.wrong == 1 else f"{self.wrong:,} records are"
        return f"{told} not here as they are there, of {there:,}; {mended:,} were mended.{alarms}"


def _listed(said: Sequence[str]) -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
