"""Checks what callers send for leads, contacts and companies, and turns it into stored values.

A wrong item answers 400 with ``validation-errors`` that name the path of each fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.vendors.amocrm.account import LOST, MAIN, PIPELINES, WON
from sandbox.vendors.amocrm.records import CustomValues
from sandbox.vendors.amocrm.registry import CustomField, EntityName, Registry

Fault = tuple[str, str, str]  # code, path, detail

_LARGEST = 2**40
_LARGEST_PRICE = 10**12
NO_CHOICE = "The value you selected is not a valid choice."
_INTEGERS = ("responsible_user_id", "created_by", "updated_by", "created_at", "updated_at", "closed_at")


@dataclass(slots=True)
class Draft:
    """One item to write, and what is wrong with it."""

    values: dict[str, Any] = field(default_factory=dict)
    custom: CustomValues = field(default_factory=dict)
    tags: list[str] | None = None
    contacts: list[tuple[int, bool]] = field(default_factory=list)  # id, whether the main one
    companies: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def wrong(self, code: str, path: str, detail: str) -> None:
        """Note a fault."""
        self.faults.append((code, path, detail))


class Drafter:
    """Reads items of one kind of record."""

    def __init__(self, registry: Registry, users: frozenset[int], entity: EntityName) -> None:
        self._registry = registry
        self._users = users
        self._entity = entity

    def read(self, item: Any, before: Mapping[str, Any] | None = None) -> Draft:
        """The draft of one item; ``before`` is the record that it changes."""
        draft = Draft()
        if not isinstance(item, Mapping):
            draft.wrong("InvalidType", "", "This value should be of type array.")
            return draft
        self._names(draft, item)
        for name in _INTEGERS:
            if item.get(name) is not None:
                self._integer(draft, name, item[name])
        owner = draft.values.get("responsible_user_id")
        if owner is not None and owner not in self._users:
            draft.wrong("NotSupportedChoice", "responsible_user_id", NO_CHOICE)
        if self._entity == "leads":
            self._lead(draft, item, before)
        else:
            draft.values.pop("closed_at", None)
        self._custom(draft, item.get("custom_fields_values"))
        self._embedded(draft, item.get("_embedded"))
        return draft

    def _names(self, draft: Draft, item: Mapping[str, Any]) -> None:
        names = ("name", "first_name", "last_name") if self._entity == "contacts" else ("name",)
        for name in names:
            if item.get(name) is None:
                continue
            if isinstance(item[name], str):
                draft.values[name] = item[name]
            else:
                draft.wrong("InvalidType", name, "This value should be of type string.")
        given = [draft.values[name] for name in names[1:] if draft.values.get(name)]
        if given and "name" not in draft.values:
            draft.values["name"] = " ".join(given)

    @staticmethod
    def _integer(draft: Draft, name: str, value: Any) -> None:
        if is_integer(value):
            draft.values[name] = value
        else:
            draft.wrong("InvalidType", name, "This value should be of type int.")

    def _lead(self, draft: Draft, item: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        price = item.get("price")
        if price is not None:
            if isinstance(price, int | float) and not isinstance(price, bool) and 0 <= price <= _LARGEST_PRICE:
                draft.values["price"] = int((Decimal(str(price)) * 100).to_integral_value())
            else:
                draft.wrong("InvalidType", "price", "This value should be of type numeric.")
        for name in ("pipeline_id", "status_id", "loss_reason_id"):
            if item.get(name) is not None:
                self._integer(draft, name, item[name])
        now_in = before["pipeline_id"] if before else MAIN.id
        pipeline = PIPELINES.get(draft.values.get("pipeline_id", now_in))
        if pipeline is None:
            draft.wrong("NotSupportedChoice", "pipeline_id", NO_CHOICE)
            return
        status = draft.values.get("status_id")
        if status is not None and not pipeline.has(status):
            draft.wrong("NotSupportedChoice", "status_id", NO_CHOICE)
        if status is None and (before is None or pipeline.id != before["pipeline_id"]):
            draft.values["status_id"] = pipeline.statuses[1].id
        if "closed_at" in draft.values and status not in {WON, LOST}:
            del draft.values["closed_at"]

    def _custom(self, draft: Draft, sent: Any) -> None:
        if sent is None:
            return
        if not isinstance(sent, list):
            draft.wrong("InvalidType", "custom_fields_values", "This value should be of type array.")
            return
        for place, one in enumerate(sent):
            path = f"custom_fields_values.{place}"
            known = self._field(one)
            if known is None:
                draft.wrong("NotSupportedChoice", f"{path}.field_id", NO_CHOICE)
            elif one.get("values") is None:
                draft.custom[known.id] = []  # null clears the field
            else:
                draft.custom[known.id] = self._values(draft, known, one["values"], path)

    def _field(self, one: Any) -> CustomField | None:
        if not isinstance(one, Mapping):
            return None
        if one.get("field_id") is not None:
            known = self._registry.all().get(one["field_id"]) if is_integer(one["field_id"]) else None
        else:
            known = self._registry.by_code(self._entity, str(one.get("field_code")))
        return known if known is not None and known.entity == self._entity else None

    @staticmethod
    def _values(draft: Draft, known: CustomField, sent: Any, path: str) -> list[dict[str, Any]]:
        if not isinstance(sent, list) or not all(isinstance(one, Mapping) for one in sent):
            draft.wrong("InvalidType", f"{path}.values", "This value should be of type array.")
            return []
        stored = []
        for place, one in enumerate(sent):
            try:
                value: dict[str, Any] = {"value": _typed(known.type, one.get("value"))}
            except ValueError:
                draft.wrong("InvalidType", f"{path}.values.{place}.value", "This value is not a valid datetime.")
                continue
            if known.enums:
                enum_id = one.get("enum_id") or known.enum_id(
                    str(one.get("enum_code") or next(iter(known.enums.values())))
                )
                if not is_integer(enum_id) or enum_id not in known.enums:
                    draft.wrong("NotSupportedChoice", f"{path}.values.{place}.enum_code", NO_CHOICE)
                value["enum_id"] = enum_id
            stored.append(value)
        return stored

    @staticmethod
    def _embedded(draft: Draft, sent: Any) -> None:
        if not isinstance(sent, Mapping):
            return
        if isinstance(sent.get("tags"), list):
            draft.tags = [str(tag["name"]) for tag in sent["tags"] if isinstance(tag, Mapping) and tag.get("name")]
        for place, one in enumerate(_with_ids(sent.get("contacts"))):
            draft.contacts.append((one["id"], bool(one.get("is_main", place == 0))))
        draft.companies += [one["id"] for one in _with_ids(sent.get("companies"))]


def is_integer(value: Any) -> bool:
    """Whether a value is a whole number that an id or a time may be."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _with_ids(sent: Any) -> list[Mapping[str, Any]]:
    """Those of the embedded records that are named by id."""
    listed = sent if isinstance(sent, list) else []
    return [one for one in listed if isinstance(one, Mapping) and is_integer(one.get("id"))]


def _typed(kind: str, value: Any) -> Any:
    """A custom value as it will be read back: numbers come as texts, dates as Unix seconds."""
    if kind in {"date", "date_time", "birthday"} and isinstance(value, str):
        return int(datetime.fromisoformat(value).timestamp())
    if kind in {"checkbox", "date", "date_time", "birthday"}:
        return value
    return str(value)
