"""Entering and editing clients and people's cards; `entering_companies` and `entering_deals` have the rest.

What is entered here is a record of Skvoz itself and changes at once. What another system keeps is changed there:
the change goes into the outbox, and the answer names it. A client's own fields are pinned by hand.
"""

from __future__ import annotations

from typing import Annotated, Any, cast

import strawberry
from strawberry import UNSET

from api.graphql.build import field as graphql_field
from api.graphql.card_arguments import ClientId, Emails, OfClient, Phones, Responsible
from api.graphql.entered import deciding, edited, entered, own_only, record_payload, record_values, taken_away
from api.graphql.entering_companies import company_mutations
from api.graphql.entering_deals import deal_mutations
from api.graphql.entries import STAYS, Entry, kind_of_client
from api.graphql.enums import ENUMS
from api.graphql.once import IdempotencyKey
from api.graphql.problems import InputRefused, problem
from api.graphql.roots import Root, payload
from api.graphql.scalars import EmailText, PhoneText
from api.graphql.types import Types
from api.graphql.written import REMOVAL, Info, Written, act, payload_type
from core.database import driver
from schema.enums import ClientKind, RecordKind
from sync import golden
from sync.entered import Register

_ContactId = Annotated[
    strawberry.ID,
    strawberry.argument(description="Global id of the contact."),
]
_Kind = Annotated[
    ENUMS[ClientKind],  # type: ignore[valid-type]  # made from data
    strawberry.argument(description="What the client is."),
]
_NewKind = Annotated[
    ENUMS[ClientKind] | None,  # type: ignore[valid-type]  # made from data
    strawberry.argument(description="What the client is."),
]
_Name = Annotated[
    str | None,
    strawberry.argument(description="Full name, or name of the organisation."),
]
_NeededName = Annotated[
    str,
    strawberry.argument(description="Full name, or name of the organisation."),
]
_First = Annotated[
    str | None,
    strawberry.argument(name="firstName", description="First name."),
]
_Middle = Annotated[
    str | None,
    strawberry.argument(name="middleName", description="Patronymic or middle name."),
]
_Last = Annotated[
    str | None,
    strawberry.argument(name="lastName", description="Last name."),
]
_Position = Annotated[
    str | None,
    strawberry.argument(description="Position at the organisation."),
]
_Phone = Annotated[
    PhoneText | None,
    strawberry.argument(description="The main phone, as people spell it."),
]
_Email = Annotated[
    EmailText | None,
    strawberry.argument(description="The main e-mail."),
]
_TaxId = Annotated[
    str | None,
    strawberry.argument(name="taxId", description="Tax number of an organisation."),
]
_Company = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Global id of the company card that the person hangs on."),
]
_PinnedFields = Annotated[
    list[str] | None,
    strawberry.argument(
        description="Which fields to let go: `name`, `phone`, `email`, `kind`, `responsible`; else all."
    ),
]


def entering_mutations(types: Types) -> tuple[list[Any], dict[str, list[Root]]]:
    """The mutations, and the planned fields of their payloads."""
    made = [
        *_client_mutations(types),
        *_contact_mutations(types),
        *company_mutations(types),
        *deal_mutations(types),
    ]
    client = payload(types, "client", "Client", "The client as it is now; null if nothing was written.")
    contact = payload(types, "contact", "Contact", "The contact as it is here now; null if nothing was written.")
    company = payload(types, "company", "Company", "The card as it is here now; null if nothing was written.")
    deal = payload(types, "deal", "Deal", "The deal as it is here now; null if nothing was written.")
    change = payload(types, "change", "OutboxChange", "What was queued, to be asked for again by its id.")
    return made, {
        "CreateClientPayload": [client],
        "EditClientPayload": [client],
        "ContactPayload": [contact, change],
        "CompanyPayload": [company, change],
        "DealPayload": [deal, change],
    }


