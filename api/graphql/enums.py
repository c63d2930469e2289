"""The closed lists of the model as GraphQL enums, each value with its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any, cast

import strawberry

from reports.changes import ChangeCause
from reports.comparison import DEFINITIONS
from reports.conversions import CONVERSIONS, Conversion
from reports.dimensions import Dimension, ServedFrom
from reports.metrics import Unit
from reports.periods import Earlier
from reports.report_costs import RateKind
from reports.rules import RuleKind
from reports.stored_paths import DatedBy
from reports.tag_audit import TagFault
from schema import enums as model

AttributionModel = StrEnum("AttributionModel", {key.upper(): key for key in DEFINITIONS})  # type: ignore[misc]
"""The keys of all models; the type is made from their definitions."""

_MEANINGS: Mapping[type[Enum], tuple[str, tuple[str, ...]]] = {
    model.ClientKind: ("What a client is.", ("A human being.", "An organisation.")),
    model.IdentifierKind: (
        "What kind of key ties records to a client.",
        (
            "A phone number, E.164.",
            "An e-mail address, lower case.",
            "A visitor's cookie of a counter, as `counter:value`.",
            "A tax number of an organisation.",
            "An account in a messenger.",
            "A click id of an ad platform.",
            "An id in an external system.",
        ),
    ),
    model.Direction: (
        "Who turned to whom.",
        ("The client to the business.", "The business to the client."),
    ),
    model.DealStatus: ("How a deal stands.", ("Still being worked on.", "Won.", "Lost.")),
    model.DealKind: (
        "What a deal is to the relation with the client.",
        (
            "The first sale to a client.",
            "More of what the client already buys.",
            "Something else for a client who already buys.",
            "A contract goes on.",
            "A client who had left comes back.",
        ),
    ),
    model.OrderState: (
        "How an order stands.",
        ("Being worked on.", "Handed over to the client.", "Called off."),
    ),
    model.InvoiceKind: (
        "What a document about money is.",
        ("It asks for money.", "It states that the work was done."),
    ),
    model.PaymentKind: ("Which way money went.", ("From the client to the business.", "Back to the client.")),
    model.MessageChannel: (
        "By what means the business and a client spoke, but for the telephone.",
        ("E-mail.", "A chat on the site.", "SMS.", "A messenger.", "A meeting."),
    ),
    model.Channel: (
        "The channel groups of web analytics, told from source and medium.",
        (
            "Paid search ads.",
            "Paid ads in social networks.",
            "Other paid ads.",
            "Unpaid results of search engines.",
            "Unpaid posts in social networks.",
            "Letters.",
            "Links on other sites.",
            "The address was typed or bookmarked; nothing else is known.",
        ),
    ),
    model.ConnectionState: (
        "Whether a connection is being read.",
        (
            "It is read by its schedule.",
            "A user paused it.",
            "Its access has ended: the account must be connected again.",
            "Its settings are wrong and must be mended.",
        ),
    ),
    model.RunState: (
        "How a sync stands.",
        (
            "Waits for a worker.",
            "A worker is at it.",
            "Ended, everything is here.",
            "Ended with an error.",
            "Waits because the vendor asked to; goes on by itself.",
        ),
    ),
    model.RunTrigger: (
        "What started a sync.",
        (
            "The schedule.",
            "A user, over the API.",
            "The command line.",
            "A webhook of the vendor.",
            "A check of completeness that found something to mend.",
        ),
    ),
    model.Role: (
        "What a token may do.",
        (
            "Everything.",
            "Sees everything and edits clients; does not manage connections and tokens.",
            "Reads only, with personal data masked.",
            "A program: reads everything and manages connections; does not manage tokens.",
        ),
    ),
    model.ManagersSee: (
        "Which clients the keys of managers reach.",
        ("All clients.", "Clients that the key's employees lead, and records that they are in charge of."),
    ),
    model.Unattributed: (
        "Why a figure belongs to no campaign.",
        (
            "Nothing ties the client to any visit, call or lead with a source.",
            "There were touches, all older than the attribution window.",
            "Every touch in the window was direct.",
            "The credited touch has a source (organic, a link, …) but names no campaign.",
            "The record carries no key that tells whose it is.",
        ),
    ),
    model.ChangeType: (
        "What the change feed tells of.",
        (
            "A client.",
            "An employee.",
            "A person's card.",
            "An organisation's card.",
            "A visit on the site.",
            "A phone call.",
            "A lead.",
            "A deal.",
            "An order.",
            "An invoice or an act.",
            "A payment or a refund.",
            "A letter, chat message, SMS or meeting.",
            "Something to be done.",
            "A note about a client.",
            "A pipeline.",
            "A stage of a pipeline.",
            "A deal's coming to a stage.",
            "A campaign, its costs included.",
            "A group of ads.",
            "An ad.",
            "A keyword.",
        ),
    ),
    model.ChangeKind: (
        "What happened to a record.",
        (
            "It is new here.",
            "It, or something that belongs to it, is not as it was.",
            "The client has become part of another one.",
            "Records went out of the client, to another one or to none.",
            "It was deleted in the external system, or removed with its connection.",
        ),
    ),
    model.CustomFieldType: (
        "What the values of a vendor's own field are.",
        (
            "Text.",
            "Numbers.",
            "Sums of money, often with their currency.",
            "Yes or no.",
            "Days.",
            "Moments.",
            "A choice among `options`.",
            "Addresses of pages.",
            "Ids of other records of the same system.",
            "Things with parts: files, addresses.",
        ),
    ),
    model.SchemaChangeKind: (
        "What became of a vendor's own field.",
        (
            "It is new.",
            "The vendor doesn't list it any more; what it held is still here.",
            "It is listed again.",
            "It has another name.",
            "Its values are of another type, or it holds a list now, or no more.",
            "It offers another choice.",
        ),
    ),
    model.WebhookState: (
        "Whether a webhook is told of changes.",
        (
            "It is told of each change that it asks for.",
            "A user paused it; what happens meanwhile is told when it is resumed.",
            "It failed for too long; `stateReason` says how. What happens meanwhile is told when it is resumed.",
        ),
    ),
    model.DeliveryState: (
        "How a message to a webhook stands.",
        ("Waits for its first or next try.", "The receiver has taken it.", "Given up; it can be replayed."),
    ),
    model.ReceivedState: (
        "How a delivery to a door stands.",
        (
            "Waits to be looked into, or for its next try.",
            "Everything that it speaks of is here.",
            "Given up; it can be replayed.",
            "It could not be understood; a mended connector may.",
        ),
    ),
    model.ConversionKind: (
        "What counts as reached.",
        ("An inbound call.", "A lead.", "A client's first won deal.", "A won deal.", "An invoice paid in full."),
    ),
    AttributionModel: (
        "An attribution model: which touches earn a conversion.",
        tuple(each.meaning for each in DEFINITIONS.values()),
    ),
    Conversion: (
        "What counts as a conversion; chosen anew in each question.",
        tuple(each.meaning for each in CONVERSIONS.values()),
    ),
    DatedBy: (
        "On which day a conversion counts.",
        ("On its own day.", "On the day of the first touch in its window (cohort view); without touches, its own."),
    ),
    Dimension: (
        "By what the rows of a report are told apart.",
        (
            "Channel group.",
            "Channel group by the workspace's own rules; the usual one where none fits.",
            "Traffic source of the campaign.",
            "Campaign; what belongs to none stands by its reason and channel.",
            "Group of ads that the credited touch names.",
            "Keyword that the credited touch names.",
            "Ad that the credited touch names.",
            "Day in the workspace's time zone.",
            "Week, from Monday.",
            "Month.",
            "Employee in charge of what was reached.",
            "City of the credited visit.",
            "Device of the credited visit.",
            "First page of the credited visit, without its query.",
            "Stage that the deal is in.",
            "Why the deal was lost.",
            "Product that was sold: what a sale is worth is shared by the lines of its orders.",
        ),
    ),
    RateKind: (
        "What a percentage on ad costs is.",
        ("Value added tax that is in the cost or comes on it.", "The agency's fee."),
    ),
    RuleKind: (
        "What rules of reports decide.",
        ("How channels are grouped.", "Which campaign of an ad platform UTM tags mean."),
    ),
    TagFault: (
        "What is wrong with tags.",
        (
            "The campaign costs money, and no visit names it.",
            "Tags name a campaign that no cabinet and no rule knows.",
            "Tags name a platform's campaign whose cabinet isn't connected.",
            "An ad was clicked, and nothing names its campaign.",
        ),
    ),
    ServedFrom: (
        "From what a report was counted.",
        ("From sums that are kept up to date.", "From paths and records, at the moment of asking."),
    ),
    Earlier: (
        "What a period is compared with.",
        ("As many days right before.", "The same days a year ago; 29 February with the 28th."),
    ),
    ChangeCause: (
        "Why a figure is another one than it was believed to be.",
        (
            "It took place after the earlier moment.",
            "It had taken place before, and we learnt of it or of a touch later.",
            "The ad platform corrected a day's cost.",
            "The deal's amount, date or state in the CRM changed.",
            "A record of nobody became a client's.",
            "Two clients turned out to be one.",
            "A client turned out to be several.",
            "Other rules, or another setting of the workspace.",
        ),
    ),
    Unit: (
        "What a metric is measured in.",
        ("A number.", "Money in the workspace's currency.", "Percent.", "A ratio."),
    ),
    model.ProposalState: (
        "What a person said to a probable match.",
        (
            "Nothing yet.",
            "Not now.",
            "The two are one client.",
            "The two are different clients.",
        ),
    ),
    model.FieldRule: (
        "How the value of a client's field was chosen.",
        (
            "The record that changed last.",
            "The system that is preferred for this field.",
            "The oldest record.",
            "The fullest value.",
            "All records together.",
            "A user set it by hand.",
        ),
    ),
    model.OutboxState: (
        "How a change that is meant for another system stands.",
        (
            "Waits for its turn, or for its next try.",
            "Is being sent.",
            "No answer came: it is looked for before it is sent again.",
            "It stands there.",
            "Refused there, or a person must decide; it can be replayed, edited or skipped.",
            "Sent too often without a known outcome: look there, then replay it.",
            "Not needed, or left out by a person.",
        ),
    ),
    model.ConflictDecision: (
        "Whose value holds of a field that was changed on both sides.",
        ("What was to be written.", "What stands in the other system."),
    ),
    model.RecordKind: (
        "What a record of an external system is here.",
        (
            "An employee.",
            "A person's card.",
            "An organisation's card.",
            "A visit on the site.",
            "A phone call.",
            "A lead.",
            "A deal.",
            "An order.",
            "An invoice or an act.",
            "A payment or a refund.",
            "A letter, chat message, SMS or meeting.",
            "Something to be done.",
            "A note about a client.",
            "A pipeline.",
            "A stage of a pipeline.",
            "A deal's coming to a stage.",
            "A campaign.",
            "A group of ads.",
            "An ad.",
            "A keyword.",
            "A day's cost of a campaign.",
            "Clicks on ads that were judged as fraudulent.",
        ),
    ),
}


def graphql_enum(name: str, description: str, values: Mapping[str, tuple[str, str]]) -> Any:
    """A GraphQL enum out of names, each with the value that it stands for and its meaning."""
    made = Enum(name, {key: value for key, (value, _) in values.items()})  # type: ignore[misc]  # built from data
    strawberry.enum(made, name=name, description=description)
    definition = cast("Any", made).__strawberry_definition__
    for each in definition.values:
        each.description = values[each.name][1]
    return made


ENUMS: dict[type[Enum], Any] = {
    source: graphql_enum(
        source.__name__,
        description,
        {member.name: (member.value, meaning) for member, meaning in zip(source, meanings, strict=True)},
    )
    for source, (description, meanings) in _MEANINGS.items()
}
"""The GraphQL enum for each enum of the model; the model's own stay free of GraphQL."""

Nulls = graphql_enum(
    "Nulls",
    "Where rows without a value stand in an order.",
    {"FIRST": ("FIRST", "Before all others."), "LAST": ("LAST", "After all others.")},
)

OrderDirection = graphql_enum(
    "OrderDirection",
    "Which way an order runs.",
    {
        "ASC": ("ASC", "From the smallest, oldest or first letter."),
        "DESC": ("DESC", "From the greatest or newest."),
    },
)
