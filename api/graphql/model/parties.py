"""Clients and the cards, people and firms behind them."""

from __future__ import annotations

from api.graphql.declare import (
    Arm,
    Entity,
    Form,
    Kind,
    Listing,
    Many,
    One,
    Timeline,
    column,
    computed,
    many,
    one,
    table_of,
)
from api.graphql.masks import Mask
from api.graphql.model.shared import OWN, OWN_CLIENT, OWN_RECORD, node_id, unified_fields
from schema import tables as t
from schema.enums import ClientKind, FieldRule, IdentifierKind, RecordKind

SURVIVOR = (
    "(with recursive way(id, merged_into, step) as ("
    "select c.id, c.merged_into, 1 from client c where c.workspace_id = %(workspace)s::uuid and c.id = {id} "
    "union all select c.id, c.merged_into, way.step + 1 from way join client c "
    "on c.workspace_id = %(workspace)s::uuid and c.id = way.merged_into where way.step < 100) "
    "select way.id from way where way.merged_into is null)"
)

_CARDS_OF_CLIENT = (
    "select c.id from contact c where c.workspace_id = {x}.workspace_id and c.client_id = {x}.id "
    "union all select f.id from company f where f.workspace_id = {x}.workspace_id and f.client_id = {x}.id"
)

_WAS = (
    "{t}.client_id in (with recursive was(id) as (select {x}.id union all select m.id from was join client m "
    "on m.workspace_id = {x}.workspace_id and m.merged_into = was.id) select id from was)"
)
"""Of the client and of all clients that became part of it."""

CLIENT = Entity(
    name="Client",
    table=table_of(t.Client),
    description=(
        "A customer, person or organisation: all records of all connected systems that are one and the same "
        "client. Its id never changes; a client that was merged away is still found by its old id, which leads to "
        "the client that it is part of now."
    ),
    resolve_id=SURVIVOR,
    listed_if="{x}.merged_into is null",
    order=(("lastSeenAt", True),),
    own=OWN,
    fields=(
        node_id("Client"),
        column(t.Client.kind, "Whether it is a human being or an organisation.", enum=ClientKind, filterable=True),
        column(
            t.Client.name,
            "The name that holds, chosen among what the records say (`fields` tells how).",
            mask=Mask.NAME,
            filterable=True,
            sortable=True,
        ),
        column(t.Client.phone, "The main phone, E.164.", mask=Mask.PHONE, filterable=True, form=Form.PHONE),
        column(t.Client.email, "The main e-mail, lower case.", mask=Mask.EMAIL, filterable=True, form=Form.EMAIL),
        one("responsible", "User", t.Client.responsible_id, "The employee who leads the client now."),
        column(
            t.Client.founded_at,
            "Time of the client's first record that tells who it is.",
            filterable=True,
            sortable=True,
        ),
        column(t.Client.last_seen_at, "Time of the client's newest record.", filterable=True, sortable=True),
        column(t.Client.created_at, "When Skvoz made the client.", filterable=True, sortable=True),
        column(t.Client.changed_at, "When Skvoz last changed the client.", filterable=True, sortable=True),
        many("contacts", "Contact", t.Contact.client_id, "Cards of persons in the CRMs that are this client."),
        many("companies", "Company", t.Company.client_id, "Cards of organisations that are this client."),
        Listing(
            name="identifiers",
            target="Identifier",
            description="The keys by which the client's records were recognised, each with who carries it.",
            on="{t}.client_id = {x}.id",
            order="{t}.kind, {t}.value",
        ),
        many("visits", "Visit", t.Visit.client_id, "Visits on the site, newest first."),
        many("calls", "Call", t.Call.client_id, "Phone calls, newest first."),
        many("leads", "Lead", t.Lead.client_id, "Forms, requests and leads of the CRMs, newest first."),
        many("messages", "Message", t.Message.client_id, "Letters, chats and meetings, newest first."),
        many("deals", "Deal", t.Deal.client_id, "Possible and done sales, newest first."),
        many("orders", "Order", t.Order.client_id, "What the client ordered, newest first."),
        many("invoices", "Invoice", t.Invoice.client_id, "Invoices and acts, newest first."),
        many("payments", "Payment", t.Payment.client_id, "Payments and refunds, newest first."),
        Listing(
            name="assignments",
            target="Assignment",
            description="Who has led the client, in which role and when, the newest first.",
            on=f"{{t}}.record_id in ({_CARDS_OF_CLIENT})",
            order="{t}.valid_from desc, {t}.id",
        ),
        Many(name="notes", target="Note", description="Notes about the client, newest first.", on=_WAS),
        Many(name="tasks", target="Task", description="What is to be done for the client, newest first.", on=_WAS),
        Timeline(
            name="history",
            union="HistoryItem",
            description="Everything that happened with the client in one order of time, newest first.",
            arms=(
                Arm(target="Visit", at="{t}.started_at", on="{t}.client_id = {x}.id"),
                Arm(target="Call", at="{t}.started_at", on="{t}.client_id = {x}.id"),
                Arm(target="Lead", at="{t}.created_at", on="{t}.client_id = {x}.id"),
                Arm(target="Message", at="{t}.sent_at", on="{t}.client_id = {x}.id"),
                Arm(target="Deal", at="{t}.created_at", on="{t}.client_id = {x}.id"),
                Arm(target="Order", at="{t}.created_at", on="{t}.client_id = {x}.id"),
                Arm(target="Invoice", at="{t}.issued_at", on="{t}.client_id = {x}.id"),
                Arm(target="Payment", at="{t}.paid_at", on="{t}.client_id = {x}.id"),
                Arm(
                    target="StageChange",
                    at="{t}.changed_at",
                    source=(
                        "deal d join stage_change {t} on {t}.workspace_id = d.workspace_id and {t}.deal_id = d.id"
                    ),
                    on="d.workspace_id = %(workspace)s::uuid and d.client_id = {x}.id",
                ),
            ),
        ),
        Listing(
            name="fields",
            target="ClientField",
            description="Where each field of the client has its value from, and what the other records say.",
            on="{t}.client_id = {x}.id",
            order="{t}.field",
        ),
        Listing(
            name="merges",
            target="Merge",
            description="The merges and splits that made the client what it is, newest first.",
            on="({t}.client_id = {x}.id or {t}.other_id = {x}.id)",
            order="{t}.at desc, {t}.id desc",
        ),
    ),
)

