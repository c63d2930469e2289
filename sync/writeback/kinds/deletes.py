"""Rules by which what is deleted in one system is removed from another: only if somebody says so."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from schema.enums import RecordKind
from sync.writeback.kinds.base import Language, RuleSettings, Title


class DeletedElsewhere(RuleSettings):
    """A client whose last card elsewhere was deleted loses the card in this system too."""

    kind: Literal["deleted_elsewhere"] = "deleted_elsewhere"
    write: ClassVar[str] = "contact.delete"
    lacking: ClassVar[str] = "lets no card be deleted over its API: that stays with people"
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.CONTACT, RecordKind.LEAD, RecordKind.ORDER})

    deleted_from: UUID | None = Field(default=None, title="What is deleted in this connection only")
    deals: bool = Field(
        default=False,
        title="Deals too",
        description="Also what Skvoz has made there of a request or order that was deleted since.",
    )
    most_percent: float = Field(
        default=5.0,
        gt=0,
        le=100,
        title="At most this share within an hour, %",
        description="Of the cards in the system. What is more waits until a person has looked.",
    )

    def reads_from(self) -> UUID | None:
        return self.deleted_from

    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        if language == "ru":
            source = f"в «{title(self.deleted_from)}»" if self.deleted_from else "в другой системе"
            deals = ", как и сделка, созданная Skvoz из удалённой заявки или заказа" if self.deals else ""
            return (
                f"Карточка клиента, удалённая {source}, удаляется и в «{target}», если клиента больше нигде нет"
                f"{deals}; не более {self.most_percent:g} % карточек в час, остальное ждёт человека."
            )
        source = f"in «{title(self.deleted_from)}»" if self.deleted_from else "in any other system"
        deals = ", and so is what Skvoz made of a request or order that was deleted" if self.deals else ""
        return (
            f"A client's card that is deleted {source} is deleted in «{target}» too, if the client is nowhere else"
            f"{deals}; no more than {self.most_percent:g} % of the cards within an hour, the rest waits for a "
            "person."
        )
