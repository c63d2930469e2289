"""What answers in place of a vendor: the uploaded file, asked for an overview or for a page of its records."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from pathlib import Path

import httpx
import msgspec

from connectors.contract import VendorRequest, VendorResponse
from connectors.file.records import Reading, reading_of
from connectors.file.settings import FileSettings
from connectors.file.store import path_of
from connectors.file.table import table_of

PAGE = 1000
OVERVIEW, RECORDS = "/overview", "/records"


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How the file was understood."""

    form: str
    header: int | None
    columns: list[tuple[str, str | None]]  # each with the field it fills
    records: int
    sums: list[int]
    repeated: int
    absent: list[str]


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records: ids and bodies."""

    records: list[tuple[str, msgspec.Raw]]
    total: int


async def answer(settings: FileSettings, request: VendorRequest, folder: Path) -> VendorResponse:
    """The file's answer. Raises BadSettings where it can't be read."""
    path = path_of(folder, settings.file.get_secret_value())
    # The settings go by their text, since what is remembered must not be changed from outside.
    reading = await asyncio.to_thread(_reading, path, settings.model_dump_json(exclude={"file"}))
    if request.path == OVERVIEW:
        return _told(overview(reading))
    offset = int(str(request.query["offset"]))
    page = reading.records[offset : offset + PAGE]
    return _told(
        Records(
            records=[(record.external_id, msgspec.Raw(record.body)) for record in page], total=len(reading.records)
        )
    )


def overview(reading: Reading) -> Overview:
    """A reading in short."""
    fields = {match.column: match.field for match in reading.matches}
    return Overview(
        form=reading.table.form,
        header=reading.table.header,
        columns=[(column, fields.get(column)) for column in reading.table.columns],
        records=len(reading.records),
        sums=list(reading.sums),
        repeated=reading.repeated,
        absent=list(reading.absent),
    )


@lru_cache(maxsize=1)  # the pages of a run come one after the other
def _reading(path: Path, settings_text: str) -> Reading:
    told = msgspec.json.decode(settings_text, type=dict)
    settings = FileSettings.model_validate({**told, "file": path.name})
    table = table_of(path.read_bytes(), settings.kind, sheet=settings.sheet, separator=settings.separator)
    return reading_of(table, settings)


def _told(content: Overview | Records) -> VendorResponse:
    return VendorResponse(200, httpx.Headers(), msgspec.json.encode(content))
