"""Recipes: automatic entry into a CRM, and what goes back to the call tracker, each switched on in one step.

A recipe is a preset of a rule for one system. What it was switched on with can be seen and changed like any rule's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from connectors.contract import Write
from connectors.registry import all_connectors
from sync.errors import NotFound
from sync.office import Office
from sync.writeback.kinds import KINDS
from sync.writeback.kinds.base import Language, RuleSettings
from sync.writeback.kinds.entry import Entry
from sync.writeback.rulebook import Shown, draft_rule, list_rules, remove_rule, store_rule, switch_rule
from sync.writeback.rules import Rule


@dataclass(frozen=True, slots=True)
class _Preset:
    """What a recipe sets. ``kinds``: the kinds of rules that it can be, the preferred one first."""

    name: str
    kinds: tuple[str, ...]
    words: Mapping[Language, str]
    values: Mapping[str, Any] = field(default_factory=dict)


_PRESETS = (
    _Preset(
        "missed-call",
        ("call_to_deal", "call_to_lead"),
        {
            "en": "A missed call, not answered since, becomes a deal or lead; who has an open one gets a task.",
            "ru": "Пропущенный звонок, на который так и не ответили, становится сделкой или лидом; "
            "если у клиента уже есть открытая — к ней ставится задача.",
        },
        {
            "only_missed": True,
            "only_answered": False,
            "only_new_numbers": False,
            "if_known": "task",
            "lead_title": "Missed call from {phone}",
        },
    ),
    _Preset(
        "call",
        ("call_to_deal", "call_to_lead"),
        {
            "en": "An answered call from a new number becomes a deal or lead.",
            "ru": "Отвеченный звонок с нового номера становится сделкой или лидом.",
        },
    ),
    _Preset(
        "form",
        ("request_to_deal", "request_to_lead"),
        {
            "en": "A form sent becomes a deal or lead; who has an open one gets a comment.",
            "ru": "Заявка становится сделкой или лидом; к уже открытой добавляется комментарий.",
        },
        {"requests": ["form"]},
    ),
    _Preset(
        "chat",
        ("request_to_deal", "request_to_lead"),
        {
            "en": "A chat becomes a deal or lead; who has an open one gets a comment.",
            "ru": "Чат становится сделкой или лидом; к уже открытой добавляется комментарий.",
        },
        {"requests": ["chat"], "lead_title": "Chat: {title}"},
    ),
    _Preset(
        "letter",
        ("request_to_deal", "request_to_lead"),
        {
            "en": "A letter becomes a deal or lead; who has an open one gets a comment.",
            "ru": "Письмо становится сделкой или лидом; к уже открытой добавляется комментарий.",
        },
        {"requests": ["letter"], "lead_title": "Letter: {title}"},
    ),
    _Preset(
        "order",
        ("order_to_deal",),
        {
            "en": "A shop's order becomes a deal with its amount; who has an open one gets a comment.",
            "ru": "Заказ магазина становится сделкой с суммой; к уже открытой добавляется комментарий.",
        },
    ),
    _Preset(
        "won-deal",
        ("won_deal_to_call",),
        {
            "en": "A won deal's amount goes to the tracker, against the call, request or chat it came from.",
            "ru": "Сумма выигранной сделки передаётся в коллтрекинг, к звонку, заявке или чату, откуда она.",
        },
        {"requests": True},
    ),
    _Preset(
        "deal-marks",
        ("deal_marks_call",),
        {
            "en": "Calls and requests are tagged with what became of their deals.",
            "ru": "Звонки и заявки отмечаются тегами: что стало со сделкой.",
        },
    ),
    _Preset(
        "lead",
        ("lead_to_request",),
        {
            "en": "A lead of another system goes to the tracker as a request, with its visit or origin.",
            "ru": "Лид из другой системы передаётся в коллтрекинг как заявка, с визитом или источником.",
        },
    ),
    _Preset(
        "costs",
        ("costs_to_tracker",),
        {
            "en": "What advertising cost each day goes to the tracker, and again when it is restated.",
            "ru": "Расходы на рекламу за каждый день передаются в коллтрекинг, уточнённые — ещё раз.",
        },
    ),
    _Preset(
        "clients",
        ("clients_to_platform",),
        {
            "en": "Who wins a first deal is told as having become a client, and each sale as an order.",
            "ru": "По первой выигранной сделке передаётся «стал клиентом», а каждая продажа — как заказ.",
        },
    ),
    _Preset(
        "callback",
        ("request_to_callback",),
        {
            "en": "Who leaves a phone in a form or chat is called back at once by the tracker's widget.",
            "ru": "Кто оставил телефон в форме или чате, тому сразу заказывается обратный звонок.",
        },
    ),
    _Preset(
        "conversions",
        ("offline_conversion",),
        {
            "en": "A won deal is told to the counter as a paid order, so that its ads learn what they sold.",
            "ru": "Выигранная сделка передаётся счётчику как оплаченный заказ: реклама узнаёт, что она продала.",
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One recipe for one kind of system. ``kinds``: the rules that it can be there, the preferred one first."""

    key: str
    connector: str
    kinds: tuple[str, ...]
    values: Mapping[str, Any]
    words: Mapping[Language, str]


