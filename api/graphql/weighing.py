"""What probable matches are weighed by: the weights that hold, those that wait for a word, and the thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import strawberry

from api.graphql.build import field as graphql_field
from api.graphql.build import optional
from api.graphql.problems import InputProblem, of_refusal
from api.graphql.run import RequestContext
from api.graphql.scalars import DateTimeText
from api.graphql.written import EDITORS, Info, Written, act, allowed, payload_type
from schema.enums import Role
from sync import weighing
from sync.errors import Refused
from sync.identity.versions import Effect, Version

_OWNER = frozenset({Role.OWNER})


@strawberry.type(description="What other weights or thresholds do to clients and proposals.")
class MatchEffect:
    clients: int = strawberry.field(description="Clients there were.")
    changing: int = strawberry.field(description="How many of them get or lose records.")
    merged: int = strawberry.field(description="Clients that are joined to others.")
    parted: int = strawberry.field(description="Clients that are parted: matches that were applied are undone.")
    proposed: int = strawberry.field(description="Matches that are proposed and weren't.")
    withdrawn: int = strawberry.field(description="Matches that were proposed and are no more.")


@strawberry.type(description="A version of what matches are weighed by.")
class MatchWeights:
    version: int = strawberry.field(description="Its number; 0: the weights that Skvoz comes with.")
    learntAt: DateTimeText | None = strawberry.field(  # noqa: N815
        description="When they were learnt from the workspace's records; null for those that Skvoz comes with."
    )
    pairs: int = strawberry.field(description="Pairs of records that they were learnt from.")
    upper: float = strawberry.field(description="Bits from which on a match is applied.")
    lower: float = strawberry.field(description="Bits from which on a match is proposed.")
    byHand: bool = strawberry.field(description="Whether a person set one of the two thresholds.")  # noqa: N815
    effect: MatchEffect | None = strawberry.field(
        description="What applying them did, or would have done when they were learnt."
    )
    appliedAt: DateTimeText | None = strawberry.field(description="When they were applied last.")  # noqa: N815


@strawberry.type(description="How probable matches are weighed now.")
class MatchWeighing:
    sentence: str = strawberry.field(description="How it stands, in one or two sentences.")
    records: int = strawberry.field(description="Records that can be weighed.")
    least: int = strawberry.field(
        description="From how many records on a workspace learns its own weights, weekly."
    )
    learntAt: DateTimeText | None = strawberry.field(description="When weights were learnt last.")  # noqa: N815
    holds: MatchWeights = strawberry.field(description="The weights that hold.")
    proposed: MatchWeights | None = strawberry.field(
        description="Weights that were learnt and not applied, for they would change too many clients."
    )


@strawberry.type(description="What thresholds would do. Nothing is changed by asking.")
class MatchThresholdsPreview:
    effect: MatchEffect | None = strawberry.field(description="What they would do; null if something is wrong.")
    problems: list[InputProblem] = strawberry.field(
        description="What is wrong with the thresholds; empty if all is well."
    )


@dataclass
class WeightsWritten(Written):
    """How matches are weighed now, and what the change did."""

    weighing: MatchWeighing | None = None
    effect: MatchEffect | None = None


_Upper = Annotated[
    float | None,
    strawberry.argument(description="Bits from which on a match is applied; null: as the weights say."),
]
_Lower = Annotated[
    float | None,
    strawberry.argument(description="Bits from which on a match is proposed; null: as the weights say."),
]
_Version = Annotated[int, strawberry.argument(description="Its number; 0: the weights that Skvoz comes with.")]


def weighing_fields() -> list[Any]:
    """The queries about weights and thresholds."""

    async def present(info: Info) -> MatchWeighing | None:
        return await _now(allowed(info, EDITORS))

    async def preview(info: Info, upper: _Upper = None, lower: _Lower = None) -> MatchThresholdsPreview | None:
        context = allowed(info, _OWNER)
        try:
            effect = await weighing.preview_thresholds(
                context.office.database, context.viewer.workspace_id, upper, lower
            )
        except Refused as refused:
            return MatchThresholdsPreview(effect=None, problems=of_refusal(refused))
        return MatchThresholdsPreview(effect=_effect(effect), problems=[])

    return [
        strawberry.field(present, name="matchWeighing", description="How probable matches are weighed now."),
        strawberry.field(
            preview,
            name="previewMatchThresholds",
            description="What `setMatchThresholds` would do: everything is weighed by it, and that is undone.",
        ),
    ]


def weighing_mutations() -> list[Any]:
    """The mutations about weights and thresholds; for owners."""

    async def set_both(info: Info, upper: _Upper = None, lower: _Lower = None) -> Any:
        context = allowed(info, _OWNER)
        viewer = context.viewer
        return await _written(
            context,
            await weighing.set_thresholds(
                context.office.database, viewer.workspace_id, upper, lower, viewer.token_id
            ),
        )

    async def use(info: Info, version: _Version) -> Any:
        context = allowed(info, _OWNER)
        viewer = context.viewer
        return await _written(
            context,
            await weighing.apply_weights(context.office.database, viewer.workspace_id, version, viewer.token_id),
        )

    async def dismiss(info: Info, version: _Version) -> Any:
        context = allowed(info, _OWNER)
        viewer = context.viewer
        await weighing.dismiss_weights(context.office.database, viewer.workspace_id, version, viewer.token_id)
        return await _written(context, None)

    changed = payload_type(
        "MatchWeighingPayload",
        "Weights or thresholds that were decided on.",
        graphql_field(
            "weighing", optional(MatchWeighing), "How matches are weighed now; null if nothing was done."
        ),
        graphql_field("effect", optional(MatchEffect), "What was changed; null if nothing was."),
    )
    of = ("version", "MatchWeights")
    return [
        act(
            set_both,
            "setMatchThresholds",
            changed,
            "Apply and propose matches from these weights on, also after all learning to come. Clients follow at "
            "once. `previewMatchThresholds` tells the effect first.",
            refused=WeightsWritten,
            tells=True,
        ),
        act(
            use,
            "applyMatchWeights",
            changed,
            "Let weights hold that are proposed, or (which undoes what came after) weights that held before.",
            of=of,
            refused=WeightsWritten,
            tells=True,
        ),
        act(
            dismiss,
            "dismissMatchWeights",
            changed,
            "Say no to weights that are proposed; the next learning may propose others.",
            of=of,
            refused=WeightsWritten,
        ),
    ]


async def _written(context: RequestContext, effect: Effect | None) -> WeightsWritten:
    return WeightsWritten(weighing=await _now(context), effect=None if effect is None else _effect(effect))


async def _now(context: RequestContext) -> MatchWeighing:
    found = await weighing.weighing(context.office.database, context.viewer.workspace_id)
    return MatchWeighing(
        sentence=found.sentence,
        records=found.records,
        least=found.least,
        learntAt=_moment(found.learnt_at),
        holds=_version(found.holds),
        proposed=None if found.proposed is None else _version(found.proposed),
    )


def _version(told: Version) -> MatchWeights:
    upper, lower = told.thresholds
    return MatchWeights(
        version=told.version,
        learntAt=_moment(told.learnt_at),
        pairs=told.pairs,
        upper=upper,
        lower=lower,
        byHand=told.upper is not None or told.lower is not None,
        effect=None if told.effect is None else _effect(told.effect),
        appliedAt=_moment(told.applied_at),
    )


def _effect(told: Effect) -> MatchEffect:
    return MatchEffect(
        clients=told.clients,
        changing=told.touched,
        merged=told.merged,
        parted=told.parted,
        proposed=told.proposed,
        withdrawn=told.withdrawn,
    )


def _moment(at: Any) -> DateTimeText | None:
    return None if at is None else DateTimeText(at.isoformat())