_CONFIDENCE = (
    "case {x}.rule when 'pinned' then 1 else coalesce((select (g.rules -> 'confidence' ->> r.connection_id::text)"
    "::float8 from golden_rules g join identity_record r on r.workspace_id = g.workspace_id "
    "and r.record_id = {x}.record_id where g.workspace_id = {x}.workspace_id "
    "order by g.version desc limit 1), 1) end"
)

CLIENT_FIELD = Entity(
    name="ClientField",
    table=table_of(t.ClientField),
    node=False,
    key="client_id",
    description="The provenance of one field of a client.",
    own=OWN_CLIENT,
    fields=(
        column(t.ClientField.field, "Name of the client's field (`name`, `phone`, `email`, …)."),
        column(t.ClientField.value, "The value that holds.", mask=Mask.HIDDEN),
        column(t.ClientField.rule, "The rule by which the value was chosen.", enum=FieldRule),
        column(t.ClientField.record_kind, "What kind of record gave the value.", enum=RecordKind),
        One(
            name="source",
            target="ConnectedSystem",
            description="The system whose record gave the value; of a pinned one, whose record it is bound to.",
            on=(
                "{t}.id = (select r.connection_id from identity_record r "
                "where r.workspace_id = {x}.workspace_id and r.record_id = {x}.record_id)"
            ),
        ),
        computed(
            "confidence",
            Kind.FLOAT,
            _CONFIDENCE,
            "How far the system that gave the value is trusted by `goldenRules`, from 0 to 1; of a pinned one, 1.",
            nullable=False,
        ),
        column(
            t.ClientField.others,
            "What the other records say: a JSON object from each other value to the records that say it.",
            mask=Mask.HIDDEN,
        ),
    ),
)

