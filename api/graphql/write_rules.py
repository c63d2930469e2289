"""Rules of write-back: what happens here becomes a change in another system. Each is told as a plain sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection

from api.graphql.build import field as graphql_field
from api.graphql.build import optional
from api.graphql.enums import graphql_enum
from api.graphql.ids import global_id
from api.graphql.model.shared import STAFF
from api.graphql.once import IdempotencyKey, once
from api.graphql.outbox import ChangeLine, lines_of
from api.graphql.problems import InputProblem, InputRefused, of_refusal, problem, row_id
from api.graphql.scalars import DateTimeText, JsonValue
from api.graphql.written import REMOVAL, Info, Written, act, allowed, payload_type
from api.language import spoken
from connectors.errors import VendorError
from sync.errors import NotFound, Refused
from sync.writeback import rulebook
from sync.writeback.dry_run import DryRun, dry_run
from sync.writeback.rulebook import Shown
from sync.writeback.rules import KINDS

_TYPE, _SYSTEM = "WriteRule", "ConnectedSystem"
_MOST_SHOWN = 50

WriteRuleKind = graphql_enum(
    "WriteRuleKind",
    "What a rule of write-back makes of what.",
    {name.upper(): (name, " ".join((each.__doc__ or "").split())) for name, each in KINDS.items()},
)

_Connection = Annotated[strawberry.ID, strawberry.argument(description="Global id of the system to write to.")]
_Kind = Annotated[WriteRuleKind, strawberry.argument(description="What becomes what.")]  # type: ignore[valid-type]
_Settings = Annotated[
    JsonValue | None,
    strawberry.argument(
        description="The kind's settings as a JSON object (`writeRuleKinds` has their JSON Schema)."
    ),
]
_Since = Annotated[
    DateTimeText | None,
    strawberry.argument(description="What happened since then is a cause too; else only what comes from now on."),
]
_Id = Annotated[strawberry.ID, strawberry.argument(description="Global id of the rule.")]


@strawberry.type(name="WriteRule", description="A rule of write-back, as it stands.")
class RuleType:
    id: strawberry.ID = strawberry.field(description="Global id of the rule.")
    sentence: str = strawberry.field(description="What it does, in one plain sentence.")
    kind: WriteRuleKind = strawberry.field(description="What becomes what.")  # type: ignore[valid-type]
    connection: strawberry.ID = strawberry.field(description="Global id of the system that it writes to.")
    settings: JsonValue = strawberry.field(description="Its settings as a JSON object.")
    enabled: bool = strawberry.field(description="Whether it is switched on.")
    since: DateTimeText | None = strawberry.field(
        description="What happened before is no cause; null until it is switched on for the first time."
    )


@strawberry.type(name="WriteRuleKindInfo", description="A kind of rules, with what can be set.")
class KindInfo:
    kind: WriteRuleKind = strawberry.field(description="What becomes what.")  # type: ignore[valid-type]
    jsonSchema: JsonValue = strawberry.field(description="JSON Schema of its settings.")  # noqa: N815


@strawberry.type(description="One change that a rule would make.")
class DryRunChange:
    cause: str = strawberry.field(description="Because of what, in words.")
    verdict: str = strawberry.field(description="What would become of it as things stand there now, in words.")
    externalId: str | None = strawberry.field(description="The record's id there, where one is known.")  # noqa: N815
    lines: list[ChangeLine] = strawberry.field(description="Field by field.")


@strawberry.type(description="What a rule would write. Nothing is written by asking, neither here nor there.")
class WriteRuleDryRun:
    total: int = strawberry.field(description="How many changes there would be, 10,000 at most.")
    changes: list[DryRunChange] = strawberry.field(description="The first of them in full.")
    problems: list[InputProblem] = strawberry.field(description="Why it can't be told; empty if it can.")


@strawberry.type(description="A rule that was checked and not stored.")
class WriteRuleCheck:
    sentence: str | None = strawberry.field(description="What it would do, in one sentence; null if it can't be.")
    problems: list[InputProblem] = strawberry.field(description="What is wrong with it; empty if all is well.")


@dataclass
class RuleWritten(Written):
    """The rule as it is now."""

    rule: RuleType | None = None


def write_rule_fields() -> list[Any]:
    """The queries about rules; for those who manage connections."""

    async def rules(info: Info) -> list[RuleType] | None:
        context = allowed(info, STAFF)
        return [
            _rule(each) for each in await rulebook.list_rules(context.office, context.viewer.workspace_id, spoken())
        ]

    async def kinds(info: Info) -> list[KindInfo] | None:
        allowed(info, STAFF)
        return [
            KindInfo(kind=_kind(name), jsonSchema=JsonValue(settings.model_json_schema()))
            for name, settings in KINDS.items()
        ]

    async def check(
        info: Info, connection: _Connection, kind: _Kind, settings: _Settings = None
    ) -> WriteRuleCheck | None:
        context = allowed(info, STAFF)
        try:
            target, name, values = _asked(connection, kind, settings)
            sentence = await rulebook.check_rule(
                context.office, context.viewer.workspace_id, target, name, values, spoken()
            )
        except NotFound:
            return WriteRuleCheck(sentence=None, problems=[problem("connection", "NOT_FOUND", type=_SYSTEM)])
        except (InputRefused, Refused) as refused:
            return WriteRuleCheck(sentence=None, problems=_problems(refused))
        return WriteRuleCheck(sentence=sentence, problems=[])

    async def dry(
        info: Info,
        id: _Id,
        since: _Since = None,
        show: Annotated[int, strawberry.argument(description=f"How many to show, {_MOST_SHOWN} at most.")] = 20,
    ) -> WriteRuleDryRun | None:
        context = allowed(info, STAFF)
        if not 0 <= show <= _MOST_SHOWN:
            return _dry_refused([problem("show", "OUT_OF_RANGE", least=0, most=_MOST_SHOWN)])
        try:
            rule = row_id("id", id, _TYPE)
            run = await dry_run(context.office, context.viewer.workspace_id, rule, since=_moment(since), show=show)
        except NotFound:
            return _dry_refused([problem("id", "NOT_FOUND", type=_TYPE)])
        except InputRefused as refused:
            return _dry_refused(refused.problems)
        except VendorError as error:
            return _dry_refused([InputProblem(field=None, code=error.code, message=error.sentence)])
        return _dry_told(run)

    made: list[Any] = [
        strawberry.field(rules, name="writeRules", description="Rules of write-back, oldest first."),
        strawberry.field(kinds, name="writeRuleKinds", description="The kinds of rules, with what can be set."),
        strawberry.field(check, name="checkWriteRule", description="Whether `createWriteRule` would take it."),
        strawberry.field(dry, name="dryRunWriteRule", description="What a rule would write, as a difference."),
    ]
    return made


def write_rule_mutations() -> list[Any]:
    """The mutations about rules; for those who manage connections."""

    async def create(
        info: Info,
        connection: _Connection,
        kind: _Kind,
        settings: _Settings = None,
        since: _Since = None,
        key: IdempotencyKey = None,
    ) -> Any:
        context = allowed(info, STAFF)
        target, name, values = _asked(connection, kind, settings)
        viewer = context.viewer

        async def work(db: AsyncConnection | None) -> UUID:
            return await rulebook.store_rule(
                context.office,
                viewer.workspace_id,
                target,
                name,
                values,
                since=_moment(since),
                actor=viewer.token_id,
                within=db,
            )

        arguments = {"connection": connection, "kind": name, "settings": settings, "since": since}
        id = await once(
            context,
            key,
            "createWriteRule",
            arguments,
            work,
            keep=lambda made: {"id": str(made)},
            recall=lambda answer: UUID(answer["id"]),
        )
        return await _now(info, id)

    async def enable(info: Info, id: _Id) -> Any:
        return await _switched(info, id, enabled=True)

    async def disable(info: Info, id: _Id) -> Any:
        return await _switched(info, id, enabled=False)

    async def remove(info: Info, id: _Id) -> Any:
        context = allowed(info, STAFF)
        try:
            await rulebook.remove_rule(context.office, context.viewer.workspace_id, row_id("id", id, _TYPE))
        except NotFound:
            return Written(removed=False)
        return Written(removed=True)

    changed = payload_type(
        "WriteRulePayload",
        "A rule that was made or switched.",
        graphql_field("rule", optional(RuleType), "The rule as it is now; null if nothing was done."),
    )
    by_id = ("id", _TYPE)
    return [
        act(
            create,
            "createWriteRule",
            changed,
            "Make a rule, checked at once against the system that it writes to, and switched off as yet: look at "
            "`dryRunWriteRule`, then `enableWriteRule`.",
            of=("connection", _SYSTEM),
            refused=RuleWritten,
        ),
        act(
            enable,
            "enableWriteRule",
            changed,
            "Switch a rule on: it takes what comes from now on, or since its `since`, for a cause.",
            of=by_id,
            refused=RuleWritten,
            delivers=True,
        ),
        act(
            disable,
            "disableWriteRule",
            changed,
            "Switch a rule off. What waits in the outbox still goes; `skipChange` leaves it out.",
            of=by_id,
            refused=RuleWritten,
        ),
        act(remove, "removeWriteRule", REMOVAL, "Remove a rule. What it wrote stays, and can still be undone."),
    ]


async def _switched(info: Info, id: str, *, enabled: bool) -> RuleWritten:
    context = allowed(info, STAFF)
    rule = row_id("id", id, _TYPE)
    await rulebook.switch_rule(context.office, context.viewer.workspace_id, rule, enabled=enabled)
    return await _now(info, rule)


async def _now(info: Info, id: UUID) -> RuleWritten:
    context = info.context
    shown = await rulebook.list_rules(context.office, context.viewer.workspace_id, spoken())
    return RuleWritten(rule=next((_rule(each) for each in shown if each.rule.id == id), None))


def _asked(connection: str, kind: Any, settings: Any) -> tuple[UUID, str, Mapping[str, Any]]:
    if settings is not None and not isinstance(settings, dict):
        raise InputRefused(problem("settings", "NOT_AN_OBJECT"))
    return row_id("connection", connection, _SYSTEM), cast("Any", kind).value, settings or {}


def _moment(since: str | None) -> datetime | None:
    return None if since is None else datetime.fromisoformat(since)


def _problems(refused: InputRefused | Refused) -> list[InputProblem]:
    return refused.problems if isinstance(refused, InputRefused) else of_refusal(refused)


def _kind(name: str) -> Any:
    return WriteRuleKind(name)


def _rule(shown: Shown) -> RuleType:
    rule = shown.rule
    return RuleType(
        id=strawberry.ID(global_id(_TYPE, rule.id)),
        sentence=shown.sentence,
        kind=_kind(rule.settings.kind),  # type: ignore[attr-defined]  # each kind of settings says its own
        connection=strawberry.ID(global_id(_SYSTEM, rule.connection_id)),
        settings=JsonValue(rule.settings.model_dump(mode="json", exclude={"kind"})),
        enabled=rule.enabled,
        since=None if rule.since is None else DateTimeText(rule.since.isoformat()),
    )


def _dry_refused(problems: list[InputProblem]) -> WriteRuleDryRun:
    return WriteRuleDryRun(total=0, changes=[], problems=problems)


def _dry_told(run: DryRun) -> WriteRuleDryRun:
    return WriteRuleDryRun(
        total=run.total,
        changes=[
            DryRunChange(
                cause=each.intent.cause,
                verdict=each.verdict,
                externalId=each.intent.external_id,
                lines=lines_of(each.lines),
            )
            for each in run.shown
        ],
        problems=[],
    )
