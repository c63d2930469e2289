"""Mapping vendors' own fields to unified ones: what can be filled, what that would do, setting and taking back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, cast

import strawberry
from strawberry.types.field import StrawberryField

from api.graphql.build import field as graphql_field
from api.graphql.build import list_of
from api.graphql.enums import ENUMS
from api.graphql.problems import InputProblem, InputRefused, of_refusal, problem, row_id
from api.graphql.roots import Root, payload
from api.graphql.scalars import JsonValue
from api.graphql.types import Types
from api.graphql.written import Info, Written, act, allowed, payload_type
from schema.enums import CustomFieldType, RecordKind, Role
from sync.custom_fields import refresh_fields
from sync.errors import NotFound, Refused
from sync.field_mappings import remove_mapping, set_mapping
from sync.field_rules import ACCEPTS, MAPPABLE
from sync.mapping_again import MappingPreview, preview_mapping

_CONNECTS = frozenset({Role.OWNER, Role.INTEGRATION})
_SYSTEM = "ConnectedSystem"

_Id = Annotated[strawberry.ID, strawberry.argument(description="Global id of the connected system.")]
_Kind = Annotated[
    ENUMS[RecordKind],  # type: ignore[valid-type]  # made from data
    strawberry.argument(description="Whose fields these are."),
]
_Key = Annotated[str, strawberry.argument(description="The vendor's field, by its key out of `customFields`.")]
_Fills = Annotated[str, strawberry.argument(description="The unified field, by its name out of `mappableFields`.")]


@strawberry.type(description="A unified field that a vendor's own field may fill.")
class MappableField:
    of: ENUMS[RecordKind] = strawberry.field(description="Whose field it is.")  # type: ignore[valid-type]
    name: str = strawberry.field(description="Its name, for `mapCustomField` (`lost_reason`).")
    description: str = strawberry.field(description="What it says.")
    from_: list[ENUMS[CustomFieldType]] = strawberry.field(  # type: ignore[valid-type]
        name="from", description="Types of vendors' fields that can fill it."
    )
    several: bool = strawberry.field(
        description="Whether it holds several values: those of the vendor's field are added then, and replace else."
    )


@strawberry.type(description="A record that a mapping would change.")
class FieldMappingSample:
    externalId: str = strawberry.field(description="The record's id in the external system.")  # noqa: N815
    value: JsonValue = strawberry.field(description="What it has in the vendor's field.")
    before: str | None = strawberry.field(description="What the unified field holds now.")
    after: str | None = strawberry.field(description="What it would hold.")


@strawberry.type(description="What a mapping would do to the records that are here. Nothing is changed by asking.")
class FieldMappingPreview:
    records: int = strawberry.field(description="Records that have the vendor's field.")
    lookedAt: int = strawberry.field(description="How many of these, the newest, were tried.")  # noqa: N815
    changing: int = strawberry.field(description="How many of the tried ones would change.")
    notUnderstood: int = strawberry.field(  # noqa: N815
        description="How many of the tried ones have a value that the unified field can't hold, and stay."
    )
    samples: list[FieldMappingSample] = strawberry.field(description="Up to five records that would change.")
    problems: list[InputProblem] = strawberry.field(description="Why it can't be done; empty if it can.")


@dataclass
class Refreshed(Written):
    """What a look at the account's fields found."""

    changes: list[str] = field(default_factory=list)


async def _map(info: Info, connection: _Id, type: _Kind, key: _Key, fills: _Fills) -> Any:  # noqa: A002
    context = allowed(info, _CONNECTS)
    found, viewer = row_id("connection", connection, _SYSTEM), context.viewer
    await set_mapping(context.office, viewer.workspace_id, found, _kind(type), key, fills, viewer.token_id)
    await context.jobs.request_mapping(viewer.workspace_id, found)
    return Written(connection=found)


