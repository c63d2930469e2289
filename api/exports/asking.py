"""What may be asked of an export, and how it is refused: without Arrow, which is loaded with the first export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from core.errors import SkvozError
from schema.enums import Role


class ExportRefused(SkvozError):
    """An export can't be made as it is asked for; the sentence says what to ask instead."""

    code = "BAD_EXPORT"


class NoSuchExport(ExportRefused):
    """There is no table of that name."""


class CursorTooOld(SkvozError):
    """The changes since a cursor aren't all kept any more."""

    code = "CURSOR_TOO_OLD"


class Format(StrEnum):
    """The forms in which a table leaves."""

    PARQUET = "parquet"
    CSV = "csv"
    ARROW = "arrow"


MEDIA_TYPES = {
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.CSV: "text/csv; charset=utf-8",
    Format.ARROW: "application/vnd.apache.arrow.stream",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows: days from ``start`` to ``end``, and what changed after the feed's position ``after``."""

    workspace_id: UUID
    role: Role
    start: date | None = None
    end: date | None = None
    after: int | None = None
