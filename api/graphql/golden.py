"""Golden records by choice: which rules hold, what others would do, setting and taking back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry

from api.graphql.build import field as graphql_field
from api.graphql.build import optional
from api.graphql.enums import ENUMS
from api.graphql.ids import global_id
from api.graphql.masks import MASKED_ROLES, Mask
from api.graphql.problems import InputProblem, InputRefused, of_refusal, problem, row_id
from api.graphql.run import RequestContext
from api.graphql.scalars import DateTimeText
from api.graphql.written import Info, Written, act, allowed, payload_type
from core.database import driver
from schema.enums import FieldRule, Role
from sync import golden
from sync.errors import Refused
from sync.golden import RulesPreview, Sample
from sync.identity.choosing import FIELDS, Choice, Rules, rules_of

_OWNER = frozenset({Role.OWNER})
_PREVIEWS = frozenset({Role.OWNER, Role.INTEGRATION, Role.ANALYST})
_SYSTEM = "ConnectedSystem"
_MASKS = {"name": Mask.NAME, "phone": Mask.PHONE, "email": Mask.EMAIL}


@strawberry.type(description="How a field of clients is chosen among what their records say.")
class GoldenRule:
    field: str = strawberry.field(description="`name`, `phone`, `email` or `responsible`.")
    rule: ENUMS[FieldRule] = strawberry.field(description="The rule.")  # type: ignore[valid-type]
    sources: list[strawberry.ID] = strawberry.field(
        description="Global ids of the preferred systems, the first one first; of `PREFERRED_SOURCE` only."
    )


@strawberry.input(description="How a field of clients is to be chosen among what their records say.")
class GoldenRuleInput:
    field: str = strawberry.field(description="`name`, `phone`, `email` or `responsible`.")
    rule: ENUMS[FieldRule] = strawberry.field(  # type: ignore[valid-type]
        description="`MOST_RECENT`, `PREFERRED_SOURCE`, `OLDEST`, or (for the name) `MOST_COMPLETE`."
    )
    sources: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="Global ids of the preferred systems, the first one first; with `PREFERRED_SOURCE` only.",
    )


@strawberry.type(description="How far the word of a system is trusted.")
class SourceConfidence:
    connection: strawberry.ID = strawberry.field(description="Global id of the system.")
    confidence: float = strawberry.field(
        description="From 0 to 1. Below one half it speaks only where no other system does."
    )


@strawberry.input(description="How far the word of a system is to be trusted.")
class SourceConfidenceInput:
    connection: strawberry.ID = strawberry.field(description="Global id of the system.")
    confidence: float = strawberry.field(
        description="From 0 to 1. Below one half it speaks only where no other system does."
    )


@strawberry.type(name="GoldenRules", description="By which rules the fields of clients are chosen.")
class GoldenRulesType:
    version: int = strawberry.field(description="Grows with each change; 0: nobody has set any.")
    rules: list[GoldenRule] = strawberry.field(description="Field by field.")
    confidence: list[SourceConfidence] = strawberry.field(description="Systems that aren't fully trusted.")
    author: str | None = strawberry.field(description="Public part of the API key that set them.")
    createdAt: DateTimeText | None = strawberry.field(description="When they were set.")  # noqa: N815
    appliedAt: DateTimeText | None = strawberry.field(  # noqa: N815
        description="When all clients had been looked at by them; null while that is under way."
    )


@strawberry.type(description="A field of a client that would have another value.")
class GoldenSample:
    client: strawberry.ID = strawberry.field(description="Global id of the client.")
    field: str = strawberry.field(description="`name`, `phone`, `email` or `responsible`.")
    before: str | None = strawberry.field(description="What holds now; masked for who may not see it.")
    after: str | None = strawberry.field(description="What would hold; masked likewise.")


@strawberry.type(description="How many clients would have another value in a field.")
class GoldenFieldCount:
    field: str = strawberry.field(description="The field.")
    changing: int = strawberry.field(description="How many.")


@strawberry.type(description="What rules would do. Nothing is changed by asking; no figure depends on them.")
class GoldenRulesPreview:
    clients: int = strawberry.field(description="Clients in the workspace.")
    lookedAt: int = strawberry.field(description="How many, those with the newest records, were tried.")  # noqa: N815
    changing: int = strawberry.field(description="How many of the tried ones would change.")
    byField: list[GoldenFieldCount] = strawberry.field(description="The same by field.")  # noqa: N815
    samples: list[GoldenSample] = strawberry.field(description="Up to ten fields that would change.")
    problems: list[InputProblem] = strawberry.field(
        description="What is wrong with the rules; empty if all is well."
    )


@dataclass
class RulesWritten(Written):
    """The rules that hold now."""

    rules: GoldenRulesType | None = None


_Rules = Annotated[
    list[GoldenRuleInput], strawberry.argument(description="Fields that aren't named go by the most recent word.")
]
_Confidence = Annotated[
    list[SourceConfidenceInput] | None,
    strawberry.argument(description="Systems that aren't fully trusted; those not named are."),
]


def golden_fields() -> list[Any]:
    """The queries about rules."""

    async def present(info: Info) -> GoldenRulesType | None:
        return await _now(info.context)

    async def preview(info: Info, rules: _Rules, confidence: _Confidence = None) -> GoldenRulesPreview | None:
        context = allowed(info, _PREVIEWS)
        try:
            found = await golden.preview_rules(
                context.office.database, context.viewer.workspace_id, _asked(rules, confidence)
            )
        except InputRefused as refused:
            return await _previewed(context, RulesPreview(0, 0, 0, {}, ()), refused.problems)
        except Refused as refused:
            return await _previewed(context, RulesPreview(0, 0, 0, {}, ()), of_refusal(refused))
        return await _previewed(context, found, [])

    return [
        strawberry.field(present, name="goldenRules", description="By which rules clients' fields are chosen now."),
        strawberry.field(preview, name="previewGoldenRules", description="What `setGoldenRules` would do."),
    ]


def golden_mutations() -> list[Any]:
    """The mutations about rules; for owners."""

    async def set_all(info: Info, rules: _Rules, confidence: _Confidence = None) -> Any:
        context = allowed(info, _OWNER)
        viewer = context.viewer
        await golden.set_golden_rules(
            context.office.database, viewer.workspace_id, _asked(rules, confidence), viewer.token_id
        )
        await context.jobs.request_golden(viewer.workspace_id)
        return RulesWritten(rules=await _now(context))

    async def undo(info: Info) -> Any:
        context = allowed(info, _OWNER)
        viewer = context.viewer
        await golden.undo_golden_rules(context.office.database, viewer.workspace_id, viewer.token_id)
        await context.jobs.request_golden(viewer.workspace_id)
        return RulesWritten(rules=await _now(context))

    changed = payload_type(
        "GoldenRulesPayload",
        "Rules that were set.",
        graphql_field("rules", optional(GoldenRulesType), "The rules that hold now; null if nothing was done."),
    )
    return [
        act(
            set_all,
            "setGoldenRules",
            changed,
            "Choose clients' fields by these rules from now on. Clients that are here are chosen anew in the "
            "background; what people pinned stays. `previewGoldenRules` tells the effect first.",
            refused=RulesWritten,
        ),
        act(
            undo,
            "undoGoldenRules",
            changed,
            "Let the rules hold again that held before the present ones; asked for twice, it takes itself back.",
            refused=RulesWritten,
        ),
    ]


def _asked(rules: Sequence[GoldenRuleInput], confidence: Sequence[SourceConfidenceInput] | None) -> Rules:
    stored = {name.removesuffix("_id"): name for name in FIELDS}
    fields: dict[str, Choice] = {}
    for each in rules:
        name = stored.get(each.field, each.field)
        if name in fields:
            raise InputRefused(problem(each.field, "NAMED_TWICE"))
        sources = tuple(row_id(each.field, id, _SYSTEM) for id in each.sources)
        fields[name] = Choice(FieldRule(cast("Any", each.rule).value), sources)
    trusted = {row_id("confidence", each.connection, _SYSTEM): each.confidence for each in confidence or ()}
    return Rules(fields, trusted)


async def _now(context: RequestContext) -> GoldenRulesType:
    workspace = context.viewer.workspace_id
    async with context.office.database.workspace(workspace) as db:
        conn = driver(db)
        rules = await rules_of(conn, workspace)
        cursor = await conn.execute(
            "select author, created_at, applied_at from golden_rules where workspace_id = %s and version = %s",
            (workspace, rules.version),
        )
        author, created, applied = await cursor.fetchone() or (None, None, None)
    return GoldenRulesType(
        version=rules.version,
        rules=[
            GoldenRule(
                field=name.removesuffix("_id"),
                rule=ENUMS[FieldRule](choice.rule.value),
                sources=[_system(id) for id in choice.sources],
            )
            for name, choice in ((name, rules.of(name)) for name in FIELDS)
        ],
        confidence=[SourceConfidence(connection=_system(id), confidence=to) for id, to in rules.confidence.items()],
        author=author,
        createdAt=None if created is None else DateTimeText(created.isoformat()),
        appliedAt=None if applied is None else DateTimeText(applied.isoformat()),
    )


def _system(id: Any) -> strawberry.ID:
    return strawberry.ID(global_id(_SYSTEM, id))


async def _previewed(
    context: RequestContext, found: RulesPreview, problems: list[InputProblem]
) -> GoldenRulesPreview:
    return GoldenRulesPreview(
        clients=found.clients,
        lookedAt=found.looked_at,
        changing=found.changing,
        byField=[
            GoldenFieldCount(field=name.removesuffix("_id"), changing=count)
            for name, count in found.by_field.items()
        ],
        samples=[await _sample(context, each) for each in found.samples],
        problems=problems,
    )


async def _sample(context: RequestContext, sample: Sample) -> GoldenSample:
    before, after = await _shown(context, sample.field, (sample.before, sample.after))
    return GoldenSample(
        client=strawberry.ID(global_id("Client", sample.client_id)),
        field=sample.field.removesuffix("_id"),
        before=before,
        after=after,
    )


async def _shown(context: RequestContext, field: str, values: Iterable[str | None]) -> Sequence[str | None]:
    """The values as the caller may see them; employees by their global ids."""
    told = list(values)
    if field == "responsible_id":
        return [None if id is None else global_id("User", UUID(id)) for id in told]
    if context.viewer.role not in MASKED_ROLES:
        return told
    query = f"select {_MASKS[field].sql('%(values)s::text[]', many=True)}"
    async with context.office.database.workspace(context.viewer.workspace_id) as db:
        row = await (await driver(db).execute(query.encode(), {"values": told})).fetchone()
    return row[0] if row is not None else [None, None]
