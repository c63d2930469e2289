"""What is written into a portal. The numbers in brackets are facts in BEHAVIOR.md.

A record that Skvoz made carries its key in ``ref`` [16]: by it the record is found again when the answer to its
creation was lost, since Aspro.Cloud itself would make a second one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from connectors.aspro_cloud.errors import ANSWERED, refused
from connectors.aspro_cloud.mapping import DONE, PERSON
from connectors.aspro_cloud.reads import LIMIT, rows
from connectors.aspro_cloud.settings import AsproCloudSettings
from connectors.aspro_cloud.values import moment, text, texts
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged
from schema.enums import RecordKind

_MARK = "skvoz:"
ACCOUNT, LEAD, TASK = "crm/account", "crm/lead", "task/tasks"
_PHONES, _EMAILS = ("phone", "phone2", "phone3"), ("email", "email_personal")
_CARD = {
    "first_name": "first_name",
    "middle_name": "middle_name",
    "last_name": "last_name",
    "responsible": "owner_id",
}
_CARD_LISTS = {"phones": _PHONES, "emails": _EMAILS}
_DEAL = {
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
_DEAL_LISTS = {"phones": ("contact_phone", "contact_mobile"), "emails": ("contact_email",)}
_TASK = {
    "title": "name",
    "text": "description",
    "due_at": "deadline",
    "responsible": "responsible_id",
    "status": "status",
    "account": "crm_account_id",
    "deal": "model_id",
}
_ACTIVE = {"open": "1", "lost": "2", "won": "3"}  # [6]
_TASK_STATUS = {"open": "1", "done": str(DONE)}  # [9]
_TIMES = frozenset({"closed_at", "due_at"})

Row = dict[str, Any]


class _Kind:
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


_CONTACT = _Kind(ACCOUNT, _CARD, _CARD_LISTS, {}, {"type": str(PERSON)})
_DEALS = _Kind(LEAD, _DEAL, _DEAL_LISTS, _ACTIVE, {})
_TASKS = _Kind(TASK, _TASK, {}, _TASK_STATUS, {"type": "0"})


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


def _mark(command: Command) -> str:
    return f"{_MARK}{command.key}"


def _create(kind: _Kind) -> Callable[[AsproCloudSettings, Command], VendorRequest]:
    def request(settings: AsproCloudSettings, command: Command) -> VendorRequest:
        form = {**kind.always, **kind.form(settings, command), "ref": _mark(command)}
        if kind.path == ACCOUNT:  # a card needs its name [16]
            form.setdefault("name", " ".join(filter(None, (form.get("first_name"), form.get("last_name")))) or "—")
        elif kind.path == LEAD:
            parts = " ".join(filter(None, (form.pop("first_name", None), form.pop("last_name", None))))
            form.setdefault("contact_name", parts)
        return VendorRequest(f"/{kind.path}/create", "POST", form=form)

    return request


def _update(kind: _Kind) -> Callable[[AsproCloudSettings, Command], VendorRequest]:
    def request(settings: AsproCloudSettings, command: Command) -> VendorRequest:
        return VendorRequest(
            f"/{kind.path}/update/{command.external_id}", "POST", form=kind.form(settings, command)
        )

    return request


def _delete(path: str) -> Callable[[AsproCloudSettings, Command], VendorRequest]:
    def request(_settings: AsproCloudSettings, command: Command) -> VendorRequest:
        """[17] Deletion is a GET there."""
        return VendorRequest(f"/{path}/delete/{command.external_id}", accept=ANSWERED)

    return request


class _Id(msgspec.Struct):
    id: int | str


class _Done(msgspec.Struct):
    response: _Id


def _named_id(_settings: AsproCloudSettings, _command: Command, response: VendorResponse) -> str:
    try:
        return str(msgspec.json.decode(response.content, type=_Done).response.id)
    except msgspec.MsgspecError:
        raise VendorChanged("Aspro.Cloud took a change and did not tell the record's id.") from None


def _gone_id(_settings: AsproCloudSettings, command: Command, response: VendorResponse) -> str:
    refused(response)  # "not found" is as good as deleted
    return str(command.external_id)


def _by_mark(kind: _Kind) -> Lookup[AsproCloudSettings]:
    def request(_settings: AsproCloudSettings, command: Command) -> VendorRequest:
        return VendorRequest(f"/{kind.path}/list", query={"filter[ref]": _mark(command), "limit": LIMIT})

    def found(settings: AsproCloudSettings, command: Command, response: VendorResponse) -> Standing | None:
        for row in _rows(response):
            if text(row.get("ref")) == _mark(command):  # a filter may be ignored: the row itself must tell
                return kind.standing(settings, row, command)
        return None

    return Lookup(request, found)


def _by_id(kind: _Kind) -> Lookup[AsproCloudSettings]:
    def request(_settings: AsproCloudSettings, command: Command) -> VendorRequest | None:
        if command.external_id is None:
            return None
        return VendorRequest(f"/{kind.path}/get/{command.external_id}", accept=ANSWERED)

    def found(settings: AsproCloudSettings, command: Command, response: VendorResponse) -> Standing | None:
        if refused(response):
            return None
        try:
            row = msgspec.json.decode(response.content)["response"]
        except (msgspec.MsgspecError, KeyError, TypeError):
            raise VendorChanged("Aspro.Cloud answered the question for one record without a record.") from None
        merged = text(row.get("merged_to")) or text(row.get("merged_to_id"))
        return None if merged not in (None, "0") else kind.standing(settings, row, command)

    return Lookup(request, found)


def _sought(spelling: Callable[[Command], str | None]) -> Lookup[AsproCloudSettings]:
    """[18] The search compares letters, not numbers: each spelling is asked for by itself."""

    def request(_settings: AsproCloudSettings, command: Command) -> VendorRequest | None:
        wanted = spelling(command)
        return (
            None if wanted is None else VendorRequest(f"/{ACCOUNT}/list", query={"search": wanted, "limit": LIMIT})
        )

    return Lookup(request, _same_card)


def _email(command: Command) -> str | None:
    return next((str(email) for email in command.values.get("emails") or ()), None)


def _end_of_phone(mark: str) -> Callable[[Command], str | None]:
    """The last four digits of the first phone, as people write them."""

    def spelling(command: Command) -> str | None:
        digits = next((_digits(phone) for phone in command.values.get("phones") or ()), "")
        return f"{digits[-4:-2]}{mark}{digits[-2:]}" if len(digits) >= 7 else None

    return spelling


def _same_card(settings: AsproCloudSettings, command: Command, response: VendorResponse) -> Standing | None:
    phones = {_digits(one) for one in command.values.get("phones") or ()}
    emails = {str(one).strip().casefold() for one in command.values.get("emails") or ()}
    for row in _rows(response):
        theirs = {_digits(one) for one in texts(*(row.get(name) for name in _PHONES))}
        letters = {one.casefold() for one in texts(*(row.get(name) for name in _EMAILS))}
        alive = text(row.get("type")) == str(PERSON) and text(row.get("merged_to")) in (None, "0")
        if alive and (phones & theirs or emails & letters):
            return replace(_CONTACT.standing(settings, row, command), kind=RecordKind.CONTACT)
    return None


def _ask_deals(_settings: AsproCloudSettings, command: Command) -> VendorRequest | None:
    contact = command.values.get("contact")
    if not contact:
        return None
    query: dict[str, str | int | list[str]] = {
        "filter[contact_id]": str(contact),
        "filter[active]": _ACTIVE["open"],
        "limit": LIMIT,
    }
    return VendorRequest(f"/{LEAD}/list", query=query)


def _open_deal(settings: AsproCloudSettings, command: Command, response: VendorResponse) -> Standing | None:
    """A filter may be ignored [3]: each deal must name the contact and say that it is open."""
    for row in _rows(response):
        if (text(row.get("contact_id")), text(row.get("active"))) == (command.values["contact"], _ACTIVE["open"]):
            return replace(_DEALS.standing(settings, row, command), kind=RecordKind.DEAL)
    return None


def _digits(phone: Any) -> str:
    """The last ten digits, which are the same in every spelling of a number."""
    return "".join(each for each in str(phone) if each.isdigit())[-10:]


def _rows(response: VendorResponse) -> list[Row]:
    records, _ = rows(response)
    return [msgspec.json.decode(record.body) for record in records]


_CARD_FIELDS = ("first_name", "middle_name", "last_name", "responsible", "phones", "emails")
_UTM = {part: part for part in ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")}
_BY_CARD = (_sought(_email), _sought(_end_of_phone("-")), _sought(_end_of_phone("")))
WRITES: tuple[Write[AsproCloudSettings], ...] = (
    Write(
        name="contact.create",
        title="Make a contact",
        entity=RecordKind.CONTACT,
        operation="create",
        idempotency="marker",
        fields=_CARD_FIELDS,
        request=_create(_CONTACT),
        result=_named_id,
        by_marker=_by_mark(_CONTACT),
        by_match=_BY_CARD[0],
        also_by_match=_BY_CARD[1:],
        read=_by_id(_CONTACT),
        replaces_lists=True,
    ),
    Write(
        name="contact.update",
        title="Change a contact",
        entity=RecordKind.CONTACT,
        operation="update",
        idempotency="absolute",
        fields=_CARD_FIELDS,
        request=_update(_CONTACT),
        result=_named_id,
        read=_by_id(_CONTACT),
        replaces_lists=True,
    ),
    Write(
        name="contact.delete",
        title="Remove a contact",
        entity=RecordKind.CONTACT,
        operation="delete",
        idempotency="absolute",
        fields=(),
        request=_delete(ACCOUNT),
        result=_gone_id,
        read=_by_id(_CONTACT),
    ),
    Write(
        name="lead.create",
        title="Make a deal out of a request",
        entity=RecordKind.DEAL,
        operation="create",
        idempotency="marker",
        fields=(*_DEAL, "first_name", "last_name", *_DEAL_LISTS),
        request=_create(_DEALS),
        result=_named_id,
        by_marker=_by_mark(_DEALS),
        by_party=_BY_CARD,
        card="contact.create",
        by_match=Lookup(_ask_deals, _open_deal),
        read=_by_id(_DEALS),
        undo="deal.delete",
        replaces_lists=True,
    ),
    Write(
        name="deal.create",
        title="Make a deal",
        entity=RecordKind.DEAL,
        operation="create",
        idempotency="marker",
        fields=(*_DEAL, "first_name", "last_name", *_DEAL_LISTS),
        request=_create(_DEALS),
        result=_named_id,
        by_marker=_by_mark(_DEALS),
        by_party=_BY_CARD,
        card="contact.create",
        by_match=Lookup(_ask_deals, _open_deal),
        read=_by_id(_DEALS),
        undo="deal.delete",
        replaces_lists=True,
    ),
    Write(
        name="deal.update",
        title="Change a deal, or close it",
        entity=RecordKind.DEAL,
        operation="update",
        idempotency="absolute",
        fields=tuple(_DEAL),
        request=_update(_DEALS),
        result=_named_id,
        read=_by_id(_DEALS),
    ),
    Write(
        name="deal.delete",
        title="Remove a deal",
        entity=RecordKind.DEAL,
        operation="delete",
        idempotency="absolute",
        fields=(),
        request=_delete(LEAD),
        result=_gone_id,
        read=_by_id(_DEALS),
    ),
    Write(
        name="task.create",
        title="Make a task",
        entity=RecordKind.TASK,
        operation="create",
        idempotency="marker",
        fields=tuple(_TASK),
        request=_create(_TASKS),
        result=_named_id,
        by_marker=_by_mark(_TASKS),
        read=_by_id(_TASKS),
    ),
    Write(
        name="task.update",
        title="Change a task, or mark it done",
        entity=RecordKind.TASK,
        operation="update",
        idempotency="absolute",
        fields=tuple(_TASK),
        request=_update(_TASKS),
        result=_named_id,
        read=_by_id(_TASKS),
    ),
)