_KEYS_OF_CLIENTS = (
    "(select r.workspace_id, r.client_id, i.kind, i.value, min(i.raw) as raw, count(*)::int as records, "
    "exists(select from shared_key s where s.workspace_id = r.workspace_id and s.kind = i.kind "
    "and s.value = i.value) as shared "
    "from identity_record r join identifier i on i.workspace_id = r.workspace_id and i.record_id = r.record_id "
    "group by r.workspace_id, r.client_id, i.kind, i.value)"
)

IDENTIFIER = Entity(
    name="Identifier",
    table=_KEYS_OF_CLIENTS,
    node=False,
    key="client_id",
    description="A key that ties records to a client: a phone, an e-mail, a visitor's cookie, a tax id.",
    own=OWN_CLIENT,
    fields=(
        computed(
            "kind",
            Kind.STRING,
            "{x}.kind",
            "What kind of key it is.",
            nullable=False,
            enum=IdentifierKind,
            filterable=True,
        ),
        computed(
            "value",
            Kind.STRING,
            "{x}.value",
            "The key in its normal form (E.164, lower-case e-mail).",
            mask=Mask.HIDDEN,
            filterable=True,
        ),
        computed("raw", Kind.STRING, "{x}.raw", "One spelling of it in the records.", mask=Mask.HIDDEN),
        computed(
            "records",
            Kind.INT,
            "{x}.records",
            "How many of the client's records carry it.",
            nullable=False,
            filterable=True,
        ),
        computed(
            "shared",
            Kind.BOOLEAN,
            "{x}.shared",
            "Whether too many people carry the key for it to join anyone (an office's phone).",
            nullable=False,
            filterable=True,
        ),
    ),
)

MERGE = Entity(
    name="Merge",
    table=table_of(t.MergeLog),
    node=False,
    description="An entry of the log of merges and splits of clients; entries are never changed.",
    own=OWN_CLIENT,
    fields=(
        column(t.MergeLog.at, "When it was done.", filterable=True),
        column(t.MergeLog.kind, "`merge` or `split`.", filterable=True),
        one("client", "Client", t.MergeLog.client_id, "The client that survived, or that was parted."),
        computed(
            "otherId",
            Kind.STRING,
            "'Client:' || {x}.other_id",
            "Global id of the client merged away, or of the one that went out; null if nobody.",
        ),
        column(t.MergeLog.evidence, "The keys that joined them, or the reason to part.", mask=Mask.HIDDEN),
        column(t.MergeLog.actor, "Who did it: `rule`, or the token that asked for it.", filterable=True),
    ),
)

_ASSIGNMENTS = many(
    "assignments",
    "Assignment",
    t.Assignment.record_id,
    "Who has been in charge of the card and when, newest first.",
)

_AFFILIATED = "Every firm that the card names or named, each with the role and the dates, the newest first."

CONTACT = Entity(
    name="Contact",
    table=table_of(t.Contact),
    description="A person's card in a CRM.",
    deletable=True,
    order=(),
    own=OWN_RECORD,
    fields=(
        node_id("Contact"),
        column(t.Contact.name, "Full name as the CRM has it.", mask=Mask.NAME, filterable=True, sortable=True),
        column(t.Contact.first_name, "First name.", mask=Mask.NAME, filterable=True),
        column(t.Contact.middle_name, "Middle name (patronymic).", mask=Mask.NAME),
        column(t.Contact.last_name, "Last name.", mask=Mask.NAME, filterable=True, sortable=True),
        column(t.Contact.position, "Position in the company.", filterable=True),
        column(t.Contact.birthday, "Day of birth.", mask=Mask.HIDDEN),
        column(t.Contact.address, "Where the person lives or has things sent, as written.", mask=Mask.HIDDEN),
        column(t.Contact.phones, "Phones, E.164 where valid.", mask=Mask.PHONE, filterable=True, form=Form.PHONE),
        column(t.Contact.emails, "E-mails.", mask=Mask.EMAIL, filterable=True, form=Form.EMAIL),
        column(t.Contact.created_at, "When the card was made in the CRM.", filterable=True, sortable=True),
        one("client", "Client", t.Contact.client_id, "The client whose card it is."),
        one(
            "company",
            "Company",
            t.Contact.company_id,
            "The organisation that it hangs on; of several, the main one.",
        ),
        many("companies", "Affiliation", t.Affiliation.contact_id, _AFFILIATED),
        one("responsible", "User", t.Contact.responsible_id, "The employee in charge of the card."),
        many("deals", "Deal", t.Deal.contact_id, "Deals that name this contact, newest first."),
        many("calls", "Call", t.Call.contact_id, "Calls filed under this contact, newest first."),
        many("leads", "Lead", t.Lead.contact_id, "Leads that became this contact, newest first."),
        many("messages", "Message", t.Message.contact_id, "Messages filed under this contact, newest first."),
        many("orders", "Order", t.Order.contact_id, "Orders that name this contact, newest first."),
        many("invoices", "Invoice", t.Invoice.contact_id, "Invoices and acts that name this contact."),
        many("payments", "Payment", t.Payment.contact_id, "Payments and refunds that name this contact."),
        many("tasks", "Task", t.Task.contact_id, "What is to be done for this contact, newest first."),
        _ASSIGNMENTS,
        *unified_fields(t.Contact),
    ),
)

