"""Rules by which what a client does becomes a lead or a deal in a CRM: calls, requests, orders.

The client's card and open deal are looked for there before anything is made: who is known gets no second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, Field, field_validator, model_validator

from schema.enums import RecordKind
from sync.writeback.kinds.base import Language, RuleSettings, Title, joined

Origin = Literal[
    "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "source", "medium", "campaign"
]
IfKnown = Literal["skip", "comment", "task"]
_CAMPAIGN_NAME = {"en": "campaign name", "ru": "название кампании"}
_KNOWN_WORDS: dict[Language, dict[IfKnown, str]] = {
    "en": {
        "skip": "nothing is made for whom it has already",
        "comment": "who has an open one there gets a comment on it instead",
        "task": "who has an open one there gets a task on it instead",
    },
    "ru": {
        "skip": "если клиент там уже есть, ничего не создаётся",
        "comment": "если у клиента там уже есть открытая запись, к ней добавляется комментарий",
        "task": "если у клиента там уже есть открытая запись, к ней ставится задача",
    },
}


class Entry(RuleSettings):
    """What a lead or deal is made of, whatever it is made from."""

    made: ClassVar[Mapping[Language, str]] = {"en": "a lead", "ru": "лидом"}

    lead_title: str = Field(default="Call from {phone}", title="Title")
    stage: str | None = Field(default=None, title="Stage", description="The id of the stage or status there.")
    fields: Mapping[str, Origin] | None = Field(
        default=None,
        title="Fields",
        description="The system's fields, each with the part of the origin it takes. Empty: UTM tags in their own.",
    )
    responsible: Mapping[str, str] = Field(
        default_factory=dict,
        title="Responsible",
        description="The user's id there, by the number dialled or by the source.",
    )
    same_person: Mapping[str, str] = Field(
        default_factory=dict,
        title="The same people",
        description="Users of the system that is read, each with the same person's id there: who took the call "
        "keeps the client.",
    )
    share_among: tuple[str, ...] = Field(
        default=(),
        title="Shared among",
        description="Ids of users there: the one with the fewest open deals gets the next.",
    )
    otherwise_responsible: str | None = Field(default=None, title="Responsible for all others")
    if_known: IfKnown = Field(
        default="skip", title="If it is there", description="What to do where the client has an open one already."
    )

    def vendor_fields(self) -> tuple[str, ...]:
        return tuple(self.fields or ())

    def users(self) -> tuple[str, ...]:
        named = (*self.responsible.values(), *self.same_person.values(), *self.share_among)
        return tuple(dict.fromkeys((*named, *filter(None, (self.otherwise_responsible,)))))

    def _cause(self, title: Title, language: Language) -> str:
        raise NotImplementedError

    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        becomes = {"en": "becomes", "ru": "становится"}[language]
        into = {"en": "in", "ru": "в"}[language]
        parts = [f"{self._cause(title, language)} {becomes} {self.made[language]} {into} «{target}»"]
        parts += [part for part in (self._place(language), self._origin(language)) if part]
        parts += self._people(language)
        known = "" if self.if_known == "skip" else f"; {_KNOWN_WORDS[language][self.if_known]}"
        return f"{', '.join(parts)}{known}."

    def _place(self, language: Language) -> str | None:
        if not self.stage:
            return None
        return {"en": f"in the stage {self.stage}", "ru": f"на этапе {self.stage}"}[language]

    def _origin(self, language: Language) -> str | None:
        if self.fields is None:
            return {
                "en": "with its UTM tags in the fields meant for them",
                "ru": "с UTM-метками в предназначенных для них полях",
            }[language]
        said = {
            code: _CAMPAIGN_NAME[language] if part == "campaign" else part for code, part in self.fields.items()
        }
        word = {"en": "in", "ru": "в поле"}[language]
        told = ", ".join(f"{part} {word} {code}" for code, part in said.items())
        return f"{'with' if language == 'en' else 'с записью'} {told}" if told else None

    def _people(self, language: Language) -> list[str]:
        english = language == "en"
        parts = []
        if self.responsible:
            word = "user {} for {}" if english else "пользователь {} для {}"
            told = ", ".join(word.format(user, which) for which, user in self.responsible.items())
            parts.append(f"responsible is {told}" if english else f"ответственный — {told}")
        if self.same_person:
            parts.append("who took it keeps the client" if english else "клиент остаётся за тем, кто его принял")
        if self.share_among:
            told = joined(list(self.share_among), language)
            parts.append(
                f"shared by load among users {told}"
                if english
                else f"распределяется по загрузке между пользователями {told}"
            )
        if self.otherwise_responsible:
            other = self.responsible or self.same_person
            parts.append(
                f"responsible is {'otherwise ' if other else ''}user {self.otherwise_responsible}"
                if english
                else f"ответственный {'в остальных случаях ' if other else ''}— "
                f"пользователь {self.otherwise_responsible}"
            )
        return parts


class AsDeal(BaseModel):
    """Straight into a pipeline."""

    write: ClassVar[str] = "deal.create"
    made: ClassVar[Mapping[Language, str]] = {"en": "a deal", "ru": "сделкой"}

    pipeline: str | None = Field(default=None, title="Pipeline", description="The id of the pipeline there.")
    if_known: IfKnown = Field(
        default="comment",
        title="If it is there",
        description="What to do where the client has an open deal already.",
    )

    def _place(self, language: Language) -> str | None:
        stage: str | None = getattr(self, "stage", None)
        words = {"en": ("in pipeline {}", "stage {}"), "ru": ("в воронке {}", "этап {}")}[language]
        told = [word.format(value) for word, value in zip(words, (self.pipeline, stage), strict=True) if value]
        return ", ".join(told) or None


class OfCalls(Entry):
    """Entries that begin with a call. One number makes one, however often it calls; missed calls, one a day."""

    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.CALL})

    calls_from: UUID | None = Field(default=None, title="Calls of this connection only")
    only_answered: bool = Field(default=True, title="Answered calls only")
    only_missed: bool = Field(
        default=False, title="Missed calls only", description="Those after which nobody has reached the client."
    )
    only_new_numbers: bool = Field(default=True, title="New numbers only")
    lead_title: str = Field(
        default="Call from {phone}", title="Title", description="{phone}, {name} and {campaign} are filled in."
    )

    @field_validator("lead_title")
    @classmethod
    def _fills(cls, value: str) -> str:
        return _fillable(value, "phone", "name", "campaign")

    @model_validator(mode="after")
    def _either(self) -> OfCalls:
        if self.only_missed and self.only_answered and "only_answered" in self.model_fields_set:
            raise ValueError("answered calls only and missed calls only exclude each other")
        return self

    def reads_from(self) -> UUID | None:
        return self.calls_from

    def _cause(self, title: Title, language: Language) -> str:
        source = f" {'in' if language == 'en' else 'в'} «{title(self.calls_from)}»" if self.calls_from else ""
        if language == "ru":
            which = (
                "пропущенный звонок"
                if self.only_missed
                else "отвеченный звонок"
                if self.only_answered
                else "звонок"
            )
            return f"Каждый {which}{' с нового номера' if self.only_new_numbers else ''}{source}"
        which = "missed call" if self.only_missed else "answered call" if self.only_answered else "call"
        return f"Every {which}{' from a new number' if self.only_new_numbers else ''}{source}"


class CallToLead(OfCalls):
    """A call becomes a lead, with its origin."""

    kind: Literal["call_to_lead"] = "call_to_lead"
    write: ClassVar[str] = "lead.create"


class CallToDeal(AsDeal, OfCalls):
    """A call becomes a deal of a pipeline, tied to the client's card."""

    kind: Literal["call_to_deal"] = "call_to_deal"


