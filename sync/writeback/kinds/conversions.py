"""Rules by which an advertising system learns what its clicks became: sales, qualified leads, paid invoices."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from schema.enums import RecordKind
from sync.writeback.kinds.base import Language, RuleSettings, Title, Wins

Happening = Literal["won_deal", "qualified_lead", "paid_invoice"]
_WORDS: dict[Language, dict[Happening, str]] = {
    "en": {
        "won_deal": "Every deal won",
        "qualified_lead": "Every lead of which a deal came",
        "paid_invoice": "Every invoice paid in full",
    },
    "ru": {
        "won_deal": "Каждая выигранная сделка",
        "qualified_lead": "Каждая заявка, из которой вышла сделка,",
        "paid_invoice": "Каждый полностью оплаченный счёт",
    },
}


class OfflineConversion(RuleSettings):
    """What a visitor came to after the visit is told to the counter of the site, and by it to its advertising."""

    kind: Literal["offline_conversion"] = "offline_conversion"
    write: ClassVar[str] = "conversion.put"
    also_writes: ClassVar[tuple[str, ...]] = ("conversion.goal",)
    lacking: ClassVar[str] = "takes no conversions from Skvoz"
    causes: ClassVar[frozenset[RecordKind]] = frozenset(
        {RecordKind.DEAL, RecordKind.LEAD, RecordKind.INVOICE, RecordKind.VISIT}
    )

    happens: Happening = Field(default="won_deal", title="What is told")
    records_from: UUID | None = Field(default=None, title="Of this connection only")
    goal: str | None = Field(
        default=None,
        title="Goal",
        min_length=1,
        description="The identifier of a JavaScript event's goal there. With it the visitor reaches that goal, "
        "once, if a visit of the last 21 days is known; it can't be taken back. Without, an order is told by its "
        "own id, and told again when it changes.",
    )

    def reads_from(self) -> UUID | None:
        return self.records_from

    def policy(self, field: str) -> Wins:
        return "ours"

    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        what = _WORDS[language][self.happens]
        if language == "ru":
            source = f" в «{title(self.records_from)}»" if self.records_from else ""
            if self.goal:
                return f"{what}{source} передаётся в «{target}» как достижение цели {self.goal}, один раз."
            lost = "" if self.happens == "qualified_lead" else "; если это отменено, заказ отменяется"
            return f"{what}{source} передаётся в «{target}» как заказ, по телефону, почте и визиту клиента{lost}."
        source = f" in «{title(self.records_from)}»" if self.records_from else ""
        if self.goal:
            return f"{what}{source} goes to «{target}» as the goal {self.goal} reached, once."
        lost = "" if self.happens == "qualified_lead" else "; what is no longer so cancels the order"
        return f"{what}{source} goes to «{target}» as an order, by the client's phone, e-mail and visit{lost}."
