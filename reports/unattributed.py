"""What belongs to no campaign: why, in words, and what would mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schema.enums import Unattributed


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a figure belongs to no campaign, and what to do so that the next ones do."""

    why_en: str
    why_ru: str
    fix_en: str
    fix_ru: str


EXPLAINED: Mapping[Unattributed, Explained] = {
    Unattributed.NO_TOUCHES: Explained(
        "No visit, call or lead with a source is known of the client.",
        "О клиенте не известно ни визита, ни звонка, ни заявки с источником.",
        "Connect the call tracker and the web counter, have forms pass the visitor's id to the CRM, and see that "
        "the CRM keeps the client's phone or e-mail.",
        "Подключите коллтрекинг и счётчик, передавайте из форм идентификатор посетителя в CRM и следите, чтобы "
        "в CRM был телефон или e-mail клиента.",
    ),
    Unattributed.WINDOW_PASSED: Explained(
        "All touches are older than the attribution window.",
        "Все касания старше окна атрибуции.",
        "Widen the attribution window if your deals take longer; the paths are then made anew, and say so.",
        "Если сделки идут дольше, увеличьте окно атрибуции: цепочки пересчитаются, и это будет видно.",
    ),
    Unattributed.DIRECT_ONLY: Explained(
        "The client only ever came directly.",
        "Клиент приходил только напрямую.",
        "Tag links in letters, messengers and offline media with UTM, and check that redirects keep the tags.",
        "Разметьте UTM-метками ссылки в письмах, мессенджерах и на офлайн-носителях и проверьте, что редиректы не "
        "теряют метки.",
    ),
    Unattributed.NO_CAMPAIGN: Explained(
        "The source is known, but no campaign.",
        "Источник известен, но кампания – нет.",
        "Organic and referral traffic has none. Of paid traffic: put utm_campaign (better the platform's campaign "
        "id) into all links, or add a rule that recognises the tags.",
        "У органики и ссылок кампаний не бывает. Для платного трафика добавьте во все ссылки utm_campaign "
        "(лучше id кампании) или правило, распознающее метки.",
    ),
    Unattributed.NO_CLIENT: Explained(
        "The record has neither a client nor a source.",
        "У записи нет ни клиента, ни источника.",
        "See that systems pass a phone, an e-mail or a visitor id with each record; a hidden number tells nothing.",
        "Проверьте, что системы передают с каждой записью телефон, e-mail или id посетителя; скрытые номера "
        "распознать нельзя.",
    ),
}