def _client_mutations(types: Types) -> list[Any]:
    async def create(
        info: Info,
        name: _NeededName,
        kind: _Kind = ENUMS[ClientKind].PERSON,
        phones: Phones = None,
        emails: Emails = None,
        taxId: _TaxId = None,  # noqa: N803 - GraphQL's spelling
        responsible: Responsible = None,
        key: IdempotencyKey = None,
    ) -> Any:
        entry = Entry(info, types)
        chosen = ClientKind(cast("Any", kind).value)
        entry.text("name", name)
        entry.phones("phones", phones)
        entry.emails("emails", emails)
        if taxId is not None and chosen is ClientKind.PERSON:
            entry.wrong("taxId", "ONLY_COMPANIES")
        else:
            entry.text("taxId", taxId, "tax_id")
        await entry.responsible(responsible)
        values = record_values(entry.right())

        async def work(register: Register) -> Written:
            of = RecordKind.CONTACT if chosen is ClientKind.PERSON else RecordKind.COMPANY
            card = await register.add_card(of, values)
            await own_only(entry, types, card.client_id, founds=card.founds)
            return Written(client=card.client_id, founded=card.founds)

        arguments = {"kind": chosen, "name": name, "phones": phones, "emails": emails, "taxId": taxId}
        return await entered(entry, key, "createClient", {**arguments, "responsible": responsible}, work)

    async def edit(
        info: Info,
        id: ClientId,
        name: _Name = UNSET,
        phone: _Phone = UNSET,
        email: _Email = UNSET,
        kind: _NewKind = UNSET,
        responsible: Responsible = UNSET,
    ) -> Any:
        entry = Entry(info, types, clears=True)
        client = await entry.row("id", id, "Client")
        entry.text("name", name)
        if entry.given(phone, "phone"):
            entry.put("phone", "phone", entry.phone("phone", phone))
        if entry.given(email, "email"):
            entry.put("email", "email", entry.email("email", email))
        if entry.given(kind, "kind"):
            entry.put("kind", "kind", cast("Any", kind).value)
        if entry.given(responsible, "responsible", "responsible_id"):
            entry.put("responsible_id", "responsible", str(await entry.row("responsible", responsible, "User")))
        values = entry.right()
        assert client is not None  # noqa: S101 - else it would be a problem
        pinned = {name: value for name, value in values.items() if value is not None}
        async with entry.office.database.loading(entry.viewer.workspace_id) as db:
            if pinned:
                await golden.pin(driver(db), entry.viewer.workspace_id, client, pinned, entry.viewer.token_id)
            if len(pinned) < len(values):
                let_go = values.keys() - pinned.keys()
                await golden.unpin(driver(db), entry.viewer.workspace_id, client, let_go)
        return Written(client=client)

    async def unpin(info: Info, id: ClientId, fields: _PinnedFields = None) -> Any:
        entry = Entry(info, types)
        client = await entry.row("id", id, "Client")
        named = {each.removesuffix("_id"): each for each in golden.PINNABLE}
        for each in fields or ():
            if each not in named:
                entry.wrong("fields", "NO_SUCH_CHOICE", name=each, known=", ".join(named))
        entry.right()
        assert client is not None  # noqa: S101 - else it would be a problem
        chosen = [named[each] for each in fields] if fields is not None else list(named.values())
        async with entry.office.database.loading(entry.viewer.workspace_id) as db:
            await golden.unpin(driver(db), entry.viewer.workspace_id, client, chosen)
        return Written(client=client)

    client = payload(types, "client", "Client", "The client as it is now; null if nothing was written.")
    founded = graphql_field(
        "founded", bool, "Whether the client is new; else it was here already, known by a phone or an e-mail."
    )
    created = payload_type("CreateClientPayload", "The client of a card that was entered.", client.field, founded)
    edited = payload_type("EditClientPayload", "A client whose fields were pinned or let go.", client.field)
    return [
        act(
            create,
            "createClient",
            created,
            "Enter a client: a card of Skvoz itself. Its phones and e-mails tell whether the client is here.",
            tells=True,
            delivers=True,
        ),
        act(
            edit,
            "editClient",
            edited,
            "Pin fields of a client by hand: they hold whatever the records say, until `unpinClient`. What isn't "
            "given stays; null lets a field go, so that the rules choose it again.",
            of=("id", "Client"),
            tells=True,
        ),
        act(
            unpin,
            "unpinClient",
            edited,
            "Take back what was pinned: the rules choose among what the records say again.",
            of=("id", "Client"),
            tells=True,
        ),
    ]


