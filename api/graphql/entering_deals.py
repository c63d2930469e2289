"""Entering and editing deals."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy import text
from strawberry import UNSET

from api.graphql.card_arguments import ClientId, Responsible
from api.graphql.entered import deciding, edited, entered, record_payload, record_values, taken_away
from api.graphql.entries import STAYS, Entry
from api.graphql.enums import ENUMS
from api.graphql.once import IdempotencyKey
from api.graphql.roots import payload
from api.graphql.scalars import DateText, DecimalText
from api.graphql.types import Types
from api.graphql.written import REMOVAL, Info, Written, act
from schema.enums import DealKind, DealStatus, RecordKind
from sync.entered import Register

_DealId = Annotated[
    strawberry.ID,
    strawberry.argument(description="Global id of the deal."),
]
_Contact = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Global id of the contact with whom the deal is made."),
]
_Title = Annotated[
    str,
    strawberry.argument(description="What the deal is called."),
]
_NewTitle = Annotated[
    str | None,
    strawberry.argument(description="What the deal is called."),
]
_Amount = Annotated[
    DecimalText | None,
    strawberry.argument(description="Its sum, not below zero."),
]
_Currency = Annotated[
    str | None,
    strawberry.argument(description="ISO 4217 code of the sum; else the workspace's currency."),
]
_NewCurrency = Annotated[
    str | None,
    strawberry.argument(description="ISO 4217 code of the sum."),
]
_Pipeline = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Global id of the pipeline."),
]
_Stage = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Global id of the stage; it tells pipeline and status."),
]
_Status = Annotated[
    ENUMS[DealStatus] | None,  # type: ignore[valid-type]  # made from data
    strawberry.argument(description="How it stands, if no stage tells."),
]
_DealKind = Annotated[
    ENUMS[DealKind] | None,  # type: ignore[valid-type]  # made from data
    strawberry.argument(name="kind", description="What it is to the relation with the client."),
]
_Expected = Annotated[
    DateText | None,
    strawberry.argument(name="expectedAt", description="The day on which it is expected to close."),
]
_LostReason = Annotated[
    str | None,
    strawberry.argument(name="lostReason", description="Why it was lost."),
]


def deal_mutations(types: Types) -> list[Any]:
    async def create(
        info: Info,
        client: ClientId,
        title: _Title,
        amount: _Amount = None,
        currency: _Currency = None,
        pipeline: _Pipeline = None,
        stage: _Stage = None,
        status: _Status = None,
        kind: _DealKind = None,
        contact: _Contact = None,
        responsible: Responsible = None,
        expected: _Expected = None,
        key: IdempotencyKey = None,
    ) -> Any:
        entry = Entry(info, types)
        whose = await entry.row("client", client, "Client")
        _deal(entry, title, amount, currency, kind, expected, None)
        await entry.reference("contact", contact, "Contact")
        await entry.responsible(responsible)
        await entry.stage(stage, pipeline, _chosen(status), None)
        values = record_values(entry.right())
        if amount is not None and currency is None:
            values["currency"] = await _currency_of(entry)

        async def work(register: Register) -> Written:
            assert whose is not None  # noqa: S101 - else it would be a problem
            with deciding():
                return Written(deal=await register.add_deal(whose, values))

        return await entered(entry, key, "createDeal", {"client": client, **entry.values}, work)

    async def edit(
        info: Info,
        id: _DealId,
        title: _NewTitle = UNSET,
        amount: _Amount = UNSET,
        currency: _NewCurrency = UNSET,
        pipeline: _Pipeline = UNSET,
        stage: _Stage = UNSET,
        status: _Status = UNSET,
        kind: _DealKind = UNSET,
        responsible: Responsible = UNSET,
        expected: _Expected = UNSET,
        lostReason: _LostReason = UNSET,  # noqa: N803
        key: IdempotencyKey = None,
    ) -> Any:
        entry = Entry(info, types, clears=True)
        entry.needed(title=title, status=status)
        deal = await entry.row("id", id, "Deal")
        _deal(entry, title, amount, currency, kind, expected, lostReason)
        await entry.reference("responsible", responsible, "User")
        present = None if deal is None else await _pipeline_of(entry, deal)
        await entry.stage(stage, pipeline, _chosen(status), present)
        entry.right()
        assert deal is not None  # noqa: S101 - else it would be a problem
        return await edited(entry, key, RecordKind.DEAL, deal)

    async def remove(info: Info, id: _DealId) -> Any:
        return await taken_away(Entry(info, types), RecordKind.DEAL, id, "Deal")

    deal = payload(types, "deal", "Deal", "The deal as it is here now; null if nothing was written.")
    written = record_payload(types, "DealPayload", "A deal that was entered or edited.", deal)
    return [
        act(
            create,
            "createDeal",
            written,
            "Enter a deal of a client in Skvoz, whatever system the client is from.",
            tells=True,
            delivers=True,
        ),
        act(
            edit,
            "editDeal",
            written,
            "Edit a deal. What was entered here changes at once; what another system keeps is changed there: "
            "`queued` is true then." + STAYS,
            of=("id", "Deal"),
            tells=True,
            delivers=True,
        ),
        act(remove, "removeDeal", REMOVAL, "Take away a deal that was entered here.", tells=True),
    ]


def _deal(
    entry: Entry, title: str | None, amount: Any, currency: str | None, kind: Any, expected: Any, lost: str | None
) -> None:
    entry.text("title", title)
    entry.amount("amount", amount)
    entry.currency("currency", currency)
    if entry.given(kind, "kind"):
        entry.put("kind", "kind", kind.value)
    if entry.given(expected, "expectedAt", "expected_at"):
        entry.put("expected_at", "expectedAt", expected)
    entry.text("lostReason", lost, "lost_reason")


def _chosen(status: Any) -> DealStatus | None:
    return None if status is None or status is UNSET else DealStatus(status.value)


async def _currency_of(entry: Entry) -> str:
    return str(await _ask(entry, "select currency from workspace where id = :ws", None))


async def _pipeline_of(entry: Entry, deal: UUID) -> UUID | None:
    found: UUID | None = await _ask(
        entry, "select pipeline_id from deal where workspace_id = :ws and id = :id", deal
    )
    return found


async def _ask(entry: Entry, query: str, id: UUID | None) -> Any:
    async with entry.office.database.workspace(entry.viewer.workspace_id) as db:
        return (await db.execute(text(query), {"ws": entry.viewer.workspace_id, "id": id})).scalar_one()
