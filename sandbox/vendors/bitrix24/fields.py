"""What a portal's deals, leads, contacts and companies consist of: one declaration for both dialects.

The old methods (``crm.deal.*``) name a field ``DATE_CREATE``, the new ones (``crm.item.*``)
``createdTime``; `Field` knows both, and the kind tells how a value is stored and shown.
Codes and names follow the vendor's pages on the main entities' fields and on ``crm.item.*``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Kind = Literal["id", "link", "user", "int", "money", "text", "flag", "datetime", "date", "status", "enumeration"]
EntityKey = Literal["lead", "deal", "contact", "company"]

LOST_REASON = "UF_CRM_1690000001"  # the portal's own enumeration field on deals
MULTIFIELDS = ("PHONE", "EMAIL", "WEB", "IM", "LINK")

_STORED_AS: dict[Kind, str] = {
    "id": "INTEGER PRIMARY KEY",
    "link": "INTEGER",
    "user": "INTEGER",
    "int": "INTEGER",
    "money": "INTEGER NOT NULL DEFAULT 0",  # kopecks, so that sums and comparisons are exact
    "text": "TEXT",
    "flag": "TEXT NOT NULL DEFAULT 'N'",
    "datetime": "INTEGER",  # Unix seconds: a portal knows no fractions
    "date": "TEXT",  # YYYY-MM-DD
    "status": "TEXT",
    "enumeration": "INTEGER",
}
_IRREGULAR_NAMES = {
    "DATE_CREATE": "createdTime",
    "DATE_MODIFY": "updatedTime",
    "CREATED_BY_ID": "createdBy",
    "MODIFY_BY_ID": "updatedBy",
    "MOVED_BY_ID": "movedBy",
    "STATUS_ID": "stageId",
    "STATUS_SEMANTIC_ID": "stageSemanticId",
    "COMPANY_TYPE": "typeId",
    "DATE_CLOSED": "dateClosed",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: ``code`` is its old name and its column, ``name`` its new one."""

    code: str
    kind: Kind
    name: str
    read_only: bool = False
    blank: bool = False  # an empty value is "" in the old dialect, not null
    dictionary: str = ""  # the ENTITY_ID of crm.status.list that lists its values

    @property
    def custom(self) -> bool:
        """Whether the portal's owner made it (``UF_CRM_…``)."""
        return self.code.startswith("UF_")

    @property
    def column(self) -> str:
        """Its part of CREATE TABLE."""
        return f'"{self.code}" {_STORED_AS[self.kind]}'


def camel(code: str) -> str:
    """The new dialect's name of an old code."""
    if code in _IRREGULAR_NAMES:
        return _IRREGULAR_NAMES[code]
    if code.startswith("UF_CRM_"):
        return "ufCrm_" + code.removeprefix("UF_CRM_")
    first, *rest = code.lower().split("_")
    return first + "".join(word.capitalize() for word in rest)


def plain_fields(spec: str) -> Iterable[Field]:
    """Fields from lines ``kind: CODE CODE! CODE~ CODE@DICTIONARY`` (! read-only, ~ blank when empty)."""
    for line in filter(None, spec.splitlines()):
        kind, codes = line.split(":")
        for word in codes.split():
            code, _, dictionary = word.partition("@")
            bare = code.rstrip("!~")
            yield Field(
                code=bare,
                kind=kind.strip(),  # type: ignore[arg-type]  # the specs below spell the kinds
                name=camel(bare),
                read_only="!" in code,
                blank="~" in code,
                dictionary=dictionary,
            )


@dataclass(frozen=True)
class Entity:
    """One kind of CRM record and where it is kept."""

    key: EntityKey
    type_id: int  # entityTypeId of crm.item.*
    fields: tuple[Field, ...]
    stage_code: str = ""  # the field that holds the stage, if records of the kind move
    has_multifields: bool = False
    always_null: tuple[str, ...] = ()  # names that the new dialect shows and never fills
    other_name: EntityKey | None = field(default=None)  # whose ids stand in the many-to-many list

    @property
    def table(self) -> str:
        return f"bitrix24_{self.key}"

    @property
    def letters(self) -> str:
        """The kind as CRM_ENTITY_TYPE and crm.duplicate.findbycomm write it."""
        return self.key.upper()

    @property
    def semantic_code(self) -> str:
        return self.stage_code.replace("_ID", "_SEMANTIC_ID")

    @cached_property
    def by_code(self) -> dict[str, Field]:
        return {one.code: one for one in self.fields}

    @cached_property
    def by_name(self) -> dict[str, Field]:
        names = {one.name: one for one in self.fields}
        # useOriginalUfNames lets callers keep the old names of custom fields
        return names | {one.code: one for one in self.fields if one.custom}


