"""Columns of many rows as numpy arrays: the transport that makes figures quick.

A statement aggregates each column into one value (``array_agg``), which PostgreSQL sends in its binary form and
numpy reads where it lies: a row costs no call of Python. Arrays within rows come through
``string_agg(array_send(…), '')`` and lose their headers here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.database import PsycopgConnection
from reports.models import Ints

Ids = npt.NDArray[np.void]
"""Ids as 16 bytes each."""

_HEADER, _EMPTY_HEADER = 20, 12
_LONGEST = 16
"""Words of so many bytes are told apart as numbers."""
_WIDTHS: Mapping[str, str] = {
    "int4": ">i4",
    "int8": ">i8",
    "bool": "?",
    "moment": ">i8",
    "day": ">i4",
    "uuid": "V16",
}


@dataclass(frozen=True, slots=True)
class Words:
    """Words of which many are the same: the distinct ones, and for each word the number of its like."""

    spelled: list[str]
    numbers: Ints

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[str]:
        return (self.spelled[number] for number in self.numbers.tolist())

    def only(self, which: npt.NDArray[np.bool_] | Ints) -> Words:
        return Words(self.spelled, self.numbers[which])

    def are(self, word: str) -> npt.NDArray[np.bool_]:
        """Which of them are this word."""
        return np.array([each == word for each in self.spelled], np.bool_)[self.numbers]

    @classmethod
    def of(cls, text: bytes, size: int) -> Words:
        """``size`` words with commas between them."""
        if not size:
            return cls([], np.empty(0, np.int64))
        letters = np.frombuffer(text + b"," + bytes(_LONGEST), np.uint8)
        ends = np.flatnonzero(letters[: len(text) + 1] == ord(","))
        begins = np.concatenate(([0], ends[:-1] + 1))
        lengths = ends - begins
        if lengths.max() > _LONGEST:
            spelled: dict[str, int] = {}
            numbers = [spelled.setdefault(word, len(spelled)) for word in text.decode().split(",")]
            return cls(list(spelled), np.array(numbers, np.int64))
        table = np.lib.stride_tricks.sliding_window_view(letters, _LONGEST)[begins]
        table *= np.arange(_LONGEST) < lengths[:, None]
        return cls._told_apart(table)

    @classmethod
    def _told_apart(cls, table: npt.NDArray[np.uint8]) -> Words:
        """Words that fill up rows with zeros: those like the first are put aside until none is left."""
        halves = table.view(np.uint64)
        numbers = np.empty(len(table), np.int64)
        spelled: list[str] = []
        left = np.arange(len(table))
        while len(left):
            same = (halves[left] == halves[left[0]]).all(axis=1)
            numbers[left[same]] = len(spelled)
            spelled.append(table[left[0]].tobytes().rstrip(b"\0").decode())
            left = left[~same]
        return cls(spelled, numbers)


class Columns:
    """The one row of a statement that aggregates columns."""

    def __init__(self, values: list[bytes | None]) -> None:
        self._values = values

    @classmethod
    async def fetch(cls, conn: PsycopgConnection, statement: str, parameters: Mapping[str, Any]) -> Columns:
        """Run a statement that gives one row of arrays, byte strings and texts."""
        async with conn.cursor(binary=True) as cursor:
            await cursor.execute(statement.encode(), parameters)
            result = cursor.pgresult
            if result is None or result.ntuples != 1:
                raise RuntimeError("A statement for columns must give one row.")
            return cls([result.get_value(0, number) for number in range(result.nfields)])

    def whole(self, number: int, kind: str = "int8") -> Ints:
        """A column of whole numbers: int4, int8, moment (microseconds since 2000, as PostgreSQL keeps them) or day
        (since the first of 2000)."""
        return self._fixed(number, _WIDTHS[kind]).astype(np.int64)

    def ids(self, number: int) -> Ids:
        return self._fixed(number, "V16").copy()

    def bytes(self, number: int, size: int) -> list[bytes]:
        """Byte strings of one size that ``string_agg`` laid one after another."""
        raw = self._values[number] or b""
        return [raw[begin : begin + size] for begin in range(0, len(raw), size)]

    def text(self, number: int) -> str:
        """A text that ``string_agg`` made; empty if there was nothing to aggregate."""
        return (self._values[number] or b"").decode()

    def words(self, number: int, size: int) -> Words:
        """A text of ``size`` words with commas between them."""
        return Words.of(self._values[number] or b"", size)

    def nested(self, number: int, kind: str, sizes: Ints) -> npt.NDArray[Any]:
        """The elements of arrays of these sizes, one after another: kinds as in ``whole``, or uuid."""
        element = np.dtype([("length", ">i4"), ("value", _WIDTHS[kind])])
        # In words of 4 bytes, of which all parts of an array are made.
        words = np.frombuffer(self._values[number] or b"", np.uint32)
        headers = np.where(sizes > 0, _HEADER, _EMPTY_HEADER) // 4
        lengths = headers + sizes * (element.itemsize // 4)
        begins = np.cumsum(lengths) - lengths
        keep = np.ones(len(words), np.bool_)
        for width in (_EMPTY_HEADER // 4, _HEADER // 4):
            mine = begins[headers == width]
            keep[(mine[:, None] + np.arange(width)).ravel()] = False
        values = words[keep].view(element)["value"]
        return values.copy() if kind == "uuid" else values.astype(np.int64)

    def _fixed(self, number: int, width: str) -> npt.NDArray[Any]:
        raw = self._values[number]
        if raw is None or len(raw) <= _EMPTY_HEADER:
            return np.empty(0, width)
        return np.frombuffer(raw, np.dtype([("length", ">i4"), ("value", width)]), offset=_HEADER)["value"]


def numbered(values: Ids) -> tuple[Ids, Ints]:
    """The distinct ids, and for each id the number of its like."""
    if not len(values):
        return values, np.empty(0, np.int64)
    halves = values.view(np.uint64).reshape(-1, 2)
    # Sorting numbers is far quicker than sorting bytes; two ids that share a half are told apart the slow way.
    _, which = np.unique(halves[:, 1], return_inverse=True)
    first = np.empty(int(which.max()) + 1, np.int64)
    first[which] = np.arange(len(which))
    if not np.array_equal(halves[first[which], 0], halves[:, 0]):
        _, first, which = np.unique(halves, axis=0, return_index=True, return_inverse=True)
    return values[first], which.reshape(-1).astype(np.int64)
