"""`search` finds clients by what is known of them; `customFields` lists the fields that vendors' accounts have."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import strawberry

from api.graphql.build import argument, field, list_of, optional
from api.graphql.declare import Entity, Kind, One, computed
from api.graphql.enums import ENUMS
from api.graphql.errors import CallerError
from api.graphql.ids import parse_id
from api.graphql.masks import MASKED_ROLES
from api.graphql.phones import fragment, spelled
from api.graphql.plan import Details, Planner
from api.graphql.roots import Root
from api.graphql.rows import many_objects
from api.graphql.types import Types
from api.graphql.values import Viewer, current
from schema.enums import RecordKind

_SHORTEST, _LONGEST = 2, 200
_MOST_HITS = 100
_PHONE = re.compile(r"^\+?[\d\s()\-.]{3,30}$")
_WORD_ENDS = re.compile(r"[\s,;]+")

SEARCH_HIT = Entity(
    name="SearchHit",
    table="hits",
    node=False,
    tenant=None,
    description="A client that was found, and by what.",
    fields=(
        One(name="client", target="Client", description="The client.", on="{t}.id = {x}.client_id"),
        computed("score", Kind.FLOAT, "{x}.score", "How well it fits, 0 to 1: 1 is the very text.", nullable=False),
        computed(
            "field",
            Kind.STRING,
            "{x}.field",
            "Where the text was found: `name`, `phone`, `email`, `several` (all together), `deal` or `externalId`.",
            nullable=False,
        ),
        One(
            name="deal",
            target="Deal",
            description="The deal whose title or id it was; null if it was something else.",
            on="{t}.id = {x}.deal_id",
        ),
    ),
)

ENTITIES = (SEARCH_HIT,)


def search_roots(types: Types) -> list[Root]:
    return [_search(types), _custom_fields(types)]


def _search(types: Types) -> Root:
    client = types.entities["Client"]
    made = field(
        "search",
        optional(list_of(types["SearchHit"])),
        "Clients by name, phone (any fragment of three digits or more), e-mail, title of a deal or id in an "
        "external system, best first. All words must be found. Roles that see personal data masked search by deals "
        "and ids only.",
        [
            argument("text", str, f"What to look for, {_SHORTEST} to {_LONGEST} characters."),
            argument("first", int, f"How many clients; {_MOST_HITS} at most.", default=20),
        ],
    )

    def expression(planner: Planner, parent: str, details: Details, _source: Any) -> str:
        arguments = planner.arguments(parent, details)
        text, hit, c = arguments["text"], planner.alias(), planner.alias()
        found = (
            f"search_clients({planner.bind(text, 'text[]', _words)}, {planner.bind(text, 'text[]', _patterns)}, "
            f"{planner.bind(text, 'text', _whole)}, {planner.bind(text, 'text', _number)}, "
            f"{'false' if planner.role in MASKED_ROLES else 'true'}, "
            f"{planner.bind(arguments['first'], 'integer', _size)})"
        )
        seen = (
            f"exists(select from {client.table} {c} where {planner.tenant(client, c)} and {c}.id = {hit}.client_id)"
        )
        return many_objects(
            planner.of_row(SEARCH_HIT, details, hit),
            planner.alias(),
            f"from rows from ({found}) with ordinality {hit}(client_id, field, deal_id, score, place) "
            f"where {seen} order by {hit}.place",
        )

    return Root(made, expression)


def _custom_fields(types: Types) -> Root:
    entity = types.entities["CustomField"]
    made = field(
        "customFields",
        optional(list_of(types["CustomField"])),
        "The fields that vendors' accounts have of their own, by whose they are, name and key.",
        [
            argument("type", optional(ENUMS[RecordKind]), "Only those of records of this type.", default=None),
            argument("connection", optional(strawberry.ID), "Only those of this connected system.", default=None),
        ],
    )

    def expression(planner: Planner, parent: str, details: Details, _source: Any) -> str:
        arguments, x = planner.arguments(parent, details), planner.alias()
        conditions = [planner.tenant(entity, x)]
        if arguments["type"] is not None:
            kind = current(arguments["type"])
            conditions.append(f"{x}.record_kind = {planner.bind(getattr(kind, 'value', kind), 'text')}")
        if arguments["connection"] is not None:
            conditions.append(f"{x}.connection_id = {planner.bind(arguments['connection'], 'uuid', _connection)}")
        return many_objects(
            planner.of_row(entity, details, x),
            planner.alias(),
            f"from {entity.table} {x} where {' and '.join(conditions)} "
            f"order by {x}.record_kind, {x}.label, {x}.key, {x}.connection_id",
        )

    return Root(made, expression)


def _connection(value: Any, _viewer: Viewer) -> UUID | None:
    found = parse_id(str(value))
    return found[1] if found is not None and found[0] == "ConnectedSystem" else None


def _whole(value: Any, _viewer: Viewer) -> str:
    text = " ".join(str(value).split())
    if not _SHORTEST <= len(text) <= _LONGEST:
        raise CallerError(f"Search for {_SHORTEST} to {_LONGEST} characters.")
    return text


def _words(value: Any, viewer: Viewer) -> list[str]:
    """What must be found: words, or the digits of what looks like a phone."""
    text = _whole(value, viewer)
    if _PHONE.match(text):
        return [fragment(text, viewer)]
    return [each for each in _WORD_ENDS.split(text.lower().replace("ё", "е")) if each]


def _patterns(value: Any, viewer: Viewer) -> list[str]:
    return [each.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for each in _words(value, viewer)]


def _number(value: Any, viewer: Viewer) -> str | None:
    number = spelled(_whole(value, viewer), viewer)
    return number if number.startswith("+") else None


def _size(value: Any, _viewer: Viewer) -> int:
    if not 0 <= value <= _MOST_HITS:
        raise CallerError(f"Ask for 0 to {_MOST_HITS} clients, not {value}.")
    return int(value)
