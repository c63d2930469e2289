"""Files: costs, calls, contacts and deals out of CSV and Excel, for whatever has no connector of its own."""

from __future__ import annotations

from functools import partial

from connectors.contract import Connector, Stream
from connectors.file.fields import SHAPES
from connectors.file.mapping import KINDS
from connectors.file.reads import ask, check, read, start_of
from connectors.file.settings import FileSettings
from connectors.file.vendor import answer


def _base_url(_settings: FileSettings) -> str:
    return "https://localhost"  # never contacted: ``source`` answers


def _account(settings: FileSettings) -> str:
    return str(settings.kind)


CONNECTOR = Connector(
    key="file",
    title="Files (CSV, Excel)",
    description="Costs, calls, contacts and deals out of CSV and Excel, for what has no connector of its own.",
    docs_url="https://www.rfc-editor.org/rfc/rfc4180",
    settings=FileSettings,
    streams=tuple(
        Stream(
            name=str(kind),
            title=f"{kind.capitalize()} from files",
            makes=shape.makes,
            start=partial(start_of, kind),
            request=ask,
            read=read,
            map=KINDS[kind],
            volatile=frozenset({"rows"}),
        )
        for kind, shape in SHAPES.items()
    ),
    base_url=_base_url,
    account=_account,
    check=check,
    source=answer,
    verified_by="documentation",
)
