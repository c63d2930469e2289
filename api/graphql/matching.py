"""The queue of probable matches, what a person says to them, and what a record would match."""

from __future__ import annotations

from typing import Annotated, Any, cast

import strawberry

from api.graphql.ids import global_id
from api.graphql.problems import InputRefused, of_decision, row_id
from api.graphql.roots import Root, by_id, page_of, payload
from api.graphql.scalars import JsonValue
from api.graphql.types import Types
from api.graphql.written import EDITORS, Info, Written, act, allowed, payload_type, reach, visible
from core.database import driver
from schema.enums import ProposalState
from sync.decisions import decide_proposal
from sync.identity.decisions import DecisionRefused
from sync.identity.foresight import Foreseen, what_would_match

_Proposal = Annotated[strawberry.ID, strawberry.argument(description="Global id of the proposal.")]
_MOST_VALUES = 20


@strawberry.input(description="What a form might say.")
class WouldMatchInput:
    name: str | None = strawberry.field(default=None, description="A person's name, in any order and alphabet.")
    phones: list[str] = strawberry.field(default_factory=list, description="Phones, as they are spelled.")
    emails: list[str] = strawberry.field(default_factory=list, description="E-mails, as they are spelled.")


@strawberry.type(description="A client that a record would match.")
class WouldMatch:
    client: strawberry.ID = strawberry.field(description="Global id of the client.")
    keys: list[str] = strawberry.field(description="The keys in common, as `kind value`.")
    score: float | None = strawberry.field(description="The weight of the evidence in bits; null if keys tell it.")
    waterfall: JsonValue | None = strawberry.field(
        description="A JSON object from each comparison to its level and its weight in bits; null if keys tell it."
    )
    applied: bool = strawberry.field(description="Whether it would be done at once; else it would be proposed.")


def matching_roots(types: Types) -> list[Root]:
    """The queue, by pages and one by one."""
    return [
        by_id(types, "matchProposal", "MatchProposal", "The proposal with that id."),
        page_of(types, "matchProposals", "MatchProposal", "Probable matches to decide on, the likeliest first."),
    ]


def matching_mutations(types: Types) -> tuple[list[Any], dict[str, list[Root]]]:
    """The mutations, and the planned field of their payload."""

    async def decide(info: Info, id: str, said: ProposalState) -> Any:
        context = allowed(info, EDITORS)
        proposal = row_id("proposal", id, "MatchProposal")
        await reach(context, types.entities["MatchProposal"], "proposal", proposal)
        viewer = context.viewer
        try:
            await decide_proposal(context.office.database, viewer.workspace_id, proposal, said, viewer.token_id)
        except DecisionRefused as refused:
            raise InputRefused(of_decision("proposal", refused)) from None
        return Written(proposal=proposal)

    async def same(info: Info, proposal: _Proposal) -> Any:
        return await decide(info, proposal, ProposalState.SAME)

    async def different(info: Info, proposal: _Proposal) -> Any:
        return await decide(info, proposal, ProposalState.DIFFERENT)

    async def later(info: Info, proposal: _Proposal) -> Any:
        return await decide(info, proposal, ProposalState.LATER)

    async def undo(info: Info, proposal: _Proposal) -> Any:
        return await decide(info, proposal, ProposalState.OPEN)

    written = payload(
        types, "proposal", "MatchProposal", "The proposal as it is now; null if it is no more, or nothing was done."
    )
    decided = payload_type("MatchProposalPayload", "A probable match that was decided on.", written.field)
    made = [
        act(same, "acceptMatch", decided, "The two records are one client; every sync obeys."),
        act(
            different, "rejectMatch", decided, "The two are different clients, whatever their keys say from now on."
        ),
        act(later, "postponeMatch", decided, "Not now: it leaves the open ones of the queue."),
        act(undo, "reopenMatch", decided, "Take back what was said; the two are whose their keys say."),
    ]
    return made, {"MatchProposalPayload": [written]}


def matching_fields(types: Types) -> list[Any]:
    """The query that tells what a record would match."""

    async def would(
        info: Info,
        told: Annotated[WouldMatchInput, strawberry.argument(name="input", description="What the record says.")],
    ) -> list[WouldMatch] | None:
        context = allowed(info, EDITORS)
        viewer = context.viewer
        async with context.office.database.workspace(viewer.workspace_id) as db:
            found = await what_would_match(
                driver(db),
                viewer.workspace_id,
                viewer.phone_region,
                name=told.name,
                phones=told.phones[:_MOST_VALUES],
                emails=told.emails[:_MOST_VALUES],
            )
        client = types.entities["Client"]
        return [_told(each) for each in found if await visible(context, client, each.client)]

    return [
        strawberry.field(
            would, name="whatWouldMatch", description="The clients that a record would match if it came now."
        )
    ]


def _told(found: Foreseen) -> WouldMatch:
    return WouldMatch(
        client=strawberry.ID(global_id("Client", found.client)),
        keys=[f"{kind} {value}" for kind, value in found.keys],
        score=found.score,
        waterfall=cast("JsonValue | None", found.waterfall),
        applied=found.applied,
    )
