"""Deciding which records are one client: merge and split, each with a preview."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry

from api.graphql.ids import global_id
from api.graphql.problems import InputProblem, InputRefused, of_decision, row_id, said
from api.graphql.roots import Root, payload
from api.graphql.run import RequestContext
from api.graphql.scalars import DecimalText
from api.graphql.types import Types
from api.graphql.written import EDITORS, Info, Written, act, allowed, payload_type, reach
from sync import previews
from sync.decisions import merge_clients, split_client
from sync.identity.decisions import DecisionRefused

_COUNTS = ("calls", "leads", "new_clients", "won_deals")
_SPLITTABLE = ("Contact", "Company", "Call", "Lead", "Order", "Message", "Visit")

_One = Annotated[strawberry.ID, strawberry.argument(description="Global id of one client.")]
_Other = Annotated[strawberry.ID, strawberry.argument(description="Global id of the other.")]
_Client = Annotated[strawberry.ID, strawberry.argument(description="Global id of the client.")]
_Records = Annotated[
    list[strawberry.ID],
    strawberry.argument(
        description="Global ids of the contacts, companies, calls, leads, orders, messages or visits to take out."
    ),
]


@strawberry.type(description="Records that would go from one client to another.")
class PreviewedMove:
    client: strawberry.ID = strawberry.field(description="Global id of the client that they are of now.")
    to: strawberry.ID | None = strawberry.field(
        description="Global id of the client that they would be of (of a new one: the id that it would have); null "
        "if nothing would tell whose they are."
    )
    records: list[strawberry.ID] = strawberry.field(description="Their global ids.")


@strawberry.type(description="A field of a client that would have another value.")
class PreviewedField:
    client: strawberry.ID = strawberry.field(description="Global id of the client.")
    field: str = strawberry.field(description="`name`, `phone`, `email` or `responsible`.")
    before: str | None = strawberry.field(description="What stands there now; null also if there is no client yet.")
    after: str | None = strawberry.field(description="What would; null also if the client would be no more.")


@strawberry.type(description="Deals that would be another client's, summed.")
class PreviewedMoney:
    status: str = strawberry.field(description="`open`, `won` or `lost`.")
    currency: str | None = strawberry.field(description="ISO 4217 code.")
    amount: DecimalText = strawberry.field(description="Their sum.")
    deals: int = strawberry.field(description="How many.")


@strawberry.type(description="What a campaign would be credited more with, or less (below zero), over all days.")
class PreviewedCredit:
    campaign: strawberry.ID | None = strawberry.field(
        description="Global id of the campaign; null where no campaign is known: see `reason`."
    )
    campaignName: str | None = strawberry.field(description="The campaign's name.")  # noqa: N815
    reason: str | None = strawberry.field(description="Why there is no campaign: `no_touches`, `direct_only`, …")
    channel: str | None = strawberry.field(description="The channel, where it is known without a campaign.")
    calls: int = strawberry.field(description="Calls.")
    leads: int = strawberry.field(description="Leads.")
    newClients: int = strawberry.field(description="New clients.")  # noqa: N815
    wonDeals: int = strawberry.field(description="Won deals.")  # noqa: N815
    revenue: DecimalText = strawberry.field(description="Revenue, in the workspace's currency.")
    sentence: str = strawberry.field(
        description="The same in words of the caller's language: «Revenue of «Spring» falls by 40000.00 RUB.»"
    )


@strawberry.type(description="What a merge or a split would do. Nothing is changed by asking.")
class DecisionPreview:
    moves: list[PreviewedMove] = strawberry.field(description="The records that would change client.")
    fields: list[PreviewedField] = strawberry.field(description="The fields that would change.")
    deals: list[strawberry.ID] = strawberry.field(description="Global ids of the deals that would change client.")
    money: list[PreviewedMoney] = strawberry.field(description="Their sums, by status and currency.")
    credits: list[PreviewedCredit] = strawberry.field(
        description="How the figures of campaigns would change by the default model (last non-direct touch), the "
        "largest change of revenue first. Figures that stay are not named."
    )
    problems: list[InputProblem] = strawberry.field(description="Why it can't be done; empty if it can.")


def decision_mutations(types: Types) -> tuple[list[Any], dict[str, list[Root]]]:
    """The mutations, and the planned fields of their payload."""

    async def merge(info: Info, client: _One, other: _Other) -> Any:
        context = allowed(info, EDITORS)
        one, two = row_id("client", client, "Client"), row_id("other", other, "Client")
        await _reached(context, types, {"client": one, "other": two})
        viewer = context.viewer
        with _deciding(None):
            await merge_clients(context.office.database, viewer.workspace_id, one, two, viewer.token_id)
        return Written(client=one)

    async def split(info: Info, client: _Client, records: _Records) -> Any:
        context = allowed(info, EDITORS)
        parted, out = row_id("client", client, "Client"), _records(records)
        await _reached(context, types, {"client": parted})
        viewer = context.viewer
        with _deciding("records"):
            await split_client(context.office.database, viewer.workspace_id, parted, out, viewer.token_id)
        return Written(client=parted)

    client = payload(types, "client", "Client", "The client as it is now; null if nothing was written.")
    decided = payload_type("ClientPayload", "A client about whom something was decided.", client.field)
    made = [
        act(
            merge,
            "mergeClients",
            decided,
            "Make two clients one. The older one survives; every sync obeys.",
            tells=True,
        ),
        act(split, "splitClient", decided, "Take records out of a client for ever; every sync obeys.", tells=True),
    ]
    return made, {"ClientPayload": [client]}


def preview_fields(types: Types) -> list[Any]:
    """The queries that tell what a decision would do."""

    async def merge(info: Info, client: _One, other: _Other) -> DecisionPreview | None:
        context = allowed(info, EDITORS)
        try:
            one, two = row_id("client", client, "Client"), row_id("other", other, "Client")
            await _reached(context, types, {"client": one, "other": two})
            with _deciding(None):
                found = await previews.preview_merge(context.office.database, context.viewer.workspace_id, one, two)
        except InputRefused as refused:
            return _refused(*refused.problems)
        return _told(found)

    async def split(info: Info, client: _Client, records: _Records) -> DecisionPreview | None:
        context = allowed(info, EDITORS)
        try:
            parted, out = row_id("client", client, "Client"), _records(records)
            await _reached(context, types, {"client": parted})
            with _deciding("records"):
                found = await previews.preview_split(
                    context.office.database, context.viewer.workspace_id, parted, out
                )
        except InputRefused as refused:
            return _refused(*refused.problems)
        return _told(found)

    return [
        strawberry.field(merge, name="previewMerge", description="What `mergeClients` would do."),
        strawberry.field(split, name="previewSplit", description="What `splitClient` would do."),
    ]


async def _reached(context: RequestContext, types: Types, clients: dict[str, UUID]) -> None:
    for field, id in clients.items():
        await reach(context, types.entities["Client"], field, id)


@contextmanager
def _deciding(field: str | None) -> Iterator[None]:
    """What is refused within is a problem of the input."""
    try:
        yield
    except DecisionRefused as refused:
        raise InputRefused(of_decision(field, refused)) from None


def _records(ids: list[strawberry.ID]) -> list[UUID]:
    return [row_id("records", id, *_SPLITTABLE) for id in ids]


def _told(found: previews.Consequences) -> DecisionPreview:
    def record(id: UUID) -> strawberry.ID:
        kind = found.kinds.get(id, "contact")
        return strawberry.ID(global_id(kind.capitalize(), id))

    return DecisionPreview(
        moves=[
            PreviewedMove(
                client=_of("Client", move.origin),
                to=None if move.to is None else _of("Client", move.to),
                records=[record(each) for each in move.records],
            )
            for move in found.moves.moves
        ],
        fields=[
            PreviewedField(
                client=_of("Client", each.client),
                field=each.field.removesuffix("_id"),
                before=each.before,
                after=each.after,
            )
            for each in found.fields
        ],
        deals=[_of("Deal", each) for each in sorted(found.moves.deals)],
        money=[
            PreviewedMoney(
                status=each.status, currency=each.currency, amount=DecimalText(str(each.amount)), deals=each.deals
            )
            for each in found.money
        ],
        credits=[_credit(each, found.currency) for each in found.credits],
        problems=[],
    )


def _credit(credit: previews.Credit, currency: str) -> PreviewedCredit:
    revenue = credit.figures.get("revenue", Decimal(0)).quantize(Decimal("0.01"))
    counts = {
        figure: int(credit.figures.get(figure, 0)) for figure in ("calls", "leads", "new_clients", "won_deals")
    }
    return PreviewedCredit(
        campaign=None if credit.campaign_id is None else _of("Campaign", credit.campaign_id),
        campaignName=credit.campaign,
        reason=credit.reason or None,
        channel=credit.channel or None,
        calls=counts["calls"],
        leads=counts["leads"],
        newClients=counts["new_clients"],
        wonDeals=counts["won_deals"],
        revenue=DecimalText(str(revenue)),
        sentence=_in_words(credit, revenue, counts, currency),
    )


def _in_words(credit: previews.Credit, revenue: Decimal, counts: dict[str, int], currency: str) -> str:
    name = credit.campaign or said("WITHOUT_CAMPAIGN")
    if revenue:
        return said(
            "REVENUE_RISES" if revenue > 0 else "REVENUE_FALLS", name=name, by=abs(revenue), currency=currency
        )
    told = ", ".join(f"{said(figure.upper())} {count:+}" for figure, count in counts.items() if count)
    return said("COUNTS_CHANGE", name=name, told=told)


def _of(type_name: str, id: UUID) -> strawberry.ID:
    return strawberry.ID(global_id(type_name, id))


def _refused(*problems: InputProblem) -> DecisionPreview:
    return DecisionPreview(moves=[], fields=[], deals=[], money=[], credits=[], problems=list(problems))
