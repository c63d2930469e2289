"""Rules that write to a call tracker: what became of its calls, what came in elsewhere, what advertising cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field, field_validator

from schema.enums import RecordKind
from sync.writeback.kinds.base import Language, RuleSettings, Title, Wins, joined

WhichCall = Literal["first", "last"]
_WHICH: dict[Language, dict[WhichCall, str]] = {
    "en": {"first": "first", "last": "last"},
    "ru": {"first": "первого", "last": "последнего"},
}


def _source(connection: UUID | None, title: Title, language: Language) -> str:
    return f" {'in' if language == 'en' else 'в'} «{title(connection)}»" if connection else ""


class WonDealToCall(RuleSettings):
    """A won deal's amount goes to the call tracker, against the call that the client came by."""

    kind: Literal["won_deal_to_call"] = "won_deal_to_call"
    write: ClassVar[str] = "deal.put"
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.DEAL, RecordKind.CALL, RecordKind.LEAD})

    deals_from: UUID | None = Field(default=None, title="Deals of this connection only")
    call: WhichCall = Field(
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

    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        source = _source(self.deals_from, title, language)
        if language == "ru":
            lead = "обращения" if self.requests else "звонка"
            stages = " Открытые и проигранные сделки передаются тоже, с этапом и без суммы." if self.stages else ""
            return (
                f"Сумма каждой выигранной сделки{source} передаётся в «{target}» "
                f"для {_WHICH[language][self.call]} {lead} клиента до неё.{stages}"
            )
        lead = "call, request or chat" if self.requests else "call"
        stages = " Open and lost deals go there too, with their stage and no money." if self.stages else ""
        return (
            f"The amount of every deal won{source} goes to «{target}», "
            f"against the client's {self.call} {lead} before it.{stages}"
        )


class DealMarksCall(RuleSettings):
    """What became of a deal is marked at the call or request that it came from: with tags, a comment, or both."""

    kind: Literal["deal_marks_call"] = "deal_marks_call"
    write: ClassVar[str] = "call.tag"
    also_writes: ClassVar[tuple[str, ...]] = ("request.tag", "call.comment", "request.comment")
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.DEAL, RecordKind.CALL, RecordKind.LEAD})

    deals_from: UUID | None = Field(default=None, title="Deals of this connection only")
    call: WhichCall = Field(default="last", title="Which call or request")
    tags: Mapping[Literal["open", "won", "lost"], str] = Field(
        default={"won": "Won", "lost": "Lost"}, title="Tags", description="A tag for each state of a deal."
    )
    comment: str | None = Field(
        default=None,
        title="Comment",
        description="{title}, {status}, {stage}, {amount} and {reason} are filled in; told again when it changes.",
    )

    @field_validator("comment")
    @classmethod
    def _fills(cls, value: str | None) -> str | None:
        try:
            (value or "").format(title="", status="", stage="", amount="", reason="")
        except (KeyError, IndexError, ValueError):
            raise ValueError("only {title}, {status}, {stage}, {amount} and {reason} can be filled in") from None
        return value or None

    def reads_from(self) -> UUID | None:
        return self.deals_from

    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        source = _source(self.deals_from, title, language)
        tags = joined([f"«{tag}» ({state})" for state, tag in self.tags.items()], language)
        if language == "ru":
            told = [f"тегами {tags}"] if self.tags else []
            told += ["комментарием"] if self.comment else []
            return (
                f"Состояние каждой сделки{source} отмечается в «{target}» у {_WHICH[language][self.call]} звонка "
                f"или заявки клиента до неё: {joined(told, language) or 'ничем'}."
            )
        told = [f"with the tags {tags}"] if self.tags else []
        told += ["with a comment"] if self.comment else []
        return (
            f"The state of every deal{source} is marked in «{target}» at the client's {self.call} call or request "
            f"before it, {joined(told, language) or 'with nothing'}."
        )


class LeadToRequest(RuleSettings):
    """A lead or request of another system goes to the call tracker as a request, with its visit or its origin."""

    kind: Literal["lead_to_request"] = "lead_to_request"
    write: ClassVar[str] = "request.create"
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.LEAD})

    requests_from: UUID | None = Field(default=None, title="Leads of this connection only")
    tags: tuple[str, ...] = Field(default=(), title="Tags")

    def reads_from(self) -> UUID | None:
        return self.requests_from

    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        source = _source(self.requests_from, title, language)
        told = joined([f"«{tag}»" for tag in self.tags], language)
        if language == "ru":
            tags = f", с тегами {told}" if told else ""
            return f"Каждый лид{source} передаётся в «{target}» как заявка, с его визитом или источником{tags}."
        tags = f", tagged {told}" if told else ""
        return f"Every lead{source} goes to «{target}» as a request, with its visit or its origin{tags}."


class CostsToTracker(RuleSettings):
    """What advertising cost each day goes to the call tracker, and again when the platform restates it."""

    kind: Literal["costs_to_tracker"] = "costs_to_tracker"
    write: ClassVar[str] = "ad_spend.put"
    also_writes: ClassVar[tuple[str, ...]] = ("ad_spend.open",)
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.AD_SPEND})

    costs_from: UUID | None = Field(default=None, title="Costs of this connection only")
    sources: Mapping[str, tuple[str, str]] = Field(
        default={
            "yandex_direct": ("yandex", "cpc"),
            "google_ads": ("google", "cpc"),
            "vk_ads": ("vk", "cpc"),
        },
        title="Sources",
        description="Source and medium by ad platform, as the tracker knows its visits.",
    )
    campaign: Literal["name", "id"] = Field(
        default="id", title="Campaign", description="By which of them its visits are tagged (utm_campaign)."
    )
    currency: str = Field(default="RUB", title="Currency", description="The tracker's: other costs aren't sent.")

    def reads_from(self) -> UUID | None:
        return self.costs_from

    def policy(self, field: str) -> Wins:
        return "ours"

    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        told = ", ".join(f"{platform}: {source}/{medium}" for platform, (source, medium) in self.sources.items())
        source = _source(self.costs_from, title, language)
        if language == "ru":
            by = "по названию" if self.campaign == "name" else "по номеру"
            return f"Расход на рекламу{source} за каждый день передаётся в «{target}», кампании — {by} ({told})."
        by = "name" if self.campaign == "name" else "number"
        return f"What advertising cost each day{source} goes to «{target}», campaigns by their {by} ({told})."
