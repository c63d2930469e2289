"""How cards, deals and tasks are written into Aspro.Cloud and told by it. The numbers in brackets are facts in
BEHAVIOR.md.

A record that Skvoz made carries its key in ``ref`` [16]: by it the record is found again when the answer to its
creation was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from connectors.aspro_cloud.errors import ANSWERED, refused
from connectors.aspro_cloud.mapping import DONE, PERSON
from connectors.aspro_cloud.settings import AsproCloudSettings
from connectors.aspro_cloud.values import moment, text, texts
from connectors.contract import Command, Standing, VendorRequest, VendorResponse
from connectors.errors import VendorChanged

_MARK = "skvoz:"
ACCOUNT, LEAD, TASK = "crm/account", "crm/lead", "task/tasks"
PHONES, EMAILS = ("phone", "phone2", "phone3"), ("email", "email_personal")
_CARD = {
    "first_name": "first_name",
    "middle_name": "middle_name",
    "last_name": "last_name",
    "responsible": "owner_id",
}
_CARD_LISTS = {"phones": PHONES, "emails": EMAILS}
DEAL = {
    "title": "name",
    "amount": "budget",
    "comment": "description",
    "stage": "pipeline_stage_id",
    "pipeline": "pipeline_id",
    "status": "active",
    "closed_at": "closing_date",
    "lost_reason": "closing_status_id",
    "responsible": "assignee_id",
    "company": "customer_id",
    "contact": "contact_id",
    "name": "contact_name",
    "source": "source_id",
}
DEAL_LISTS = {"phones": ("contact_phone", "contact_mobile"), "emails": ("contact_email",)}
TASK_FIELDS = {
    "title": "name",
    "text": "description",
    "due_at": "deadline",
    "responsible": "responsible_id",
    "status": "status",
    "account": "crm_account_id",
    "deal": "model_id",
}
ACTIVE = {"open": "1", "lost": "2", "won": "3"}  # [6]
_TASK_STATUS = {"open": "1", "done": str(DONE)}  # [9]
_TIMES = frozenset({"closed_at", "due_at"})

Row = dict[str, Any]


class Kind:
    """How one kind of record is written: our names, its lists of phones and e-mails, and what it always carries."""

    def __init__(
        self,
        path: str,
        names: Mapping[str, str],
        lists: Mapping[str, tuple[str, ...]],
        choices: Mapping[str, str],
        always: Mapping[str, str],
    ) -> None:
        self.path = path
        self.names = names
        self.lists = lists
        self.choices = choices
        self.always = always

    def form(self, settings: AsproCloudSettings, command: Command) -> dict[str, str]:
        """A command's values as form fields [1]: the API reads no JSON."""
        told: dict[str, str] = {}
        for name, value in command.values.items():
            if name in self.lists:
                told |= dict(zip(self.lists[name], [*map(str, value), "", "", ""], strict=False))
            elif name == "status":
                told[self.names[name]] = self.choices.get(str(value), str(value))
            else:
                told |= _spelt(self.names.get(name, name), _written(settings, name, value))
        if self.path == TASK and "deal" in command.values:
            told |= {"module": "crm", "model": "lead"}
        return told

    def standing(self, settings: AsproCloudSettings, row: Row, command: Command) -> Standing:
        values: Row = {name: text(row.get(field)) for name, field in self.names.items()}
        if "status" in values:
            words = {number: word for word, number in self.choices.items()}
            values["status"] = words.get(values["status"] or "", values["status"])
        for name in _TIMES & values.keys():
            told = moment(row.get(self.names[name]), settings.zone)
            values[name] = None if told is None else told.isoformat()
        values |= {name: list(texts(*(row.get(one) for one in fields))) for name, fields in self.lists.items()}
        values |= {code: row.get(code) for code in command.values if code not in values}
        title = text(row.get("name")) or f"#{row['id']}"
        return Standing(str(row["id"]), title, values, moment(row.get("updated_date"), settings.zone))


CONTACT = Kind(ACCOUNT, _CARD, _CARD_LISTS, {}, {"type": str(PERSON)})
DEALS = Kind(LEAD, DEAL, DEAL_LISTS, ACTIVE, {})
TASKS = Kind(TASK, TASK_FIELDS, {}, _TASK_STATUS, {"type": "0"})


def _spelt(field: str, value: str) -> dict[str, str]:
    """[13] Some modules take a custom field with an underscore, some with a dot: it is sent both ways."""
    if field.startswith("cf_"):
        return {field: value, field.replace("cf_", "cf.", 1): value}
    return {field: value}


def _written(settings: AsproCloudSettings, name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if name in _TIMES:
        moment_ = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return moment_.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def mark(command: Command) -> str:
    return f"{_MARK}{command.key}"


def create(kind: Kind) -> Callable[[AsproCloudSettings, Command], VendorRequest]:
    def request(settings: AsproCloudSettings, command: Command) -> VendorRequest:
        form = {**kind.always, **kind.form(settings, command), "ref": mark(command)}
        if kind.path == ACCOUNT:  # a card needs its name [16]
            form.setdefault("name", " ".join(filter(None, (form.get("first_name"), form.get("last_name")))) or "—")
        elif kind.path == LEAD:
            parts = " ".join(filter(None, (form.pop("first_name", None), form.pop("last_name", None))))
            form.setdefault("contact_name", parts)
        return VendorRequest(f"/{kind.path}/create", "POST", form=form)

    return request


def update(kind: Kind) -> Callable[[AsproCloudSettings, Command], VendorRequest]:
    def request(settings: AsproCloudSettings, command: Command) -> VendorRequest:
        return VendorRequest(
            f"/{kind.path}/update/{command.external_id}", "POST", form=kind.form(settings, command)
        )

    return request


def delete(path: str) -> Callable[[AsproCloudSettings, Command], VendorRequest]:
    def request(_settings: AsproCloudSettings, command: Command) -> VendorRequest:
        """[17] Deletion is a GET there."""
        return VendorRequest(f"/{path}/delete/{command.external_id}", accept=ANSWERED)

    return request


class _Id(msgspec.Struct):
    id: int | str


class _Done(msgspec.Struct):
    response: _Id


def named_id(_settings: AsproCloudSettings, _command: Command, response: VendorResponse) -> str:
    try:
        return str(msgspec.json.decode(response.content, type=_Done).response.id)
    except msgspec.MsgspecError:
        raise VendorChanged("Aspro.Cloud took a change and did not tell the record's id.") from None


def gone_id(_settings: AsproCloudSettings, command: Command, response: VendorResponse) -> str:
    refused(response)  # "not found" is as good as deleted
    return str(command.external_id)
