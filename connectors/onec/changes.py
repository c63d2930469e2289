"""Changes by an exchange plan, the only thing in 1C that tells what changed [17].

The packet only says *which* records changed: they are fetched by their keys, so that they look as in the lists.
Confirming makes 1C forget the registrations for good, therefore it is the last request, sent when all before it is
committed. An empty packet is not confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote
from xml.parsers import expat

import msgspec

from connectors.contract import (
    Mapped,
    Page,
    Position,
    Skip,
    Start,
    Stream,
    Touched,
    VendorRequest,
    VendorResponse,
)
from connectors.errors import BadSettings, VendorChanged
from connectors.onec.odata import BOM, any_of, ask, guid, listed, rows
from connectors.onec.settings import OneCSettings, base_url
from schema.enums import RecordKind

BATCH = 20  # [7]
_ADDRESS = re.compile(r"(?P<set>\w+)\(guid'(?P<ref>[0-9a-fA-F-]{36})'\)")
_PIECE = 64 * 1024


class _Node(msgspec.Struct):
    ref: str = msgspec.field(name="Ref_Key")
    code: str = msgspec.field(name="Code", default="")
    received: int | str = msgspec.field(name="ReceivedNo", default=0)
    itself: bool = msgspec.field(name="ThisNode", default=False)


def node_of(settings: OneCSettings, response: VendorResponse) -> tuple[str, int]:
    """The node's key and the number of the next packet. Raises BadSettings with the codes that there are."""
    nodes = listed(response, _Node)
    wanted = settings.exchange_node.strip()
    for node in nodes:
        if node.code.strip() == wanted:
            if node.itself:
                raise BadSettings(
                    f"The node {wanted!r} is the base itself: make another one for Skvoz.", "exchange_node"
                )
            return node.ref, int(node.received) + 1
    others = ", ".join(node.code.strip() for node in nodes if not node.itself) or "none"
    raise BadSettings(
        f"The plan {settings.exchange_plan} has no node with the code {wanted!r}. There are: {others}.",
        "exchange_node",
    )


def ask_nodes(settings: OneCSettings) -> VendorRequest:
    return ask(settings.exchange_plan, select=("Ref_Key", "Code", "ReceivedNo", "ThisNode"))


class _Packet:
    """The keys in an Atom feed of changes, read without a tree: entries, and what was deleted for good."""

    def __init__(self) -> None:
        self.changed: dict[tuple[str, str], bool] = {}  # set and key, and whether it is gone
        self._inside: str | None = None
        self._text = ""
        self._parser = expat.ParserCreate("UTF-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._letters

    def read(self, content: bytes) -> dict[tuple[str, str], bool]:
        try:
            for begin in range(0, len(content), _PIECE):
                self._parser.Parse(content[begin : begin + _PIECE], False)
            self._parser.Parse(b"", True)
        except expat.ExpatError:
            raise VendorChanged("1C gave a packet of changes that is no XML document.") from None
        return self.changed

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "deleted-entry":
            self._note(attributes.get("ref", ""), gone=True)
        self._inside, self._text = (name, "") if name == "id" else (None, "")

    def _letters(self, letters: str) -> None:
        if self._inside is not None:
            self._text += letters

    def _end(self, _tag: str) -> None:
        if self._inside is not None:
            self._note(self._text, gone=False)
        self._inside = None

    def _note(self, address: str, *, gone: bool) -> None:
        found = _ADDRESS.search(unquote(address))
        if found is not None:
            self.changed[found["set"], found["ref"].lower()] = gone


def _start(settings: OneCSettings, _begin: Start) -> Position | None:
    return {"step": "node"} if settings.exchange_plan else None


def _request(settings: OneCSettings, position: Position) -> VendorRequest:
    match position["step"]:
        case "node":
            return ask_nodes(settings)
        case "select":
            return VendorRequest("/SelectChanges", "POST", query=_point(settings, position))
        case "bodies":
            role = settings.names.role(position["todo"][0][0])
            if role is None:
                raise BadSettings("A list was left out of the settings while its changes were read.", "overrides")
            return ask(role.set, select=role.selected(), where=any_of(_batch(position)))
        case _:
            return VendorRequest("/NotifyChangesReceived", "POST", query=_point(settings, position))


def _read(settings: OneCSettings, position: Position, response: VendorResponse) -> Page:
    match position["step"]:
        case "node":
            ref, number = node_of(settings, response)
            return Page([], {"step": "select", "node": ref, "no": number})
        case "select":
            return _read_packet(settings, position, response)
        case "bodies":
            return _read_bodies(position, response)
        case _:
            return Page([], None, cursor={}, done=1.0)


def _read_packet(settings: OneCSettings, position: Position, response: VendorResponse) -> Page:
    packet = _Packet().read(response.content.removeprefix(BOM))
    if not packet:
        return Page([], None, cursor={}, done=1.0)
    todo: dict[str, list[str]] = {}
    gone = []
    for (entity_set, ref), deleted in packet.items():
        role = settings.names.role_of_set(entity_set)
        if role is None:
            continue  # the plan may hold more than what is read here
        if deleted:
            gone.append(Touched(role.name, ref, deleted=True))
        else:
            todo.setdefault(role.name, []).append(ref)
    return _following(position, [[name, refs] for name, refs in todo.items()], gone)


def _read_bodies(position: Position, response: VendorResponse) -> Page:
    name, refs = position["todo"][0]
    touched = [Touched(name, record.external_id, record.body) for record in rows(response)]
    left = refs[BATCH:]
    todo = [[name, left], *position["todo"][1:]] if left else position["todo"][1:]
    return _following(position, todo, touched)


def _following(position: Position, todo: list[Any], touched: Sequence[Touched]) -> Page:
    if todo:
        return Page([], {**position, "step": "bodies", "todo": todo}, touched=touched)
    confirm = {"step": "confirm", "node": position["node"], "no": position["no"]}
    return Page([], confirm, touched=touched, commit_first=True)


def _batch(position: Position) -> list[str]:
    refs: list[str] = position["todo"][0][1]
    return refs[:BATCH]


def _point(settings: OneCSettings, position: Position) -> dict[str, str | int]:
    """[17] The node is named by its whole address."""
    node = f"{base_url(settings)}/{settings.exchange_plan}({guid(position['node'])})"
    return {"DataExchangePoint": f"'{node}'", "MessageNo": position["no"]}


def _nothing(_settings: OneCSettings, _body: bytes) -> Mapped:
    return Skip("A change tells of other lists' records.")


CHANGES: Stream[OneCSettings] = Stream(
    name="changes",
    title="Changes by the exchange plan",
    makes=(
        RecordKind.USER,
        RecordKind.CONTACT,
        RecordKind.COMPANY,
        RecordKind.CALL,
        RecordKind.LEAD,
        RecordKind.DEAL,
        RecordKind.ORDER,
        RecordKind.INVOICE,
        RecordKind.PAYMENT,
        RecordKind.MESSAGE,
        RecordKind.PIPELINE,
        RecordKind.STAGE,
    ),
    start=_start,
    request=_request,
    read=_read,
    map=_nothing,
)