def recipes() -> dict[str, Recipe]:
    """All recipes by key (``call-to-bitrix24``): of each system, those that its writes allow. What enters clients
    needs a system that can be asked for what they have there already."""
    found = {}
    for connector in all_connectors().values():
        taken = {write.name: write for write in connector.writes}
        for preset in _PRESETS:
            kinds = tuple(kind for kind in preset.kinds if _possible(KINDS[kind], taken))
            if kinds:
                key = f"{preset.name}-to-{connector.key.replace('_', '-')}"
                found[key] = Recipe(key, connector.key, kinds, preset.values, preset.words)
    return found


def _possible(kind: type[RuleSettings], taken: Mapping[str, Write[Any]]) -> bool:
    if not {kind.write, *kind.also_writes} <= taken.keys():
        return False
    return not issubclass(kind, Entry) or taken[kind.write].by_match is not None


def recipe(key: str) -> Recipe:
    """One recipe. Raises NotFound with those that are like it."""
    known = recipes()
    if key not in known:
        like = [other for other in known if set(key.split("-")) & set(other.split("-")) - {"to"}] or [*known]
        raise NotFound(f"There is no recipe {key!r}. There are: {', '.join(like)}.")
    return known[key]


async def draft(
    office: Office,
    workspace_id: UUID,
    chosen: Recipe,
    target: UUID,
    values: Mapping[str, Any],
    *,
    since: datetime | None,
    kind: str | None = None,
) -> Rule:
    """The rule that the recipe would be, checked and not stored: for the dry run. ``values`` come over the preset.
    Raises SettingsRefused."""
    settings = {**chosen.values, **values}
    return await draft_rule(office, workspace_id, target, kind or chosen.kinds[0], settings, since=since)


async def switch_on(
    office: Office,
    workspace_id: UUID,
    chosen: Recipe,
    target: UUID,
    values: Mapping[str, Any],
    *,
    actor: str,
    since: datetime | None = None,
    kind: str | None = None,
) -> Shown:
    """Store the recipe's rule and switch it on; one that is on already for that connection gives way to it, and
    what it has written isn't written again. Raises SettingsRefused."""
    former = (await switched_on(office, workspace_id)).get((chosen.key, target), [])
    id = await store_rule(
        office,
        workspace_id,
        target,
        kind or chosen.kinds[0],
        {**chosen.values, **values},
        since=since,
        actor=f"{_mark(chosen.key)} ({actor})",
    )
    await switch_rule(office, workspace_id, id, enabled=True)
    for shown in former:
        await remove_rule(office, workspace_id, shown.rule.id)
    return next(shown for shown in await list_rules(office, workspace_id) if shown.rule.id == id)


async def switch_off(office: Office, workspace_id: UUID, chosen: Recipe, target: UUID | None = None) -> int:
    """Remove the recipe's rules, of one connection or all. What they have written stays, and can still be undone;
    what waits in the outbox is still delivered. Returns how many rules there were."""
    found = [
        shown
        for (key, connection), rules in (await switched_on(office, workspace_id)).items()
        if key == chosen.key and target in (None, connection)
        for shown in rules
    ]
    for shown in found:
        await remove_rule(office, workspace_id, shown.rule.id)
    return len(found)


async def switched_on(
    office: Office, workspace_id: UUID, language: Language = "en"
) -> dict[tuple[str, UUID], list[Shown]]:
    """The rules that recipes have made, by the recipe's key and the connection that is written to."""
    async with office.database.workspace(workspace_id) as db:
        rows = await db.execute(
            text("select id, created_by from write_rule where workspace_id = :ws and created_by like 'recipe %'"),
            {"ws": workspace_id},
        )
        makers = {row.id: row.created_by for row in rows}
    found: dict[tuple[str, UUID], list[Shown]] = {}
    for shown in await list_rules(office, workspace_id, language):
        if shown.rule.id in makers:
            key = makers[shown.rule.id].split()[1]
            found.setdefault((key, shown.rule.connection_id), []).append(shown)
    return found


def _mark(key: str) -> str:
    return f"recipe {key}"
