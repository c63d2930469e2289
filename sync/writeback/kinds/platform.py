"""Rules by which a platform for mailings learns of clients and of what they bought."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from schema.enums import RecordKind
from sync.writeback.kinds.base import Language, RuleSettings, Title, Wins, joined


class ClientsToPlatform(RuleSettings):
    """Clients go to a platform for mailings, and that they became clients when their first deal is won."""

    kind: Literal["clients_to_platform"] = "clients_to_platform"
    write: ClassVar[str] = "client.put"
    also_writes: ClassVar[tuple[str, ...]] = ("contact.create", "sale.put", "consent.put")
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.DEAL, RecordKind.CONTACT})

    clients_from: UUID | None = Field(default=None, title="Clients and deals of this connection only")
    everybody: bool = Field(
        default=False,
        title="Everybody",
        description="A profile for each client, not only for those who bought. A profile that is there stays.",
    )
    sales: bool = Field(default=True, title="Sales too", description="Each won deal goes there as an order.")
    consent_field: str | None = Field(
        default=None,
        title="Field of consent",
        description="The key of a custom field on clients' cards that says yes to mailings: it goes there as their "
        "consent. A refusal that stands there is never lifted.",
    )

    def reads_from(self) -> UUID | None:
        return self.clients_from

    def policy(self, field: str) -> Wins:
        return "never"

    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        if language == "ru":
            source = f" из «{title(self.clients_from)}»" if self.clients_from else ""
            told = [f"профиль для каждого клиента{source}"] if self.everybody else []
            told.append(f"событие «стал клиентом» по первой выигранной сделке{'' if self.everybody else source}")
            told += ["каждая выигранная сделка как заказ"] if self.sales else []
            told += [f"согласие из поля {self.consent_field}"] if self.consent_field else []
            return f"В «{target}» передаются: {joined(told, language)}."
        source = f" of «{title(self.clients_from)}»" if self.clients_from else ""
        told = [f"a profile for every client{source}"] if self.everybody else []
        told.append(f"that somebody became a client, at the first deal won{'' if self.everybody else source}")
        told += ["each won deal as an order"] if self.sales else []
        told += [f"the consent in the field {self.consent_field}"] if self.consent_field else []
        return f"To «{target}» goes {joined(told, language)}."
