"""Entering and editing cards of organisations."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry
from strawberry import UNSET

from api.graphql.card_arguments import Emails, OfClient, Phones, Responsible
from api.graphql.entered import deciding, edited, entered, own_only, record_payload, record_values, taken_away
from api.graphql.entries import STAYS, Entry, kind_of_client
from api.graphql.once import IdempotencyKey
from api.graphql.roots import payload
from api.graphql.scalars import UrlText
from api.graphql.types import Types
from api.graphql.written import REMOVAL, Info, Written, act
from schema.enums import ClientKind, RecordKind
from sync.entered import Register

_CompanyId = Annotated[
    strawberry.ID,
    strawberry.argument(description="Global id of the organisation's card."),
]
_Name = Annotated[
    str,
    strawberry.argument(description="Name of the organisation."),
]
_NewName = Annotated[
    str | None,
    strawberry.argument(description="Name of the organisation."),
]
_TaxId = Annotated[
    str | None,
    strawberry.argument(name="taxId", description="Tax number (in Russia the INN)."),
]
_Website = Annotated[
    UrlText | None,
    strawberry.argument(description="Address of its site."),
]


def company_mutations(types: Types) -> list[Any]:
    async def create(
        info: Info,
        name: _Name,
        client: OfClient = None,
        taxId: _TaxId = None,  # noqa: N803 - GraphQL's spelling
        website: _Website = None,
        phones: Phones = None,
        emails: Emails = None,
        responsible: Responsible = None,
        key: IdempotencyKey = None,
    ) -> Any:
        entry = Entry(info, types)
        whose = await entry.row("client", client, "Client")
        if whose is not None and await kind_of_client(entry.context, whose) != ClientKind.COMPANY:
            entry.wrong("client", "DIFFERENT_KINDS")
        _card(entry, name, taxId, website, phones, emails)
        await entry.responsible(responsible)
        values = record_values(entry.right())

        async def work(register: Register) -> Written:
            with deciding():
                card = await register.add_card(RecordKind.COMPANY, values, whose)
            if whose is None:
                await own_only(entry, types, card.client_id, founds=card.founds)
            return Written(company=card.id)

        told = {"client": client, "responsible": responsible, **entry.values}
        return await entered(entry, key, "createCompany", told, work)

    async def edit(
        info: Info,
        id: _CompanyId,
        name: _NewName = UNSET,
        taxId: _TaxId = UNSET,  # noqa: N803
        website: _Website = UNSET,
        phones: Phones = UNSET,
        emails: Emails = UNSET,
        responsible: Responsible = UNSET,
        key: IdempotencyKey = None,
    ) -> Any:
        entry = Entry(info, types, clears=True)
        entry.needed(name=name)
        company = await entry.row("id", id, "Company")
        _card(entry, name, taxId, website, phones, emails)
        await entry.reference("responsible", responsible, "User")
        entry.right()
        assert company is not None  # noqa: S101 - else it would be a problem
        return await edited(entry, key, RecordKind.COMPANY, company)

    async def remove(info: Info, id: _CompanyId) -> Any:
        return await taken_away(Entry(info, types), RecordKind.COMPANY, id, "Company")

    company = payload(types, "company", "Company", "The card as it is here now; null if nothing was written.")
    written = record_payload(types, "CompanyPayload", "An organisation's card that was entered or edited.", company)
    return [
        act(
            create,
            "createCompany",
            written,
            "Enter an organisation's card in Skvoz. Whose it is is told by `client`, else by its tax number, its "
            "phones and e-mails.",
            tells=True,
            delivers=True,
        ),
        act(
            edit,
            "editCompany",
            written,
            "Edit an organisation's card. What was entered here changes at once; what another system keeps is "
            "changed there (phones and e-mails are added, never removed): `queued` is true then." + STAYS,
            of=("id", "Company"),
            tells=True,
            delivers=True,
        ),
        act(
            remove, "removeCompany", REMOVAL, "Take away an organisation's card that was entered here.", tells=True
        ),
    ]


def _card(entry: Entry, name: str | None, tax_id: str | None, website: Any, phones: Any, emails: Any) -> None:
    entry.text("name", name)
    entry.text("taxId", tax_id, "tax_id")
    entry.address("website", website)
    entry.phones("phones", phones)
    entry.emails("emails", emails)