COMPANY = Entity(
    name="Company",
    table=table_of(t.Company),
    description="An organisation's card in a CRM.",
    deletable=True,
    own=OWN_RECORD,
    fields=(
        node_id("Company"),
        column(t.Company.name, "Name of the organisation.", filterable=True, sortable=True),
        column(t.Company.tax_id, "Tax number (in Russia the INN).", filterable=True),
        column(t.Company.website, "Address of its site.", filterable=True, form=Form.URL),
        column(t.Company.phones, "Phones, E.164 where valid.", mask=Mask.PHONE, filterable=True, form=Form.PHONE),
        column(t.Company.emails, "E-mails.", mask=Mask.EMAIL, filterable=True, form=Form.EMAIL),
        column(t.Company.created_at, "When the card was made in the CRM.", filterable=True, sortable=True),
        one("client", "Client", t.Company.client_id, "The client whose card it is."),
        one("responsible", "User", t.Company.responsible_id, "The employee in charge of the card."),
        many("people", "Contact", t.Contact.company_id, "Cards of the people who work there."),
        many(
            "contacts",
            "Affiliation",
            t.Affiliation.company_id,
            "Everybody who belongs to it or did, also those whose card puts another firm first; the newest first.",
        ),
        many("deals", "Deal", t.Deal.company_id, "Deals that name this company, newest first."),
        many("calls", "Call", t.Call.company_id, "Calls filed under this company, newest first."),
        many("leads", "Lead", t.Lead.company_id, "Leads of this company, newest first."),
        many("messages", "Message", t.Message.company_id, "Messages filed under this company, newest first."),
        many("orders", "Order", t.Order.company_id, "Orders that name this company, newest first."),
        many("invoices", "Invoice", t.Invoice.company_id, "Invoices and acts that name this company."),
        many("payments", "Payment", t.Payment.company_id, "Payments and refunds that name this company."),
        many("tasks", "Task", t.Task.company_id, "What is to be done for this company, newest first."),
        _ASSIGNMENTS,
        *unified_fields(t.Company),
    ),
)

USER = Entity(
    name="User",
    table=table_of(t.User),
    description="An employee of the business, as an external system knows them (a manager in the CRM).",
    deletable=True,
    fields=(
        node_id("User"),
        column(t.User.name, "Name of the employee.", filterable=True, sortable=True),
        column(t.User.email, "Work e-mail.", filterable=True, form=Form.EMAIL),
        column(t.User.phone, "Work phone.", filterable=True, form=Form.PHONE),
        column(t.User.active, "Whether the employee still works there.", filterable=True),
        many("clients", "Client", t.Client.responsible_id, "Clients whom the employee leads."),
        many("deals", "Deal", t.Deal.responsible_id, "Deals that the employee is in charge of, newest first."),
        many("calls", "Call", t.Call.responsible_id, "Calls that the employee spoke on, newest first."),
        many("leads", "Lead", t.Lead.responsible_id, "Leads that the employee is in charge of, newest first."),
        many("messages", "Message", t.Message.responsible_id, "Messages of the employee, newest first."),
        many("orders", "Order", t.Order.responsible_id, "Orders that the employee is in charge of."),
        many("invoices", "Invoice", t.Invoice.responsible_id, "Invoices that the employee is in charge of."),
        many("contacts", "Contact", t.Contact.responsible_id, "Persons' cards that the employee is in charge of."),
        many("companies", "Company", t.Company.responsible_id, "Organisations' cards that the employee leads."),
        many("tasks", "Task", t.Task.assignee_id, "What the employee is to do, newest first."),
        many("assignments", "Assignment", t.Assignment.user_id, "Which cards the employee has led and when."),
        *unified_fields(t.User),
    ),
)

