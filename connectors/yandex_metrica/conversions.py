"""Conversions that happen away from the site: orders of a CRM by their own ids, and goals reached by a visitor.

An order is the better way wherever there is one: Metrica knows it by its id, takes its later states, and finds
the visitor by phone or e-mail too. A goal is told once and can't be taken back. The numbers in brackets are facts
in BEHAVIOR.md.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from connectors.contract import (
    Command,
    Lookup,
    Preparation,
    Standing,
    Together,
    Upload,
    VendorRequest,
    VendorResponse,
    Write,
)
from connectors.errors import BadSettings, NotPermitted, NotReady, VendorChanged, VendorError, WriteRejected
from connectors.yandex_metrica.settings import MetricaSettings
from connectors.yandex_metrica.wire import (
    CounterAnswer,
    DataUploadAnswer,
    DataUploadsAnswer,
    GoalUploadAnswer,
    GoalUploadsAnswer,
)
from schema.enums import RecordKind

MOST_ROWS = 100
"""Orders in one file; Metrica takes far more, but what is refused goes again one by one."""
LOOKED_THROUGH = 1000
WAIT_SECONDS = 30.0
FAILED, PASSED = "FAILED", "PASSED"
T = TypeVar("T")
STATUSES = ("IN_PROGRESS", "PAID", "CANCELLED", "SPAM")


def _order(settings: MetricaSettings, command: Command) -> VendorRequest:
    return _orders(settings, [_order_row(settings, command.values, str(command.values["status"]))])


def _cancelled(settings: MetricaSettings, command: Command) -> VendorRequest:
    """[30] An order can't be removed: it is told as cancelled."""
    return _orders(settings, [_order_row(settings, command.values, "CANCELLED")])


def _order_row(settings: MetricaSettings, values: Mapping[str, Any], status: str) -> dict[str, str]:
    """[26] One value a cell, so that no separator of values needs to be agreed on; times in the counter's zone."""
    if status not in STATUSES:
        raise WriteRejected(f"Metrica knows the states {', '.join(STATUSES)} of an order, and not {status!r}.")
    who = {
        "client_ids": str(values.get("visitor") or ""),
        "emails": next(iter(values.get("emails") or ()), "").strip().lower(),
        "phones": "".join(sign for sign in next(iter(values.get("phones") or ()), "") if sign.isdigit()),
    }
    if not any(who.values()):
        raise WriteRejected("Metrica takes an order only with the buyer's ClientID, phone or e-mail.")
    row = {
        "id": str(values["number"]),
        "create_date_time": _moment(values["at"]).astimezone(settings.zone).strftime("%Y-%m-%d %H:%M:%S"),
        **who,
        "order_status": status,
    }
    if values.get("amount") is not None:
        row |= {"revenue": str(values["amount"]), "currency": str(values.get("currency") or "RUB")}
    return row


def _orders(settings: MetricaSettings, rows: Sequence[Mapping[str, str]]) -> VendorRequest:
    """[27] What a file leaves out stays as it was; SAVE makes the same file again harmless."""
    return VendorRequest(
        f"/cdp/api/v1/counter/{settings.counter_id}/data/simple_orders",
        "POST",
        query={"merge_mode": "SAVE"},
        upload=Upload("file", "orders.csv", _table(rows)),
    )


def _kind(request: VendorRequest) -> str | None:
    """Orders with the same columns go in one file; a goal goes alone, since its mark is of the whole file."""
    if request.upload is None or not request.path.endswith("/simple_orders"):
        return None
    return request.upload.text.partition("\r\n")[0]


def _pack(settings: MetricaSettings, requests: Sequence[VendorRequest]) -> VendorRequest:
    rows = [row for one in requests if one.upload for row in csv.DictReader(io.StringIO(one.upload.text))]
    return _orders(settings, rows)


def _split(
    _settings: MetricaSettings, requests: Sequence[VendorRequest], response: VendorResponse
) -> list[VendorResponse | VendorError]:
    """A file is taken whole or not at all."""
    return [response] * len(requests)


TOGETHER: Together[MetricaSettings] = Together(MOST_ROWS, _kind, _pack, _split)


def _order_taken(_settings: MetricaSettings, command: Command, response: VendorResponse) -> str:
    """The id is ours. Raises VendorChanged; that Metrica refuses the file is told by ``health.error_of``."""
    _decoded(DataUploadAnswer, response, "orders")
    return str(command.values.get("number") or command.external_id)


def _ask_uploads(settings: MetricaSettings, command: Command) -> VendorRequest | None:
    """[28] Only a later state of an order must wait for the former to be taken in."""
    if not command.values.get("again"):
        return None
    return VendorRequest(
        f"/cdp/api/v1/counter/{settings.counter_id}/last_uploadings",
        query={"datetime_offset": 0, "limit": LOOKED_THROUGH, "source": "API"},
    )


