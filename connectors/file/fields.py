"""What can be read from a file: the kinds of tables, the fields of each, and the names that people give them.

A name is written without case and punctuation. Names stand in the order of how well they fit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from schema.enums import RecordKind


class Kind(StrEnum):
    """What the rows of a file are."""

    COSTS = "costs"
    CALLS = "calls"
    CONTACTS = "contacts"
    DEALS = "deals"
    FRAUD = "fraud"


Content = Literal[
    "text", "day", "moment", "time", "number", "count", "seconds", "phone", "email", "flag", "direction"
]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a kind. ``many``: several columns may fill it."""

    name: str
    content: Content
    names: tuple[str, ...]
    many: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of table. ``needs``: of each group one field at least must have a column. ``makes``: what a row
    becomes. ``dated``: the field whose absence, or the absence of any key, marks a row of sums."""

    fields: tuple[Field, ...]
    needs: tuple[tuple[str, ...], ...]
    makes: tuple[RecordKind, ...]
    keys: tuple[str, ...]

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)


def plain(name: str) -> str:
    """A column's name without case, punctuation and double spaces."""
    return " ".join(re.sub(r"[^\w\s]|_", " ", name.casefold().replace("ё", "е")).split())


def _field(name: str, content: Content, names: str, *, many: bool = False) -> Field:
    return Field(name, content, tuple(plain(each) for each in (name, *names.split("|"))), many)


_UTM = (
    _field("utm_source", "text", "utm source|источник|source|рекламная система|площадка|канал"),
    _field("utm_medium", "text", "utm medium|тип трафика|medium"),
    _field("utm_campaign", "text", "utm campaign|кампания|campaign|рекламная кампания"),
    _field("utm_content", "text", "utm content|объявление"),
    _field("utm_term", "text", "utm term|ключевое слово|ключевая фраза|keyword"),
)
_ID = "id|номер|№|ид|идентификатор|number|код"
_PHONE = (
    "телефон|phone|phone number|тел|мобильный|мобильный телефон|номер телефона|сотовый|mobile|контактный телефон"
)
_EMAIL = "e-mail|email|почта|электронная почта|эл почта|mail|емейл|имейл"
_MANAGER = "менеджер|ответственный|manager|responsible|owner|сотрудник"