_CLIENT_OF_CARD = (
    "coalesce("
    "(select c.client_id from contact c where c.workspace_id = {x}.workspace_id and c.id = {x}.record_id), "
    "(select f.client_id from company f where f.workspace_id = {x}.workspace_id and f.id = {x}.record_id))"
)

ASSIGNMENT = Entity(
    name="Assignment",
    table="(select a.*, md5(concat_ws('/', a.record_id, a.role, a.valid_from))::uuid as id from assignment a)",
    node=False,
    description="An employee is in charge of a client's card, in a role, from one time until another.",
    order=(("validFrom", True),),
    own="{x}.user_id = any(%(own)s::uuid[])",
    fields=(
        column(t.Assignment.role, "The role (`account`: leads the client).", filterable=True),
        column(t.Assignment.valid_from, "From when.", filterable=True, sortable=True),
        column(t.Assignment.valid_until, "Until when; null: still so.", filterable=True, sortable=True),
        one("user", "User", t.Assignment.user_id, "The employee."),
        One(
            name="client",
            target="Client",
            description="The client whose card it is.",
            on=f"{{t}}.id = {_CLIENT_OF_CARD}",
            filter_sql=_CLIENT_OF_CARD,
        ),
        one("contact", "Contact", t.Assignment.record_id, "The person's card, if it is one."),
        one("company", "Company", t.Assignment.record_id, "The organisation's card, if it is one."),
    ),
)

_CONNECTION_OF_CONTACT = (
    "(select c.connection_id from contact c where c.workspace_id = {x}.workspace_id and c.id = {x}.contact_id)"
)

AFFILIATION = Entity(
    name="Affiliation",
    table=(
        "(select a.*, md5(concat_ws('/', a.contact_id, a.company_id, a.valid_from))::uuid as id from affiliation a)"
    ),
    node=False,
    description=(
        "A person belongs to a firm, in a role, from one time until another, as the person's card says it. Person "
        "and firm stay two clients: whose a deal is, the deal's own company and contact tell."
    ),
    order=(("validFrom", True),),
    own=(
        "exists(select from contact oc "
        "left join client k on k.workspace_id = oc.workspace_id and k.id = oc.client_id "
        "where oc.workspace_id = {x}.workspace_id and oc.id = {x}.contact_id "
        "and (oc.responsible_id = any(%(own)s::uuid[]) or k.responsible_id = any(%(own)s::uuid[])))"
    ),
    fields=(
        column(t.Affiliation.role, "What the person is there; null where the card doesn't say.", filterable=True),
        column(t.Affiliation.main, "Whether the card puts this firm before the others.", filterable=True),
        column(t.Affiliation.valid_from, "From when.", filterable=True, sortable=True),
        column(t.Affiliation.valid_until, "Until when; null: still so.", filterable=True, sortable=True),
        one("contact", "Contact", t.Affiliation.contact_id, "The person's card."),
        one("company", "Company", t.Affiliation.company_id, "The firm's card."),
        One(
            name="source",
            target="ConnectedSystem",
            description="The system whose card says so.",
            on=f"{{t}}.id = {_CONNECTION_OF_CONTACT}",
        ),
    ),
)

ENTITIES = (CLIENT, CLIENT_FIELD, IDENTIFIER, MERGE, CONTACT, COMPANY, USER, ASSIGNMENT, AFFILIATION)
