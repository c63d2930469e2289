"""The mark of deletion, which people set where a record may go: DELETE would remove it for good.

A client's card is a partner or a contact person; by its key alone it can't be told which, so both sets are asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import WriteRejected
from connectors.onec.errors import error_as_answer, missing
from connectors.onec.fields import EMAIL, PHONES, Row
from connectors.onec.odata import JSON, any_of, ask, decoded, guid, rows
from connectors.onec.profile import Role
from connectors.onec.settings import OneCSettings
from connectors.onec.writing import named
from schema.enums import RecordKind

_SET = "set"
_OF_PARTNERS = "client"
"""A property that a partner has, and a contact person has not."""


def _request(settings: OneCSettings, command: Command) -> VendorRequest:
    if not command.values.get(_SET):
        raise WriteRejected("It can't be told in which set of the base the record stands.")
    path = f"/{command.values[_SET]}({guid(str(command.external_id))})"
    marked = bool(command.values.get("deleted", True))
    return VendorRequest(path, "PATCH", query={"$format": JSON}, json={"DeletionMark": marked})


def _look(roles: tuple[str, ...], *, marked_too: bool) -> Lookup[OneCSettings]:
    """The record in whichever of the sets it stands. What is marked is as good as gone, unless the mark is to be
    taken from it."""

    def of(settings: OneCSettings) -> list[Role]:
        return [role for name in roles if (role := settings.names.role(name)) is not None]

    def asked(role: Role, command: Command) -> VendorRequest:
        return ask(
            role.set, select=role.selected(), where=any_of([str(command.external_id)]), accept=frozenset({404})
        )

    def request(settings: OneCSettings, command: Command) -> VendorRequest | None:
        return None if command.external_id is None else asked(of(settings)[0], command)

    def follow(settings: OneCSettings, command: Command, response: VendorResponse) -> VendorRequest | None:
        return asked(of(settings)[0 if _rows(response) else -1], command)

    def found(settings: OneCSettings, _command: Command, response: VendorResponse) -> Standing | None:
        for body in _rows(response):
            role = _role_of(of(settings), decoded(body))
            row = Row.of(role, body, settings.zone)
            if row.deleted and not marked_too:
                return None
            told: dict[str, Any] = {_SET: role.set, "deleted": row.deleted}
            told |= {"phones": list(row.contact(*PHONES)), "emails": list(row.contact(EMAIL))}
            return Standing(row.key, row.text("name") or row.text("title") or f"#{row.key}", told)
        return None

    return Lookup(request, found, follow if len(roles) > 1 else None)


def _rows(response: VendorResponse) -> list[bytes]:
    if response.status == 404:
        if missing(response):
            return []
        raise error_as_answer(response)
    return [record.body for record in rows(response)]


def _role_of(roles: list[Role], values: Mapping[str, Any]) -> Role:
    first, last = roles[0], roles[-1]
    return first if first is last or first.properties.get(_OF_PARTNERS) in values else last


def marking(word: str, title: str, entity: RecordKind, roles: tuple[str, ...]) -> tuple[Write[OneCSettings], ...]:
    """The writes that set the mark on a record of one of the roles, and take it off."""
    return (
        Write(
            name=f"{word}.delete",
            title=f"Mark {title} for deletion",
            entity=entity,
            operation="delete",
            idempotency="absolute",
            fields=(),
            request=_request,
            result=named,
            read=_look(roles, marked_too=False),
            resent=(_SET,),
            undo=f"{word}.restore",
        ),
        Write(
            name=f"{word}.restore",
            title=f"Take the mark of deletion from {title}",
            entity=entity,
            operation="update",
            idempotency="absolute",
            fields=("deleted",),
            request=_request,
            result=named,
            read=_look(roles, marked_too=True),
            resent=(_SET,),
        ),
    )