SHAPES: dict[Kind, Shape] = {
    Kind.COSTS: Shape(
        fields=(
            _field("day", "day", "дата|день|date|day|период"),
            _field(
                "cost",
                "number",
                "расход|расходы|стоимость|затраты|сумма|cost|spend|spent|amount spent|потрачено|списано|бюджет|"
                "расход руб|расход с ндс|amount",
            ),
            _field("platform", "text", "платформа|platform"),
            _field("campaign_id", "text", "id кампании|номер кампании|campaign id|№ кампании|campaignid"),
            *(
                _field(
                    "utm_campaign",
                    "text",
                    "кампания|campaign|campaign name|название кампании|рекламная кампания|"
                    "имя кампании|campaignname|utm campaign",
                ),
                _field("utm_source", "text", "utm source|источник|source|рекламная система|площадка|сервис|канал"),
                _field("utm_medium", "text", "utm medium|тип трафика|medium|тип рекламы"),
            ),
            _field("impressions", "count", "показы|показов|impressions|просмотры"),
            _field("clicks", "count", "клики|кликов|clicks|переходы"),
            _field("currency", "text", "валюта|currency"),
        ),
        needs=(("day",), ("cost",), ("utm_campaign", "campaign_id", "utm_source")),
        makes=(RecordKind.AD_SPEND,),
        keys=("day",),
    ),
    Kind.FRAUD: Shape(
        fields=(
            _field("day", "day", "дата|день|дата клика|дата и время|date|day|время клика|click date|date time"),
            _field(
                "clicks",
                "count",
                "скликано|фродовые клики|фрод клики|ботовые клики|заблокировано|заблокированные клики|боты|"
                "invalid clicks|fraud clicks|blocked clicks|bot clicks|клики|clicks",
            ),
            _field(
                "cost",
                "number",
                "потери|потеряно|ущерб|стоимость|сэкономлено|lost|wasted|saved|cost",
            ),
            _field("platform", "text", "платформа|platform"),
            _field("campaign_id", "text", "id кампании|номер кампании|campaign id|№ кампании|campaignid"),
            *(
                _field(
                    "utm_campaign",
                    "text",
                    "кампания|campaign|campaign name|название кампании|рекламная кампания|utm campaign",
                ),
                _field("utm_source", "text", "utm source|источник|source|рекламная система|площадка|система"),
                _field("utm_medium", "text", "utm medium|тип трафика|medium"),
            ),
            _field("reason", "text", "причина|причина блокировки|правило|вердикт|reason|verdict|rule|type"),
            _field("currency", "text", "валюта|currency"),
        ),
        needs=(("day",), ("utm_campaign", "campaign_id", "utm_source")),
        makes=(RecordKind.INVALID_CLICKS,),
        keys=("day",),
    ),
    Kind.CALLS: Shape(
        fields=(
            _field("id", "text", f"id звонка|call id|callid|{_ID}"),
            _field(
                "started_at",
                "moment",
                "дата и время|дата время|дата звонка|время звонка|дата|начало|date|datetime|"
                "call date|start|start time|started at",
            ),
            _field("time", "time", "время|time"),
            _field(
                "client_phone",
                "phone",
                "номер клиента|номер абонента|кто звонил|откуда|номер звонящего|caller|"
                f"caller number|from|client phone|абонент|клиент|{_PHONE}",
            ),
            _field(
                "tracking_phone",
                "phone",
                "куда|номер назначения|подменный номер|виртуальный номер|набранный номер|"
                "to|dialed number|dialled number|called number|tracking number|линия",
            ),
            _field("direction", "direction", "направление|тип звонка|тип|direction|call type"),
            _field("answered", "flag", "отвечен|принят|успешный|статус|статус звонка|answered|status|результат"),
            _field(
                "talk_seconds",
                "seconds",
                "длительность разговора|длительность|разговор|время разговора|duration|"
                "talk time|длительность звонка|billsec",
            ),
            _field(
                "wait_seconds", "seconds", "ожидание|время ожидания|длительность ожидания|wait|wait time|дозвон"
            ),
            _field("comment", "text", "комментарий|примечание|comment|note"),
            *_UTM,
            _field(
                "visitor", "text", "client id метрики|ym client id|yandex client id|clientid метрика|yaclientid"
            ),
            _field("manager", "text", _MANAGER),
        ),
        needs=(("started_at",), ("client_phone",)),
        makes=(RecordKind.CALL,),
        keys=("started_at", "client_phone"),
    ),
    Kind.CONTACTS: Shape(
        fields=(
            _field("id", "text", f"id клиента|id контакта|client id|contact id|{_ID}"),
            _field("name", "text", "имя|фио|контакт|клиент|name|full name|контактное лицо|имя клиента|покупатель"),
            _field("first_name", "text", "имя отдельно|first name|firstname"),
            _field("middle_name", "text", "отчество|middle name|patronymic"),
            _field("last_name", "text", "фамилия|last name|lastname|surname"),
            _field("phones", "phone", _PHONE, many=True),
            _field("emails", "email", _EMAIL, many=True),
            _field("company", "text", "компания|организация|company|юрлицо|фирма|название компании|organization"),
            _field("tax_id", "text", "инн|inn|tax id"),
            _field("position", "text", "должность|position|job title"),
            _field(
                "created_at", "moment", "дата создания|создан|добавлен|created|created at|дата регистрации|дата"
            ),
            *_UTM,
            _field("manager", "text", _MANAGER),
        ),
        needs=(("phones", "emails", "name", "last_name"),),
        makes=(RecordKind.CONTACT, RecordKind.COMPANY),
        keys=("phones", "emails", "id"),
    ),
    Kind.DEALS: Shape(
        fields=(
            _field("id", "text", f"id сделки|номер сделки|номер заказа|deal id|order id|заказ|{_ID}"),
            _field(
                "title", "text", "название|сделка|title|deal|deal name|наименование|название сделки|тема|услуга"
            ),
            _field(
                "created_at",
                "moment",
                "дата создания|дата|создана|дата сделки|дата заказа|created|created at|date|order date",
            ),
            _field(
                "closed_at",
                "moment",
                "дата закрытия|дата завершения|дата оплаты|закрыта|closed|closed at|close date|оплачено",
            ),
            _field(
                "amount", "number", "сумма|бюджет|amount|стоимость|выручка|revenue|сумма сделки|цена|total|price"
            ),
            _field("currency", "text", "валюта|currency"),
            _field("status", "text", "статус|этап|стадия|состояние|status|stage|этап сделки|статус сделки"),
            _field("lost_reason", "text", "причина отказа|причина проигрыша|lost reason|loss reason"),
            _field("client", "text", "клиент|контакт|имя|фио|имя клиента|покупатель|client|customer|contact|name"),
            _field("phones", "phone", _PHONE, many=True),
            _field("emails", "email", _EMAIL, many=True),
            *_UTM,
            _field("manager", "text", _MANAGER),
        ),
        needs=(("created_at",), ("id", "title", "amount")),
        makes=(RecordKind.DEAL, RecordKind.CONTACT),
        keys=("created_at",),
    ),
}
