# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""`search` finds clients by what is known of them; `customFields` lists the fields that vendors' accounts have."""

from __future__ import annotations

import re
from typing import Any

from api.graphql.build import argument, constant, field, list_of, optional
from api.graphql.declare import Entity, Kind, One, computed
from api.graphql.enums import graphql_enum
from api.graphql.errors import CallerError, Forbidden
from api.graphql.masks import MASKED_ROLES
from api.graphql.phones import fragment, spelled
from api.graphql.plan import Details, Planner
from api.graphql.roots import Root
from api.graphql.rows import many_objects
from api.graphql.types import Types
from api.graphql.values import Viewer

_SHORTEST, _LONGEST = 2, 200
_MOST_HITS, _SAMPLED_ROWS = 100, 5000
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

CUSTOM_FIELD = Entity(
    name="CustomField",
    table="fields",
    node=False,
    tenant=None,
    description="A field that a vendor's account has of its own, found in the records that were read.",
    fields=(
        computed("key", Kind.STRING, "{x}.key", "The vendor's key, for `customField(key:)`.", nullable=False),
        computed("label", Kind.STRING, "{x}.key", "A name for people; the key where the vendor tells no other.",
                 nullable=False),
        computed("type", Kind.STRING, "{x}.type", "`string`, `number`, `boolean`, `array`, `object`, or `mixed` "
                 "where records differ.", nullable=False),
        computed("records", Kind.INT, "{x}.records", "How many of the records looked at have it.", nullable=False),
        computed("samples", Kind.JSON, "{x}.samples", "Up to five values, as a JSON array."),
        One(name="connection", target="ConnectedSystem", description="The account that has the field.",
            on="{t}.id = {x}.connection_id"),
    ),
)  # fmt: skip

ENTITIES = (SEARCH_HIT, CUSTOM_FIELD)


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
    holders = {name: entity for name, entity in types.entities.items() if entity.custom() is not None}
    kinds = graphql_enum(
        "CustomFieldsOf",
        "Types whose rows have vendors' own fields.",
        {constant(name): (name, entity.description) for name, entity in holders.items()},
    )
    made = field(
        "customFields",
        optional(list_of(types["CustomField"])),
        f"The vendors' own fields of the rows of a type, by account and key, as the newest {_SAMPLED_ROWS} rows "
        "show them.",
        [argument("type", kinds, "Whose fields.")],
    )

    def expression(planner: Planner, parent: str, details: Details, _source: Any) -> str:
        if planner.role in MASKED_ROLES:
            raise Forbidden(f"The role {planner.role.value} may not read customFields: it sees them masked.")
        wanted = planner.arguments(parent, details)["type"]
        entity = holders[getattr(wanted, "value", wanted)]
        t, row = planner.alias(), planner.alias()
        fields = (
            "select r.connection_id, f.key, count(*)::int as records, "
            "case when count(distinct jsonb_typeof(f.value)) = 1 then min(jsonb_typeof(f.value)) "
            "else 'mixed' end as type, "
            "to_jsonb((array_agg(distinct f.value))[1:5]) as samples "
            f"from (select {t}.connection_id, {t}.custom from {entity.table} {t} where "
            f"{planner.listed(entity, t)} and {t}.custom is not null "
            f"order by {t}.loaded_at desc limit {_SAMPLED_ROWS}) r, jsonb_each(r.custom) f "
            "where f.value <> 'null'::jsonb group by r.connection_id, f.key"
        )
        return many_objects(
            planner.of_row(CUSTOM_FIELD, details, row),
            planner.alias(),
            f"from ({fields}) {row} order by {row}.connection_id, {row}.key",
        )

    return Root(made, expression)


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
