"""What counts as a conversion: the business chooses anew in each question.

Paths are kept for calls, leads, first won deals, won deals and paid invoices. What is narrower than these is told
from the records behind a path at the moment of asking, so that no choice rewrites anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reports.rollups import COUNTED_AS
from schema.enums import ConversionKind

QUALIFIED_WITHIN_DAYS = 30
"""A deal that the lead's client opened so many days after the lead came of it."""


class Conversion(StrEnum):
    CALL = "call"
    TARGET_CALL = "target_call"
    LEAD = "lead"
    QUALIFIED_LEAD = "qualified_lead"
    NEW_CLIENT = "new_client"
    WON_DEAL = "won_deal"
    PAID_INVOICE = "paid_invoice"


@dataclass(frozen=True, slots=True)
class Definition:
    """A conversion with its meaning: the ``kind`` of its paths, and what else must hold (SQL over a path ``p``)."""

    key: Conversion
    name_en: str
    name_ru: str
    meaning: str
    kind: ConversionKind
    condition: str | None = None

    @property
    def figure(self) -> str:
        """The figure of the report that it adds to."""
        return COUNTED_AS[self.kind]

    @property
    def sql(self) -> str:
        """That a path ``p`` is one, as SQL."""
        return f"p.kind = '{self.kind}'" + ("" if self.condition is None else f" and {self.condition}")


_TARGET = """exists (
    select from call r where r.workspace_id = p.workspace_id and r.id = any(p.record_id || p.also_told_by)
    and r.is_target and r.deleted_at is null
)"""
QUALIFIED = f"""(exists (
    select from deal d where d.workspace_id = p.workspace_id and d.lead_id = any(p.record_id || p.also_told_by)
    and d.deleted_at is null
) or exists (
    select from deal d where d.workspace_id = p.workspace_id and d.client_id = p.client_id and d.deleted_at is null
    and d.created_at >= p.occurred_at
    and d.created_at <= p.occurred_at + interval '{24 * QUALIFIED_WITHIN_DAYS} hours'
))"""  # noqa: S608 - the days are ours
"""SQL over the path ``p`` of a lead: a deal came of it."""

_DEFINITIONS = (
    Definition(Conversion.CALL, "Call", "Звонок", "An inbound call.", ConversionKind.CALL),
    Definition(
        Conversion.TARGET_CALL,
        "Target call",
        "Целевой звонок",
        "An inbound call that the call tracker judges as qualified; of several systems that tell of it, any.",
        ConversionKind.CALL,
        _TARGET,
    ),
    Definition(Conversion.LEAD, "Lead", "Заявка", "A first expression of interest.", ConversionKind.LEAD),
    Definition(
        Conversion.QUALIFIED_LEAD,
        "Qualified lead",
        "Квалифицированная заявка",
        "A lead of which a deal came: one that names the lead, or that its client opened within "
        f"{QUALIFIED_WITHIN_DAYS} days after it.",
        ConversionKind.LEAD,
        QUALIFIED,
    ),
    Definition(
        Conversion.NEW_CLIENT,
        "New client",
        "Новый клиент",
        "The first deal that a client ever won with us.",
        ConversionKind.NEW_CLIENT,
    ),
    Definition(Conversion.WON_DEAL, "Won deal", "Продажа", "Every won deal.", ConversionKind.WON_DEAL),
    Definition(
        Conversion.PAID_INVOICE,
        "Paid invoice",
        "Оплаченный счёт",
        "Every invoice, on the day it was paid in full. What brought its won deal brought it; without such a deal, "
        "what touched the client before the payment.",
        ConversionKind.PAID_INVOICE,
    ),
)

CONVERSIONS: Mapping[Conversion, Definition] = {each.key: each for each in _DEFINITIONS}
"""All conversions that can be asked for."""
