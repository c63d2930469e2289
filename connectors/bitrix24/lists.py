"""Bitrix24's list methods, as commands of a ``batch``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec

PAGE_ROWS = 50  # [6] fixed by the vendor
MAX_LISTS = 25  # [9] the vendor allows 50 commands; half keeps a batch well below its limit of 60 s
SLOW_SECONDS = 20.0  # a batch that took longer is followed by one of half the size
OVERLAP = timedelta(minutes=5)  # [10]
CALLS_OVERLAP = timedelta(days=1)  # [24]
NO_COUNT = ("start", "-1")  # [7] don't count the rows: what makes lists of millions fast
FROM_TOP = ("start", "0")  # [8] for methods where -1 isn't documented

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list method. ``changed`` is the field that a run's lower bound is put on; with ``whole`` the first
    run reads everything, however old. ``inside`` is the key under which the rows stand in ``result``. ``told_by``
    are the fields that tell what a row hangs on: with them, ids and times of change are all that a comparison asks
    for; without them it asks for whole rows.
    """

    method: str
    changed: str | None = None
    whole: bool = False
    overlap: timedelta = OVERLAP
    filter_name: str = "filter"
    ascending: Pairs = (("order[ID]", "ASC"),)
    descending: Pairs = (("order[ID]", "DESC"),)
    fixed: Pairs = ()
    start: tuple[str, str] = NO_COUNT
    inside: str | None = None
    told_by: tuple[str, ...] = ()

    def command(self, after: str, since: str | None) -> str:
        """The command for the page that follows the row ``after``, an id or a reference to one."""
        pairs = [*self.ascending, (f"{self.filter_name}[>ID]", after), *self._since(since), *self.fixed, self.start]
        return self._written(pairs)

    def compared(self, after: str, since: str | None, until: str | None) -> str:
        """The command for a page of what changed from ``since`` on and before ``until``."""
        return self._written(
            [
                *self.ascending,
                (f"{self.filter_name}[>ID]", after),
                *self._since(since),
                *self._until(until),
                *(self._brief if self.told_by else self.fixed),
                self.start,
            ]
        )

    def counted(self, since: str | None, until: str | None) -> str:
        """The command by whose total the rows of a span are counted."""
        return self._written([*self._since(since), *self._until(until), ("select[0]", "ID"), *self._own, FROM_TOP])

    def single(self, field: str, value: str) -> str:
        """The command for the one row whose ``field`` is ``value``, told as pages tell it."""
        return self._written([*self.ascending, (f"{self.filter_name}[{field}]", value), *self.fixed, self.start])

    def newest(self, since: str | None) -> str:
        """The command for the highest id, by which progress is told."""
        return self._written([*self.descending, *self._since(since), ("select[0]", "ID"), *self._own, self.start])

    def reference(self, command: str) -> str:
        """The id of that command's fiftieth row."""
        inside = f"[{self.inside}]" if self.inside else ""
        return f"$result[{command}]{inside}[{PAGE_ROWS - 1}][ID]"

    def rows(self, result: msgspec.Raw) -> list[msgspec.Raw]:
        if self.inside is not None:
            held = msgspec.json.decode(result, type=dict[str, msgspec.Raw] | list[msgspec.Raw])
            if isinstance(held, list):
                return held
            result = held.get(self.inside, msgspec.Raw(b"[]"))
        found = msgspec.json.decode(result, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
        return found if isinstance(found, list) else list(found.values())  # [4] PHP keys may make it a map

    @property
    def _own(self) -> Pairs:
        return tuple(pair for pair in self.fixed if not pair[0].startswith("select["))

    @property
    def _brief(self) -> Pairs:
        return select("ID", self.changed or "ID", *self.told_by)

    def _until(self, until: str | None) -> Pairs:
        return () if until is None else ((f"{self.filter_name}[<{self.changed}]", until),)

    def _since(self, since: str | None) -> Pairs:
        return () if since is None else ((f"{self.filter_name}[>={self.changed}]", since),)

    def _written(self, pairs: Sequence[tuple[str, str]]) -> str:
        # References stay as they are; all else is encoded once, as a batch in a JSON body wants it [9].
        query = "&".join(f"{quote(name, safe='[]')}={quote(value, safe='$[]')}" for name, value in pairs)
        return f"{self.method}?{query}"


class Time(msgspec.Struct):
    duration: float = 0.0


class Results(msgspec.Struct):
    result: dict[str, msgspec.Raw] | list[msgspec.Raw] = msgspec.field(default_factory=dict)
    result_total: dict[str, int] | list[int] = msgspec.field(default_factory=dict)


class Batch(msgspec.Struct):
    result: Results
    time: Time | None = None


class Row(msgspec.Struct, rename="upper"):
    id: str | int


BATCH = msgspec.json.Decoder(Batch)
ROW = msgspec.json.Decoder(Row)


def written_time(value: datetime) -> str:
    """A time as filters want it [11]; the one line to change if a portal wants it otherwise."""
    return value.astimezone(UTC).isoformat(timespec="seconds")


def rising(after: int, ids: list[int]) -> bool:
    return all(low < high for low, high in zip([after, *ids], ids, strict=False))


def select(*names: str) -> Pairs:
    return tuple((f"select[{number}]", name) for number, name in enumerate(names))
