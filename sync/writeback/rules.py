"""The kinds of rules, each a class of typed settings that says itself in one plain sentence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from connectors.contract import Write
from connectors.registry import all_connectors
from schema.enums import RecordKind

Origin = Literal[
    "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "source", "medium", "campaign"
]
_ORIGIN_WORDS: dict[str, str] = {
    "utm_source": "utm_source",
    "utm_medium": "utm_medium",
    "utm_campaign": "utm_campaign",
    "utm_content": "utm_content",
    "utm_term": "utm_term",
    "source": "source",
    "medium": "medium",
    "campaign": "campaign name",
}
Wins = Literal["ours", "theirs", "most_recent", "never", "by_hand"]
_WINS_WORDS: dict[str, str] = {
    "ours": "ours wins",
    "theirs": "theirs wins",
    "most_recent": "the most recent wins",
    "never": "only what is empty there is filled",
    "by_hand": "a person decides",
}

Title = Callable[[UUID], str]
"""What a connection is called, by id."""


class RuleSettings(BaseModel, ABC):
    """What all rules have in common. ``write``: the connector's write that the rule needs; ``causes``: the records
    that can set it off."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    write: ClassVar[str]
    causes: ClassVar[frozenset[RecordKind]]

    @abstractmethod
    def sentence(self, target: str, title: Title) -> str:
        """The rule in plain words. ``target`` is what the connection written to is called."""

    def reads_from(self) -> UUID | None:
        """The one connection whose records are causes; None for all but the one that is written to."""
        return None

    def vendor_fields(self) -> tuple[str, ...]:
        """The fields of the external system that the rule names."""
        return ()

    def policy(self, field: str) -> Wins:
        """Who wins where the field was changed there meanwhile."""
        return "by_hand"


class CallToLead(RuleSettings):
    """A call becomes a lead, with its origin. One number makes one lead, however often it calls."""

    kind: Literal["call_to_lead"] = "call_to_lead"
    write: ClassVar[str] = "lead.create"
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.CALL})

    calls_from: UUID | None = Field(default=None, title="Calls of this connection only")
    only_answered: bool = Field(default=True, title="Answered calls only")
    only_new_numbers: bool = Field(default=True, title="New numbers only")
    lead_title: str = Field(
        default="Call from {phone}", title="Title", description="{phone}, {name} and {campaign} are filled in."
    )
    stage: str | None = Field(default=None, title="Stage", description="The id of the stage or status there.")
    fields: Mapping[str, Origin] | None = Field(
        default=None, title="Fields", description="The system's fields, each with the part of the origin it takes."
    )
    responsible: Mapping[str, str] = Field(
        default_factory=dict,
        title="Responsible",
        description="The user's id there, by the number dialled or by the source.",
    )
    otherwise_responsible: str | None = Field(default=None, title="Responsible for all other calls")

    @field_validator("lead_title")
    @classmethod
    def _fills(cls, value: str) -> str:
        try:
            value.format(phone="", name="", campaign="")
        except (KeyError, IndexError, ValueError):
            raise ValueError("only {phone}, {name} and {campaign} can be filled in") from None
        return value

    def reads_from(self) -> UUID | None:
        return self.calls_from

    def vendor_fields(self) -> tuple[str, ...]:
        return tuple(self.fields or ())

    def sentence(self, target: str, title: Title) -> str:
        which = "answered call" if self.only_answered else "call"
        numbers = " from a new number" if self.only_new_numbers else ""
        source = f" in «{title(self.calls_from)}»" if self.calls_from else ""
        parts = [f"Every {which}{numbers}{source} becomes a lead in «{target}»"]
        if self.stage:
            parts.append(f"in the stage {self.stage}")
        if self.fields is None:
            parts.append("with its UTM tags in the fields meant for them")
        elif self.fields:
            told = ", ".join(f"{_ORIGIN_WORDS[part]} in {code}" for code, part in self.fields.items())
            parts.append(f"with {told}")
        if self.responsible:
            told = ", ".join(f"user {user} for {which}" for which, user in self.responsible.items())
            parts.append(f"responsible is {told}")
        if self.otherwise_responsible:
            parts.append(
                f"responsible is {'otherwise ' if self.responsible else ''}user {self.otherwise_responsible}"
            )
        return ", ".join(parts) + "."


