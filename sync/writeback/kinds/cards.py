"""Rules by which clients' cards of several systems say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from schema.enums import RecordKind
from sync.writeback.kinds.base import Language, RuleSettings, Title, Wins

_WINS_WORDS: dict[Language, dict[Wins, str]] = {
    "en": {
        "ours": "ours wins",
        "theirs": "theirs wins",
        "most_recent": "the most recent wins",
        "never": "only what is empty there is filled",
        "by_hand": "a person decides",
    },
    "ru": {
        "ours": "верно наше",
        "theirs": "верно то, что там",
        "most_recent": "верно более позднее",
        "never": "заполняется только пустое",
        "by_hand": "решает человек",
    },
}
_FIELD_WORDS: dict[Language, dict[str, str]] = {
    "en": {"name": "name", "phones": "phones", "emails": "emails"},
    "ru": {"name": "имя", "phones": "телефоны", "emails": "почта"},
}


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

    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        told = ", ".join(
            f"{_FIELD_WORDS[language][name]} ({_WINS_WORDS[language][wins]})" for name, wins in self.fields.items()
        )
        if language == "ru":
            source = f"«{title(self.cards_from)}»" if self.cards_from else "любой другой системе"
            return (
                f"Что изменено в карточке клиента в {source}, меняется и в его карточке в «{target}»: {told}; "
                "телефоны и почта только добавляются."
            )
        source = f"«{title(self.cards_from)}»" if self.cards_from else "any other system"
        return (
            f"What is changed on a client's card in {source} is changed on the client's card in «{target}»: "
            f"{told}; phones and e-mails are added and never removed."
        )