class OfRequests(Entry):
    """Entries that begin with a form, a chat or a letter."""

    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.LEAD, RecordKind.MESSAGE})

    requests_from: UUID | None = Field(default=None, title="Requests of this connection only")
    requests: tuple[Literal["form", "chat", "letter"], ...] = Field(
        default=("form",), title="Which requests", min_length=1
    )
    lead_title: str = Field(
        default="{title}", title="Title", description="{title}, {phone}, {name} and {campaign} are filled in."
    )

    @field_validator("lead_title")
    @classmethod
    def _fills(cls, value: str) -> str:
        return _fillable(value, "title", "phone", "name", "campaign")

    def reads_from(self) -> UUID | None:
        return self.requests_from

    def _cause(self, title: Title, language: Language) -> str:
        words = {
            "en": {"form": "form sent", "chat": "chat", "letter": "letter"},
            "ru": {"form": "заявка", "chat": "чат", "letter": "письмо"},
        }[language]
        told = joined([words[one] for one in self.requests], language)
        source = f" {'in' if language == 'en' else 'в'} «{title(self.requests_from)}»" if self.requests_from else ""
        return f"Every {told}{source}" if language == "en" else f"Каждое обращение ({told}){source}"


class RequestToLead(OfRequests):
    """A form, chat or letter becomes a lead, with its origin."""

    kind: Literal["request_to_lead"] = "request_to_lead"
    write: ClassVar[str] = "lead.create"
    if_known: IfKnown = Field(
        default="comment", title="If it is there", description="What to do where the client is there already."
    )


class RequestToDeal(AsDeal, OfRequests):
    """A form, chat or letter becomes a deal of a pipeline, tied to the client's card."""

    kind: Literal["request_to_deal"] = "request_to_deal"


class OrderToDeal(AsDeal, Entry):
    """A shop's order becomes a deal with its amount, tied to the client's card."""

    kind: Literal["order_to_deal"] = "order_to_deal"
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.ORDER})

    orders_from: UUID | None = Field(default=None, title="Orders of this connection only")
    lead_title: str = Field(
        default="Order {number}", title="Title", description="{number}, {name} and {campaign} are filled in."
    )

    @field_validator("lead_title")
    @classmethod
    def _fills(cls, value: str) -> str:
        return _fillable(value, "number", "name", "campaign")

    def reads_from(self) -> UUID | None:
        return self.orders_from

    def _cause(self, title: Title, language: Language) -> str:
        source = f" {'in' if language == 'en' else 'в'} «{title(self.orders_from)}»" if self.orders_from else ""
        return f"{'Every order' if language == 'en' else 'Каждый заказ'}{source}"


def _fillable(value: str, *names: str) -> str:
    try:
        value.format(**dict.fromkeys(names, ""))
    except (KeyError, IndexError, ValueError):
        told = joined([f"{{{name}}}" for name in names], "en")
        raise ValueError(f"only {told} can be filled in") from None
    return value
