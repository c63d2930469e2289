"""A look at an uploaded file before it is connected: how its columns are understood, and what its rows become."""

from __future__ import annotations

from typing import Annotated, Any, cast

import msgspec
import strawberry

from api.graphql.problems import InputProblem, of_refusal, problem
from api.graphql.scalars import JsonValue
from api.graphql.written import Info, allowed
from api.uploads import MAY_UPLOAD, looked_at
from connectors.errors import BadSettings
from connectors.file import CONNECTOR
from connectors.file.preview import Preview, preview_of
from connectors.file.settings import FileSettings
from connectors.file.store import path_of
from schema.records import Record
from sync.errors import Refused
from sync.parsing import parse_settings

_MOST_ROWS, _MOST_FAULTS = 50, 1000
_Rows = Annotated[int, strawberry.argument(description=f"How many rows to show, {_MOST_ROWS} at most.")]
_Faults = Annotated[int, strawberry.argument(description=f"How many faults to tell, {_MOST_FAULTS} at most.")]


@strawberry.type(description="A column of an uploaded file.")
class FileColumn:
    name: str = strawberry.field(description="Its heading.")
    field: str | None = strawberry.field(description="The field that it fills; null if none.")
    toldBy: str | None = strawberry.field(  # noqa: N815 - GraphQL's spelling
        description="What told so: `told` (by you), `name`, `part of the name`, `content`."
    )
    samples: list[str] = strawberry.field(description="The first values in it.")


@strawberry.type(description="A row of an uploaded file, and what would be stored of it.")
class FileRow:
    row: int = strawberry.field(description="Its number in the file.")
    records: list[JsonValue] = strawberry.field(description="The records, each an object with its `type`.")


@strawberry.type(description="A row of an uploaded file that can't be read.")
class FileFault:
    row: int = strawberry.field(description="Its number in the file.")
    message: str = strawberry.field(description="What is wrong with it.")


@strawberry.type(description="How an uploaded file is understood. Nothing is stored by asking.")
class FilePreview:
    form: str = strawberry.field(description="How the file is written: encoding and separator, or the sheet.")
    records: int = strawberry.field(description="Records in it.")
    columns: list[FileColumn] = strawberry.field(description="Its columns, in their order.")
    fields: list[str] = strawberry.field(description="The fields that columns may fill, of this kind.")
    rows: list[FileRow] = strawberry.field(description="The first rows, as they would be stored.")
    faultCount: int = strawberry.field(description="Rows that would go to quarantine.")  # noqa: N815
    faults: list[FileFault] = strawberry.field(description="The first of those rows.")
    warnings: list[str] = strawberry.field(description="What should be known of the file.")
    problems: list[InputProblem] = strawberry.field(
        description="Why it can't be connected like this; empty if it can."
    )


async def _preview(
    info: Info,
    settings: Annotated[
        JsonValue,
        strawberry.argument(
            description="Those that `connectSystem` would get: `kind`, `file` (the reference that `POST /files` "
            "gave) and others of the connector `file`. `columns` says where the guess is wrong."
        ),
    ],
    rows: _Rows = 5,
    faults: _Faults = 100,
) -> FilePreview | None:
    context = allowed(info, MAY_UPLOAD)
    if not isinstance(settings, dict):
        return _refused([problem("settings", "NOT_AN_OBJECT")])
    folder = context.office.settings.files_path

    def found(told: FileSettings) -> Preview:
        content = path_of(folder, told.file.get_secret_value()).read_bytes()
        return preview_of(content, told, show=min(max(rows, 0), _MOST_ROWS))

    try:
        told = parse_settings(CONNECTOR, cast("dict[str, Any]", settings))
        preview = await looked_at(found, cast("FileSettings", told))
    except Refused as refused:
        return _refused(of_refusal(refused))
    except BadSettings as error:
        return _refused([InputProblem(field=error.field, code=error.code, message=error.sentence)])
    return _told(preview, min(max(faults, 0), _MOST_FAULTS))


def file_fields() -> list[Any]:
    """The query about uploaded files."""
    return [
        strawberry.field(
            _preview, name="previewFile", description="How `connectSystem` would understand an uploaded file."
        )
    ]


def _told(preview: Preview, faults: int) -> FilePreview:
    return FilePreview(
        form=preview.form,
        records=preview.records,
        columns=[
            FileColumn(name=each.name, field=each.field, toldBy=each.why, samples=list(each.samples))
            for each in preview.columns
        ],
        fields=list(preview.fields),
        rows=[FileRow(row=row, records=list(map(_shown, records))) for row, records in preview.shown],
        faultCount=len(preview.faults),
        faults=[FileFault(row=row, message=message) for row, message in preview.faults[:faults]],
        warnings=list(preview.warnings),
        problems=[],
    )


def _refused(problems: list[InputProblem]) -> FilePreview:
    return FilePreview(
        form="", records=0, columns=[], fields=[], rows=[], faultCount=0, faults=[], warnings=[], problems=problems
    )


def _shown(record: Record) -> JsonValue:
    """What a record says: without what it leaves open."""
    told = {name: value for name, value in msgspec.to_builtins(record).items() if value not in (None, [], {}, "")}
    return JsonValue({"type": type(record).__name__.removesuffix("Record"), **told})
