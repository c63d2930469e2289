# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""`changes`: the change feed as a connection, in the order of commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.graphql.build import argument, field, list_of, optional, paging_arguments
from api.graphql.connection import connection
from api.graphql.declare import Column, Entity, Kind, One, Reference, computed
from api.graphql.enums import ENUMS
from api.graphql.paging import Key, Window, window
from api.graphql.plan import Details, Planner
from api.graphql.roots import Root
from schema.enums import ChangeKind, ChangeType

if TYPE_CHECKING:
    from api.graphql.types import Types

_KEYS = (
    Key("position", "{x}.position", Kind.BIG_INT, descending=False),
    Key("n", "{x}.n", Kind.BIG_INT, descending=False),
)
_NAME = "replace(initcap(replace({x}.type, '_', ' ')), ' ', '')"
"""What a type of the feed is called in the graph."""
_EXPIRED = (
    "(select case when {position} <= (select h.position from feed_horizon h "
    "where h.workspace_id = %(workspace)s::uuid) then refuse_cursor() end) is null"
)
_NODES = tuple("".join(word.title() for word in each.value.split("_")) for each in ChangeType)

CHANGE = Entity(
    name="Change",
    table="change",
    node=False,
    description="What happened to one record. Changes of one transaction stand together.",
    fields=(
        Column(
            name="type",
            description="What the record is.",
            sql="{x}.type",
            kind=Kind.STRING,
            nullable=False,
            enum=ChangeType,
        ),
        Column(
            name="kind",
            description="What happened to it.",
            sql="{x}.kind",
            kind=Kind.STRING,
            nullable=False,
            enum=ChangeKind,
        ),
        computed(
            "recordId",
            Kind.ID,
            f"({_NAME} || ':' || {{x}}.id)",
            "Global id of the record, also where the record is no longer here.",
            nullable=False,
        ),
        Reference(
            name="record",
            description="The record as it is now (of a merged client the one that it is part of now); null if it "
            "is no longer here.",
            targets=_NODES,
            kind=_NAME,
            id="{x}.id",
        ),
        One(
            name="other",
            target="Client",
            description="Of a merge the client that this one became part of; of a split the client that came out "
            "of this one, null if nothing tells who that is now.",
            on="{t}.id = {x}.other",
        ),
        computed("at", Kind.DATE_TIME, "{x}.at", "When it was written, just before its commit.", nullable=False),
    ),
)


def feed_roots(types: Types) -> list[Root]:
    """The feed's field of `Query`."""
    made = field(
        "changes",
        optional(types.make_connection("Change", types["Change"])),
        "What was created, changed, merged, split and deleted, oldest first, in the order of commits: whoever asks "
        "again with the last `endCursor` misses nothing. Changes are kept for 30 days; an older cursor is refused "
        "with CURSOR_EXPIRED. To follow a workspace: take the `endCursor` of `changes(last: 1)`, read what you "
        "need, then ask for what comes after it. A record may be told of more than once; what counts is how it is "
        "now.",
        [
            *paging_arguments(),
            argument(
                "types",
                optional(list_of(ENUMS[ChangeType])),
                "Only changes of records of these types.",
                default=None,
            ),
        ],
    )
    return [Root(made, _changes)]


def _changes(planner: Planner, parent: str, details: Details, _source: Any) -> str:
    arguments, x = planner.arguments(parent, details), planner.alias()
    page = window(planner, _KEYS, arguments)
    return connection(
        planner,
        "ChangeConnection",
        "ChangeEdge",
        details,
        page,
        x,
        source=f"from {_rows(planner, arguments, None)} {x} where true",
        narrowed=f"from {_rows(planner, arguments, page)} {x} where true",
        node=lambda each, at: planner.row_object(CHANGE, each, at),
    )


def _rows(planner: Planner, arguments: dict[str, Any], page: Window | None) -> str:
    """One row a record. The cursor narrows the stored rows too, or the whole feed would be taken apart."""
    conditions = ["c.workspace_id = %(workspace)s::uuid"]
    types = arguments.get("types")
    if types is not None:
        conditions.append(f"c.type = any({planner.bind([each.value for each in types], 'text[]')})")
    if page is not None and page.cursor is not None:
        position = page.cursor[0]
        conditions.append(f"c.position {'<=' if page.backwards else '>='} {position}")
        conditions.append(_EXPIRED.format(position=position))
    return (
        "(select c.position, r.n, c.type, c.kind, r.id, r.other, c.at from change c "
        "cross join lateral unnest(c.ids, c.others) with ordinality r(id, other, n) "
        f"where {' and '.join(conditions)})"
    )
