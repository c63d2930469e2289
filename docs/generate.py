"""Writes the pages, and the parts of pages, that follow from the code: ``make docs``.

A page marks such a part with ``<!-- generated: NAME -->`` and ``<!-- end -->``; everything between is replaced.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import registry

from api.exports.credits import credits_schema
from connectors.contract import Connector
from connectors.registry import all_connectors
from core.settings import Settings
from reports.comparison import DEFINITIONS
from reports.conversions import CONVERSIONS
from reports.facts import ALL_METRICS
from reports.render import REASONS
from schema.analytics import VIEWS
from schema.tables import Base

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "docs/README.md",
    "docs/figures.md",
    "docs/data-dictionary.md",
    "docs/exports.md",
    *(f"docs/connect/{key}.md" for key in all_connectors()),
)
_PART = re.compile(r"(<!-- generated: (?P<name>[\w ./]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def outdated() -> list[str]:
    """The pages that don't say what the code says, or aren't there."""
    return [page for page in PAGES if not (ROOT / page).exists() or generated(page) != _written(page)]


def generated(page: str) -> str:
    """The page with its generated parts renewed. Raises KeyError for a part that nobody makes."""

    def renew(part: re.Match[str]) -> str:
        name, *arguments = part["name"].split()
        return f"{part[1]}\n{PARTS[name](*arguments)}\n\n{part[3]}"

    return _PART.sub(renew, _written(page))


def _written(page: str) -> str:
    path = ROOT / page
    if not path.exists():  # a new connector's page, to which its author adds where to click
        found = all_connectors()[path.stem]
        return (
            f"# {found.title}\n\n{found.description}\n\n<!-- generated: connection {path.stem} -->\n<!-- end -->\n"
        )
    return path.read_text(encoding="utf-8")


def settings() -> str:
    rows = []
    for name, field in Settings.model_fields.items():
        variable = str(field.validation_alias or f"SKVOZ_{name.upper()}")
        default = field.default
        shown = "" if default in (None, ()) else f"`{default}`"
        rows.append((f"`{variable}`", shown, field.description or _choices(field.annotation)))
    return _table(("Variable", "Default", "What it is"), rows)


def systems(folder: str) -> str:
    """The systems that can be connected; their pages lie in ``folder``, seen from the page that lists them."""
    return "\n".join(
        f"- [{found.title}]({folder}/{key}.md). {found.description}" for key, found in all_connectors().items()
    )


def connection(key: str) -> str:
    """What a connector asks for and what it reads."""
    found = all_connectors()[key]
    asked = [
        (
            f"`{name}`",
            ("yes" if field.is_required() else "no") + (", secret" if found.settings.is_secret(name) else ""),
            f"{field.title}. {field.description}",
        )
        for name, field in found.settings.model_fields.items()
    ]
    read = [
        (
            stream.title,
            ", ".join(kind.replace("_", " ") for kind in stream.makes),
            "all of it, each time" if stream.sweeps else "what is new or changed",
        )
        for stream in found.streams
    ]
    written = [f"- {write.title}" for write in found.writes] or ["Nothing is written there."]
    return "\n\n".join(
        (
            "## Settings",
            _table(("Setting", "Needed", "What it is"), asked),
            "## What is read",
            _table(("List", "Becomes", "Each sync reads"), read),
            _limits(found),
            "## What can be written",
            "\n".join(written),
        )
    )


def figures() -> str:
    rows = [
        (
            f"`{metric.key}`",
            metric.name_en,
            metric.name_ru,
            str(metric.unit),
            f"{metric.formula.text()}",
            metric.meaning + (f" Revenue: {metric.basis}." if metric.basis else ""),
            metric.source,
        )
        for metric in ALL_METRICS.values()
    ]
    return _table(("Key", "Name", "По-русски", "Unit", "Formula", "Meaning", "Source"), rows)


def models() -> str:
    rows = [
        (f"`{each.key}`", each.name_en, each.name_ru, each.meaning, each.source) for each in DEFINITIONS.values()
    ]
    return _table(("Key", "Name", "По-русски", "Meaning", "Source"), rows)


def conversions() -> str:
    rows = [(f"`{each.key}`", each.name_en, each.name_ru, each.meaning) for each in CONVERSIONS.values()]
    return _table(("Key", "Name", "По-русски", "What counts"), rows)


def reasons() -> str:
    return _table(("Reason", "Meaning"), [(f"`{reason}`", sentence) for reason, sentence in REASONS.items()])


def tables() -> str:
    """Every table with its columns, by subject."""
    parts = []
    subject = ""
    for mapper in sorted(Base.registry.mappers, key=lambda each: (each.class_.__module__, each.class_.__name__)):
        module = mapper.class_.__module__
        if module != subject:
            subject = module
            doc = (sys.modules[module].__doc__ or "").strip()
            parts.append(f"## {module.rpartition('.')[2].capitalize()}\n\n{_joined(doc)}")
        table = mapper.local_table
        if not isinstance(table, Table):
            raise TypeError(f"{mapper} is not mapped to a table.")
        columns = [
            (f"`{column.name}`", _type_of(column), "yes" if column.nullable else "", column.comment or "")
            for column in table.columns
        ]
        parts.append(
            f"### {table.name}\n\n{_joined(mapper.class_.__doc__ or '')}\n\n"
            f"Primary key: {', '.join(f'`{column.name}`' for column in table.primary_key)}.\n\n"
            + _table(("Column", "Type", "Null", "Meaning"), columns)
        )
    return "\n\n".join(parts)


def exports() -> str:
    """Every table for analysts with its columns."""
    parts = []
    for view in VIEWS:
        columns = [
            (f"`{each.name}`", str(each.holds), "masked" if each.personal else "", each.meaning)
            for each in view.columns
        ]
        parts.append(
            f"### {view.name}\n\n{view.meaning} Key: {', '.join(f'`{name}`' for name in view.key)}.\n\n"
            + _table(("Column", "Type", "For analysts", "Meaning"), columns)
        )
    columns = [
        (f"`{field.name}`", str(field.type), "", field.metadata[b"meaning"].decode()) for field in credits_schema()
    ]
    table = _table(("Column", "Type", "For analysts", "Meaning"), columns)
    parts.append(f"### credits\n\n{credits_schema().metadata[b'meaning'].decode()}\n\n{table}")
    return "\n\n".join(parts)


PARTS: dict[str, Callable[..., str]] = {
    "settings": settings,
    "systems": systems,
    "connection": connection,
    "figures": figures,
    "models": models,
    "conversions": conversions,
    "reasons": reasons,
    "tables": tables,
    "exports": exports,
}


def _limits(found: Connector[Any]) -> str:
    limits = [
        f"{limit.requests} requests in {limit.seconds:g} s"
        + (f" ({limit.burst} at once)" if limit.burst > 1 else "")
        + (f" (<{limit.source}>)" if limit.source.startswith("https://") else f" ({limit.source})")
        for limit in found.limits
    ]
    kept = f"Skvoz sends at most {'; '.join(limits)}, counted over all workers. " if limits else ""
    return f"{kept}Verified by: {found.verified_by}. The vendor's documentation: <{found.docs_url}>."


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return _joined(text).replace("|", "\\|").replace("<", "&lt;")


def _joined(text: str) -> str:
    return " ".join(text.split())


def _choices(annotation: Any) -> str:
    return "One of " + ", ".join(f"`{choice}`" for choice in annotation.__args__) + "."


def _type_of(column: Any) -> str:
    return str(column.type.compile(dialect=registry.load("postgresql")())).lower()


def main() -> None:
    """Renew all pages, and name those that changed."""
    for page in outdated():
        (ROOT / page).write_text(generated(page), encoding="utf-8")
        print(page)  # noqa: T201 - this is a command


if __name__ == "__main__":
    main()