class WonDealToCall(RuleSettings):
    """A won deal's amount goes to the call tracker, against the call that the client came by."""

    kind: Literal["won_deal_to_call"] = "won_deal_to_call"
    write: ClassVar[str] = "deal.put"
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.DEAL})

    deals_from: UUID | None = Field(default=None, title="Deals of this connection only")
    call: Literal["first", "last"] = Field(
        default="last", title="Which call", description="The client's first or last call before the deal was made."
    )
    requests: bool = Field(
        default=False,
        title="Requests and chats too",
        description="The deal may go against the client's request or chat there, if that is the first or last.",
    )
    stages: bool = Field(
        default=False,
        title="Stages too",
        description="Open and lost deals go there as well, without money, and again when the stage changes.",
    )

    def reads_from(self) -> UUID | None:
        return self.deals_from

    def policy(self, field: str) -> Wins:
        return "ours"

    def sentence(self, target: str, title: Title) -> str:
        source = f" in «{title(self.deals_from)}»" if self.deals_from else ""
        lead = "call, request or chat" if self.requests else "call"
        stages = " Open and lost deals go there too, with their stage and no money." if self.stages else ""
        return (
            f"The amount of every deal won{source} goes to «{target}», "
            f"against the client's {self.call} {lead} before it.{stages}"
        )


class ClientFields(RuleSettings):
    """What is changed on a client's card in one system is changed on the client's card in another."""

    kind: Literal["client_fields"] = "client_fields"
    write: ClassVar[str] = "contact.update"
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.CONTACT})

    cards_from: UUID | None = Field(default=None, title="Cards of this connection only")
    fields: Mapping[Literal["name", "phones", "emails"], Wins] = Field(
        default={"name": "most_recent", "phones": "ours"},
        title="Fields",
        description="Which fields flow, and who wins where the other card was changed too.",
        min_length=1,
    )

    def reads_from(self) -> UUID | None:
        return self.cards_from

    def policy(self, field: str) -> Wins:
        name = "name" if field in ("first_name", "middle_name", "last_name") else field
        return next((wins for known, wins in self.fields.items() if known == name), "by_hand")

    def sentence(self, target: str, title: Title) -> str:
        source = f"«{title(self.cards_from)}»" if self.cards_from else "any other system"
        told = ", ".join(f"{name} ({_WINS_WORDS[wins]})" for name, wins in self.fields.items())
        return (
            f"What is changed on a client's card in {source} is changed on the client's card in «{target}»: "
            f"{told}; phones and e-mails are added and never removed."
        )


AnyRule = Annotated[CallToLead | WonDealToCall | ClientFields, Field(discriminator="kind")]
_RULE: TypeAdapter[CallToLead | WonDealToCall | ClientFields] = TypeAdapter(AnyRule)
KINDS: dict[str, type[RuleSettings]] = {
    "call_to_lead": CallToLead,
    "won_deal_to_call": WonDealToCall,
    "client_fields": ClientFields,
}
CAUSES = frozenset(kind for rule in KINDS.values() for kind in rule.causes)


def parsed(kind: str, values: Mapping[str, Any]) -> RuleSettings:
    """Settings out of what a user gave, or out of the database. Raises pydantic's ValidationError."""
    return _RULE.validate_python({**values, "kind": kind})


@dataclass(frozen=True, slots=True)
class Rule:
    """A stored rule. ``since``: what happened before is no cause; set when it is switched on, if not before."""

    id: UUID
    workspace_id: UUID
    connection_id: UUID
    connector: str
    target: str
    settings: RuleSettings
    enabled: bool
    since: datetime | None
    version: int
    region: str

    @property
    def write(self) -> Write[Any]:
        """The connector's write that the rule uses."""
        return all_connectors()[self.connector].write(self.settings.write)


STORED = """
select r.id, r.connection_id, r.kind, r.settings, r.enabled, r.since, r.version, c.connector, c.title,
    w.phone_region
from write_rule r
join connection c on c.workspace_id = r.workspace_id and c.id = r.connection_id
join workspace w on w.id = r.workspace_id
where r.workspace_id = :workspace
"""
"""Reads rules; ``rule_of`` understands its rows."""


def rule_of(workspace_id: UUID, row: Sequence[Any]) -> Rule:
    """A rule out of a row of ``STORED``."""
    id, connection, kind, settings, enabled, since, version, connector, title, region = row
    return Rule(
        id, workspace_id, connection, connector, title, parsed(kind, settings), enabled, since, version, region
    )
