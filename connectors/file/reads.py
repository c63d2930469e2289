"""Reading of a file page by page. One stream a kind; a file that was read to its end isn't read again."""

from __future__ import annotations

import hashlib

import msgspec

from connectors.contract import (
    Health,
    Page,
    Position,
    RawRecord,
    Start,
    VendorRequest,
    VendorResponse,
    VendorSession,
)
from connectors.errors import VendorError
from connectors.file.fields import Kind
from connectors.file.settings import FileSettings
from connectors.file.vendor import OVERVIEW, PAGE, RECORDS, Overview, Records

ROWS_NAMED = 5


def start_of(kind: Kind, settings: FileSettings, start: Start) -> Position | None:
    """The first page, unless the connection's files are of another kind, or this very file was read before."""
    read = _fingerprint(settings)
    if settings.kind is not kind or (start.cursor is not None and start.cursor["read"] == read):
        return None
    return {"offset": 0, "read": read}


def ask(_settings: FileSettings, position: Position) -> VendorRequest:
    return VendorRequest(RECORDS, query={"offset": position["offset"]})


def read(_settings: FileSettings, position: Position, response: VendorResponse) -> Page:
    page = msgspec.json.decode(response.content, type=Records)
    records = [RawRecord(id, bytes(body)) for id, body in page.records]
    after = position["offset"] + PAGE
    if after >= page.total:
        return Page(records, None, {"read": position["read"]}, 1.0)
    return Page(records, {**position, "offset": after}, done=after / page.total)


async def check(session: VendorSession[FileSettings]) -> Health:
    """Read the file, and say how it was understood."""
    try:
        answer = await session.send(VendorRequest(OVERVIEW))
    except VendorError as error:
        return Health(ok=False, sentence=error.sentence)
    found = msgspec.json.decode(answer.content, type=Overview)
    settings = session.settings
    used = ", ".join(f"{column} = {field}" for column, field in found.columns if field is not None)
    return Health(
        ok=found.records > 0,
        sentence=(
            f"{settings.file_name or 'The file'} ({found.form}) holds {found.records} records of {settings.kind}:"
            f" {used}."
            if found.records
            else "The file has a header and no rows."
        ),
        account=f"{settings.kind.capitalize()} from files",
        warnings=warnings_of(found),
    )


def warnings_of(found: Overview) -> tuple[str, ...]:
    """What a user should know of a file that can be read."""
    warnings = []
    left = [column for column, field in found.columns if field is None]
    if left:
        warnings.append(f"Columns that fill no field: {', '.join(left)}.")
    if found.absent:
        warnings.append(f"Columns that were told and that the file lacks: {', '.join(found.absent)}.")
    if found.sums:
        rows = ", ".join(map(str, found.sums[:ROWS_NAMED])) + (", …" if len(found.sums) > ROWS_NAMED else "")
        warnings.append(f"Left out as rows of sums: {rows}.")
    if found.repeated:
        warnings.append(f"{found.repeated} rows repeat an id that stands above them; the last one of each holds.")
    if found.header is None:
        warnings.append("No row names the columns: they are called column 1, column 2 and so on.")
    return tuple(warnings)


def _fingerprint(settings: FileSettings) -> str:
    told = settings.file.get_secret_value() + settings.model_dump_json(exclude={"file", "file_name", "since"})
    return hashlib.sha256(told.encode()).hexdigest()