def _contact_mutations(types: Types) -> list[Any]:
    async def create(
        info: Info,
        client: OfClient = None,
        name: _Name = None,
        firstName: _First = None,  # noqa: N803
        middleName: _Middle = None,  # noqa: N803
        lastName: _Last = None,  # noqa: N803
        position: _Position = None,
        phones: Phones = None,
        emails: Emails = None,
        company: _Company = None,
        responsible: Responsible = None,
        key: IdempotencyKey = None,
    ) -> Any:
        entry = Entry(info, types)
        whose = await entry.row("client", client, "Client")
        if whose is not None and await kind_of_client(entry.context, whose) == ClientKind.COMPANY:
            entry.wrong("client", "CONTACT_OF_COMPANY")
        await _card(entry, name, firstName, middleName, lastName, position, phones, emails, company)
        await entry.responsible(responsible)
        if not {"name", "first_name", "last_name"} & entry.right().keys():
            raise InputRefused(problem("name", "EMPTY"))
        values = record_values(entry.right())

        async def work(register: Register) -> Written:
            with deciding():
                card = await register.add_card(RecordKind.CONTACT, values, whose)
            if whose is None:
                await own_only(entry, types, card.client_id, founds=card.founds)
            return Written(contact=card.id)

        told = {"client": client, "company": company, "responsible": responsible, **entry.values}
        return await entered(entry, key, "createContact", told, work)

    async def edit(
        info: Info,
        id: _ContactId,
        name: _Name = UNSET,
        firstName: _First = UNSET,  # noqa: N803
        middleName: _Middle = UNSET,  # noqa: N803
        lastName: _Last = UNSET,  # noqa: N803
        position: _Position = UNSET,
        phones: Phones = UNSET,
        emails: Emails = UNSET,
        company: _Company = UNSET,
        responsible: Responsible = UNSET,
        key: IdempotencyKey = None,
    ) -> Any:
        entry = Entry(info, types, clears=True)
        contact = await entry.row("id", id, "Contact")
        await _card(entry, name, firstName, middleName, lastName, position, phones, emails, company)
        await entry.reference("responsible", responsible, "User")
        entry.right()
        assert contact is not None  # noqa: S101 - else it would be a problem
        return await edited(entry, key, RecordKind.CONTACT, contact)

    async def remove(info: Info, id: _ContactId) -> Any:
        return await taken_away(Entry(info, types), RecordKind.CONTACT, id, "Contact")

    contact = payload(types, "contact", "Contact", "The contact as it is here now; null if nothing was written.")
    written = record_payload(types, "ContactPayload", "A contact that was entered or edited.", contact)
    return [
        act(
            create,
            "createContact",
            written,
            "Enter a person's card in Skvoz. Whose it is is told by `client`, else by its phones and e-mails.",
            tells=True,
            delivers=True,
        ),
        act(
            edit,
            "editContact",
            written,
            "Edit a contact. What was entered here changes at once; what another system keeps is changed there "
            "(phones and e-mails are added, never removed): `queued` is true then." + STAYS,
            of=("id", "Contact"),
            tells=True,
            delivers=True,
        ),
        act(remove, "removeContact", REMOVAL, "Take away a contact that was entered here.", tells=True),
    ]


async def _card(
    entry: Entry,
    name: str | None,
    first: str | None,
    middle: str | None,
    last: str | None,
    position: str | None,
    phones: Any,
    emails: Any,
    company: str | None,
) -> None:
    entry.text("name", name)
    entry.text("firstName", first, "first_name")
    entry.text("middleName", middle, "middle_name")
    entry.text("lastName", last, "last_name")
    entry.text("position", position)
    entry.phones("phones", phones)
    entry.emails("emails", emails)
    await entry.reference("company", company, "Company")
