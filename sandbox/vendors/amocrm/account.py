"""What holds still in an account: its numbers, pipelines, users and settings.

142 (won) and 143 (lost) are the same ids in every pipeline; each pipeline begins with a stage of
type 1, where leads stand that nobody has accepted yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.vendors.contract import World

KEY = "amocrm"
WON, LOST = 142, 143
ROBOT = 0  # created_by of what no human made
ADMINISTRATOR = 7000001
_MAIN, _REPEAT = 6100001, 6100002


@dataclass(frozen=True, slots=True)
class Status:
    """One stage of a pipeline; ``type`` 1 is the incoming one."""

    id: int
    name: str
    sort: int
    color: str
    type: int = 0

    @property
    def is_editable(self) -> bool:
        """Whether the account's owner may change it."""
        return self.type == 0 and self.id not in {WON, LOST}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A sequence of stages; a lead stands in (pipeline, status)."""

    id: int
    name: str
    sort: int
    is_main: bool
    statuses: tuple[Status, ...]

    def has(self, status: int) -> bool:
        """Whether the status is one of its own."""
        return any(one.id == status for one in self.statuses)


def _pipeline(id_: int, name: str, sort: int, is_main: bool, first: int) -> Pipeline:
    names = ("Первичный контакт", "Квалификация", "Предложение", "Счёт выставлен")
    colors = ("#99ccff", "#ffff99", "#ffcc66", "#ffcccc")
    working = [
        Status(first + place, stage, 10 * (place + 1), color)
        for place, (stage, color) in enumerate(zip(names, colors, strict=True), start=1)
    ]
    statuses = (
        Status(first, "Неразобранное", 10, "#c1c1c1", type=1),
        *working,
        Status(WON, "Успешно реализовано", 10000, "#CCFF66"),
        Status(LOST, "Закрыто и не реализовано", 11000, "#D5D8DB"),
    )
    return Pipeline(id_, name, sort, is_main, statuses)


PIPELINES: Mapping[int, Pipeline] = {
    _MAIN: _pipeline(_MAIN, "Воронка", 1, True, 52000000),
    _REPEAT: _pipeline(_REPEAT, "Повторные продажи", 2, False, 52000100),
}
MAIN = PIPELINES[_MAIN]
INCOMING = MAIN.statuses[0].id
WORKING = tuple(status.id for status in MAIN.statuses if status.is_editable)


@dataclass(frozen=True, slots=True)
class User:
    """One account of a person who works in amoCRM."""

    id: int
    name: str
    email: str
    is_admin: bool


def account_id(world: World) -> int:
    """The account's number."""
    return 30_000_000 + int(world.secret(KEY, "account", 5), 16)


def user_id(manager: int) -> int:
    """The account's user of a manager of the market."""
    return ADMINISTRATOR + 10 + manager


def users(world: World) -> list[User]:
    """The administrator and the managers who work here."""
    return [
        User(ADMINISTRATOR, "Администратор", "admin@account.example", True),
        *(
            User(user_id(one.id), f"{one.first_name} {one.last_name}", one.email, False)
            for one in world.market.managers
            if one.crm == KEY
        ),
    ]


def user_json(user: User) -> dict[str, Any]:
    """A user as ``/users`` shows him, without links."""
    wide = dict.fromkeys(("view", "edit", "add", "delete", "export"), "A" if user.is_admin else "M")
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "lang": "ru",
        "rights": {
            "leads": wide,
            "contacts": wide,
            "companies": wide,
            "tasks": {"edit": "A", "delete": "A"},
            "mail_access": user.is_admin,
            "catalog_access": True,
            "status_rights": [],
            "is_admin": user.is_admin,
            "is_free": False,
            "is_active": True,
            "group_id": None,
            "role_id": None,
        },
    }


def account_json(world: World, api_filter: bool, wanted: Sequence[str]) -> dict[str, Any]:
    """``/account``, with the parts that ``with`` asked for."""
    body: dict[str, Any] = {
        "id": account_id(world),
        "name": "Песочница",
        "subdomain": "sandbox",
        "created_at": 1577836800,
        "created_by": ROBOT,
        "updated_at": 1577836800,
        "updated_by": ROBOT,
        "current_user_id": ADMINISTRATOR,
        "country": "RU",
        "currency": "RUB",
        "currency_symbol": "₽",
        "customers_mode": "disabled",
        "is_unsorted_on": True,
        "mobile_feature_version": 0,
        "is_loss_reason_enabled": True,
        "is_helpbot_enabled": False,
        "is_technical_account": False,
        "contact_name_display_order": 1,
    }
    optional = {
        "is_api_filter_enabled": api_filter,
        "amojo_id": world.secret(KEY, "amojo_id"),
        "uuid": world.secret(KEY, "uuid"),
        "drive_url": "https://drive.example",
        "version": 16,
    }
    embedded: dict[str, Any] = {
        "amojo_rights": {"can_direct": True, "can_create_groups": True},
        "users_groups": [{"id": 0, "name": "Отдел продаж", "uuid": None}],
        "task_types": [
            {"id": 1, "name": "Связаться", "color": None, "icon_id": None, "code": "FOLLOW_UP"},
            {"id": 2, "name": "Встреча", "color": None, "icon_id": None, "code": "MEETING"},
        ],
        "datetime_settings": {
            "date_pattern": "d.m.Y H:i",
            "short_date_pattern": "d.m.Y",
            "short_time_pattern": "H:i",
            "date_formant": "d.m.Y",  # so misspelt by the vendor
            "time_format": "H:i:s",
            "timezone": "Europe/Moscow",
            "timezone_offset": "+03:00",
        },
    }
    body |= {name: value for name, value in optional.items() if name in wanted}
    shown = {name: value for name, value in embedded.items() if name in wanted}
    return body | ({"_embedded": shown} if shown else {})