_COMMON = """
id: ID!
user: ASSIGNED_BY_ID CREATED_BY_ID! MODIFY_BY_ID! LAST_ACTIVITY_BY!
datetime: DATE_CREATE! DATE_MODIFY! LAST_ACTIVITY_TIME!
flag: OPENED
text: COMMENTS ORIGINATOR_ID ORIGIN_ID UTM_SOURCE UTM_MEDIUM UTM_CAMPAIGN UTM_CONTENT UTM_TERM
"""
_ADDRESS = """
text: ADDRESS ADDRESS_2 ADDRESS_CITY ADDRESS_POSTAL_CODE ADDRESS_REGION ADDRESS_PROVINCE ADDRESS_COUNTRY
"""
_NULL_DATES = ("dateCreateShort", "dateModifyShort")

DEAL = Entity(
    key="deal",
    type_id=2,
    stage_code="STAGE_ID",
    other_name="contact",
    always_null=(
        *_NULL_DATES,
        *("productId", "begindateShort", "closedateShort", "eventDate", "eventId", "eventDescription"),
        *("webformId", "searchContent", "orderStage", "isWork", "isWon", "isLose"),
        *("receivedAmount", "lostAmount", "hasProducts"),
    ),
    fields=tuple(
        plain_fields(
            _COMMON
            + f"""
text: TITLE SOURCE_DESCRIPTION ADDITIONAL_INFO LOCATION_ID CURRENCY_ID
status: TYPE_ID@DEAL_TYPE STAGE_ID@DEAL_STAGE SOURCE_ID@SOURCE STAGE_SEMANTIC_ID!
int: CATEGORY_ID PROBABILITY
money: OPPORTUNITY TAX_VALUE
flag: IS_MANUAL_OPPORTUNITY CLOSED! IS_NEW! IS_RECURRING! IS_RETURN_CUSTOMER! IS_REPEATED_APPROACH!
link: LEAD_ID! COMPANY_ID CONTACT_ID QUOTE_ID
date: BEGINDATE CLOSEDATE
user: MOVED_BY_ID!
datetime: MOVED_TIME!
enumeration: {LOST_REASON}~
"""
        )
    ),
)
LEAD = Entity(
    key="lead",
    type_id=1,
    stage_code="STATUS_ID",
    has_multifields=True,
    other_name="contact",
    always_null=(*_NULL_DATES, "isConvert", "productId", "shortName", "login", "skype", "icq", "searchContent"),
    fields=tuple(
        plain_fields(
            _COMMON
            + _ADDRESS
            + """
text: TITLE NAME SECOND_NAME LAST_NAME COMPANY_TITLE POST STATUS_DESCRIPTION SOURCE_DESCRIPTION CURRENCY_ID
status: STATUS_ID@STATUS STATUS_SEMANTIC_ID! SOURCE_ID@SOURCE HONORIFIC@HONORIFIC
money: OPPORTUNITY
flag: IS_MANUAL_OPPORTUNITY HAS_PHONE! HAS_EMAIL! HAS_IMOL! IS_RETURN_CUSTOMER!
link: COMPANY_ID CONTACT_ID
date: BIRTHDATE~
user: MOVED_BY_ID!
datetime: MOVED_TIME! DATE_CLOSED!~
"""
        )
    ),
)
CONTACT = Entity(
    key="contact",
    type_id=3,
    has_multifields=True,
    other_name="company",
    always_null=(*_NULL_DATES, "shortName", "login", "webformId", "searchContent"),
    fields=tuple(
        plain_fields(
            _COMMON
            + _ADDRESS
            + """
text: NAME SECOND_NAME LAST_NAME POST SOURCE_DESCRIPTION ORIGIN_VERSION PHOTO
status: TYPE_ID@CONTACT_TYPE SOURCE_ID@SOURCE HONORIFIC@HONORIFIC
flag: EXPORT HAS_PHONE! HAS_EMAIL! HAS_IMOL!
link: COMPANY_ID LEAD_ID! FACE_ID
date: BIRTHDATE~
"""
        )
    ),
)
COMPANY = Entity(
    key="company",
    type_id=4,
    has_multifields=True,
    other_name="contact",
    always_null=(*_NULL_DATES, "webformId", "searchContent"),
    fields=tuple(
        plain_fields(
            _COMMON
            + _ADDRESS
            + """
text: TITLE LOGO BANKING_DETAILS CURRENCY_ID ORIGIN_VERSION ADDRESS_LEGAL
status: COMPANY_TYPE@COMPANY_TYPE INDUSTRY@INDUSTRY EMPLOYEES@EMPLOYEES
money: REVENUE
flag: IS_MY_COMPANY HAS_PHONE! HAS_EMAIL! HAS_IMOL!
link: LEAD_ID!
"""
        )
    ),
)

ENTITIES: tuple[Entity, ...] = (LEAD, DEAL, CONTACT, COMPANY)
BY_KEY: dict[str, Entity] = {entity.key: entity for entity in ENTITIES}
BY_TYPE_ID: dict[int, Entity] = {entity.type_id: entity for entity in ENTITIES}
