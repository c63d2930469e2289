"""What holds still in a portal: pipelines, stages, dictionaries, its users.

Stage ids and semantics follow the vendor's tutorial on stages with semantics: ``NEW`` … ``WON`` in
the general pipeline, ``C1:NEW`` … in the pipeline with id 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sandbox.vendors.bitrix24.fields import Entity
from sandbox.world.happenings import Manager

Semantic = Literal["P", "S", "F"]

CURRENCY = "RUB"
ADMINISTRATOR = 1  # the user whose webhook it is
PIPELINES = {0: "Продажи", 1: "Повторные продажи"}


@dataclass(frozen=True, slots=True)
class Status:
    """One row of ``crm.status.list``."""

    dictionary: str
    id: str
    name: str
    sort: int
    semantic: Semantic = "P"
    category: int | None = None


def _deal_stages(category: int) -> list[Status]:
    prefix, suffix = (f"C{category}:", f"_{category}") if category else ("", "")
    stages: list[tuple[str, str, Semantic]] = [
        ("NEW", "Новая", "P"),
        ("PREPARATION", "Квалификация", "P"),
        ("PREPAYMENT_INVOICE", "Предложение", "P"),
        ("EXECUTING", "Счёт выставлен", "P"),
        ("FINAL_INVOICE", "Закрывающие документы", "P"),
        ("WON", "Сделка успешна", "S"),
        ("LOSE", "Сделка провалена", "F"),
        ("APOLOGY", "Анализ причины провала", "F"),
    ]
    return [
        Status(f"DEAL_STAGE{suffix}", prefix + id_, name, place * 10, semantic, category)
        for place, (id_, name, semantic) in enumerate(stages, start=1)
    ]


def _plain(dictionary: str, *pairs: tuple[str, str]) -> list[Status]:
    return [Status(dictionary, id_, name, place * 10) for place, (id_, name) in enumerate(pairs, start=1)]


STATUSES: tuple[Status, ...] = (
    *(stage for category in PIPELINES for stage in _deal_stages(category)),
    Status("STATUS", "NEW", "Не обработан", 10),
    Status("STATUS", "IN_PROCESS", "В работе", 20),
    Status("STATUS", "PROCESSED", "Обработан", 30),
    Status("STATUS", "CONVERTED", "Качественный лид", 40, "S"),
    Status("STATUS", "JUNK", "Некачественный лид", 50, "F"),
    *_plain("SOURCE", ("CALL", "Звонок"), ("EMAIL", "Электронная почта"), ("WEB", "Веб-сайт")),
    *_plain("SOURCE", ("ADVERTISING", "Реклама"), ("WEBFORM", "CRM-форма"), ("OTHER", "Другое")),
    *_plain("DEAL_TYPE", ("SALE", "Продажа"), ("SERVICE", "Услуга")),
    *_plain("CONTACT_TYPE", ("CLIENT", "Клиенты"), ("PARTNER", "Партнёры")),
    *_plain("COMPANY_TYPE", ("CUSTOMER", "Клиент"), ("SUPPLIER", "Поставщик")),
    *_plain("INDUSTRY", ("IT", "Информационные технологии"), ("OTHER", "Другое")),
    *_plain("EMPLOYEES", ("EMPLOYEES_1", "менее 50"), ("EMPLOYEES_2", "50-250")),
    *_plain("HONORIFIC", ("HNR_RU_1", "г-н"), ("HNR_RU_2", "г-жа")),
)
_LEAD_STAGES = {status.id: status for status in STATUSES if status.dictionary == "STATUS"}
_DEAL_STAGES = {status.id: status for status in STATUSES if status.category is not None}


def stages(entity: Entity) -> dict[str, Status]:
    """The stages that a record of the kind may stand in, by id."""
    return _LEAD_STAGES if entity.key == "lead" else _DEAL_STAGES


def first_stage(entity: Entity, category: int) -> str:
    """Where a new record begins."""
    return f"C{category}:NEW" if entity.key == "deal" and category else "NEW"


@dataclass(frozen=True, slots=True)
class User:
    """One account of the portal."""

    id: int
    first_name: str
    last_name: str
    email: str
    phone: str
    position: str
    extension: str


def users(managers: Sequence[Manager]) -> list[User]:
    """The administrator and the managers who work in this portal."""
    own = [manager for manager in managers if manager.crm == "bitrix24"]
    return [
        User(ADMINISTRATOR, "Администратор", "Портала", "admin@portal.example", "", "Администратор", ""),
        *(
            User(
                id=user_id(manager.id),
                first_name=manager.first_name,
                last_name=manager.last_name,
                email=manager.email,
                phone=manager.phone,
                position="Менеджер по продажам",
                extension=str(100 + manager.id),
            )
            for manager in own
        ),
    ]


def user_id(manager: int) -> int:
    """The portal's user of a manager of the market."""
    return ADMINISTRATOR + 10 + manager