def _under_way(_settings: MetricaSettings, _command: Command, response: VendorResponse) -> Standing | None:
    found = _decoded(DataUploadsAnswer, response, "uploads of orders").uploadings
    if any(one.api_validation_status not in (PASSED, FAILED) for one in found):
        raise NotReady(
            "Metrica is still taking in orders sent before; then the next state of one goes.", WAIT_SECONDS
        )
    return None


def _goal(settings: MetricaSettings, command: Command) -> VendorRequest:
    """[31] ``comment`` carries our key, by which the file is looked for after an unknown outcome."""
    values = command.values
    column, id, kind = (
        ("ClientId", values["visitor"], "CLIENT_ID")
        if values.get("visitor")
        else ("Yclid", values.get("click"), "YCLID")
    )
    if not id:
        raise WriteRejected("Metrica ties a goal to a visit by ClientID or yclid only, and neither is known.")
    row = {column: str(id), "Target": str(values["goal"]), "DateTime": str(int(_moment(values["at"]).timestamp()))}
    if values.get("amount") is not None:
        row |= {"Price": str(values["amount"]), "Currency": str(values.get("currency") or "RUB")}
    return VendorRequest(
        f"{_offline(settings)}/upload",
        "POST",
        query={"client_id_type": kind, "comment": command.key},
        upload=Upload("file", "conversions.csv", _table([row])),
    )


def _goal_taken(_settings: MetricaSettings, _command: Command, response: VendorResponse) -> str:
    return str(_decoded(GoalUploadAnswer, response, "conversions").uploading.id)


def _ask_goals_sent(settings: MetricaSettings, _command: Command) -> VendorRequest:
    return VendorRequest(f"{_offline(settings)}/uploadings")


def _goal_sent(_settings: MetricaSettings, command: Command, response: VendorResponse) -> Standing | None:
    """Raises VendorChanged where the list doesn't tell comments: then nobody can say what was sent."""
    found = _decoded(GoalUploadsAnswer, response, "uploads of conversions").uploadings
    if any(one.comment is None for one in found):
        raise VendorChanged(
            "Metrica's list of uploads doesn't tell their comments, so ours can't be told among them."
        )
    sent = next((one for one in found if one.comment == command.key), None)
    return None if sent is None else Standing(str(sent.id), "the same conversion")


def _offline(settings: MetricaSettings) -> str:
    return f"/management/v1/counter/{settings.counter_id}/offline_conversions"


def _ask_counter(settings: MetricaSettings) -> VendorRequest:
    return VendorRequest(f"/management/v1/counter/{settings.counter_id}")


def _fit_to_write(settings: MetricaSettings, response: VendorResponse) -> None:
    """Whether the counter can be written to as things are set. Raises BadSettings and NotPermitted."""
    counter = _decoded(CounterAnswer, response, "the counter").counter
    if counter.permission == "view":
        raise NotPermitted("the token's owner may only view the counter: conversions need the right to edit it.")
    if counter.time_zone_name != settings.time_zone:
        raise BadSettings(
            f"the counter's time zone is {counter.time_zone_name}, and in the connection's settings it is "
            f"{settings.time_zone}: set it there, or orders would be dated wrongly.",
            "time_zone",
        )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))  # lines end as RFC 4180 has it
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _decoded(shape: type[T], response: VendorResponse, what: str) -> T:
    try:
        return msgspec.json.decode(response.content, type=shape)
    except msgspec.MsgspecError:
        raise VendorChanged(f"Metrica's answer about {what} has an unknown shape.") from None


_FIT: Preparation[MetricaSettings] = Preparation(_ask_counter, _fit_to_write)

WRITES: tuple[Write[MetricaSettings], ...] = (
    Write(
        name="conversion.put",
        title="Tell of an order, by its own id",
        entity=RecordKind.DEAL,
        operation="create",
        idempotency="vendor_key",
        fields=("number", "at", "status", "amount", "currency", "visitor", "phones", "emails", "again"),
        request=_order,
        result=_order_taken,
        by_marker=Lookup(_ask_uploads, _under_way),
        prepare=_FIT,
        undo="conversion.cancel",
        lag_seconds=0.0,
    ),
    Write(
        name="conversion.cancel",
        title="Tell that an order is cancelled",
        entity=RecordKind.DEAL,
        operation="delete",
        idempotency="absolute",
        fields=("number", "at", "visitor", "phones", "emails"),
        request=_cancelled,
        result=_order_taken,
        lag_seconds=0.0,
    ),
    Write(
        name="conversion.goal",
        title="Tell that a visitor reached a goal",
        entity=RecordKind.DEAL,
        operation="create",
        idempotency="marker",
        fields=("goal", "at", "amount", "currency", "visitor", "click"),
        request=_goal,
        result=_goal_taken,
        by_marker=Lookup(_ask_goals_sent, _goal_sent),
        prepare=_FIT,
        lag_seconds=60.0,
    ),
)