async def _unmap(info: Info, connection: _Id, type: _Kind, fills: _Fills) -> Any:  # noqa: A002
    context = allowed(info, _CONNECTS)
    found, viewer = row_id("connection", connection, _SYSTEM), context.viewer
    if not await remove_mapping(context.office, viewer.workspace_id, found, _kind(type), fills, viewer.token_id):
        raise InputRefused(problem("fills", "NOT_FOUND", type="FieldMapping"))
    await context.jobs.request_mapping(viewer.workspace_id, found)
    return Written(connection=found)


async def _refresh(info: Info, connection: _Id) -> Any:
    context = allowed(info, _CONNECTS)
    found = row_id("connection", connection, _SYSTEM)
    changes = await refresh_fields(context.office, context.viewer.workspace_id, found)
    return Refreshed(connection=found, changes=[each.sentence for each in changes])


async def _preview(
    info: Info,
    connection: _Id,
    type: _Kind,  # noqa: A002
    key: _Key,
    fills: _Fills,
) -> FieldMappingPreview | None:
    context = allowed(info, _CONNECTS)
    try:
        found = row_id("connection", connection, _SYSTEM)
        return _told(
            await preview_mapping(context.office, context.viewer.workspace_id, found, _kind(type), key, fills)
        )
    except InputRefused as refused:
        return _told(MappingPreview(), refused.problems)
    except Refused as refused:
        return _told(MappingPreview(), of_refusal(refused))
    except NotFound:
        return _told(MappingPreview(), [problem("connection", "NOT_FOUND", type=_SYSTEM)])


def _mappable() -> list[MappableField]:
    return [
        MappableField(
            of=ENUMS[RecordKind](kind.value),
            name=each.name,
            description=each.meaning,
            from_=[ENUMS[CustomFieldType](fit.value) for fit in sorted(ACCEPTS[each.holds])],
            several=each.holds == "texts",
        )
        for kind, fields in MAPPABLE.items()
        for each in fields.values()
    ]


def mapping_fields() -> list[StrawberryField]:
    """The queries about mappings."""
    made: list[Any] = [
        strawberry.field(
            _mappable, name="mappableFields", description="The unified fields that vendors' own fields may fill."
        ),
        strawberry.field(
            _preview,
            name="previewFieldMapping",
            description="What `mapCustomField` would do to the records that are here.",
        ),
    ]
    return made


def mapping_mutations(types: Types) -> tuple[list[Any], dict[str, list[Root]]]:
    """The mutations about mappings, and the planned fields of their payloads."""
    connection = payload(types, "connection", _SYSTEM, "The connected system as it is now.")
    changed = payload_type(
        "FieldMappingPayload", "A mapping that was set or taken back; `fieldMappings` tells them.", connection.field
    )
    looked = payload_type(
        "RefreshCustomFieldsPayload",
        "What a look at an account's own fields found.",
        connection.field,
        graphql_field("changes", list_of(str), "What became of them since the last look, a sentence each."),
    )
    of = ("connection", _SYSTEM)
    return [
        act(
            _map,
            "mapCustomField",
            changed,
            "Let a vendor's own field fill a unified field, in place of another that did. It holds from now on; "
            "stored records are mapped anew in the background, without asking the vendor.",
            of=of,
        ),
        act(
            _unmap,
            "unmapCustomField",
            changed,
            "Take a mapping back. Stored records become what they would be without it.",
            of=of,
        ),
        act(
            _refresh,
            "refreshCustomFields",
            looked,
            "Ask the vendor now which fields the account has; syncs do so once an hour.",
            of=of,
            refused=Refreshed,
        ),
    ], {"FieldMappingPayload": [connection], "RefreshCustomFieldsPayload": [connection]}


def _kind(value: Any) -> RecordKind:
    return RecordKind(cast("Any", value).value)


def _told(found: MappingPreview, problems: list[InputProblem] | None = None) -> FieldMappingPreview:
    return FieldMappingPreview(
        records=found.records,
        lookedAt=found.looked_at,
        changing=found.changing,
        notUnderstood=found.not_understood,
        samples=[
            FieldMappingSample(externalId=each.external_id, value=each.value, before=each.before, after=each.after)
            for each in found.samples
        ],
        problems=problems or [],
    )
