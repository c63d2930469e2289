"""Telling a system the door's address over its API, where it has one, and seeing that it still knows it.

Some systems switch an address off after failures, and nobody hears of it: so the subscription is looked at from
time to time and made anew where it is gone; what was missed meanwhile is read at once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text, update

from connectors.contract import Subscription
from connectors.errors import VendorError
from core import clock
from schema.tables import Door
from sync.connections import Opened, open_connection, session
from sync.errors import Refused, SettingsProblem
from sync.inbox.doors import (
    OVERLAP,
    Address,
    NoDoor,
    close_door,
    listening,
    open_door,
    rotate_door,
    show_door,
)
from sync.office import Office

log = structlog.get_logger(__name__)

LOOK_EVERY = timedelta(hours=1)


class NotSubscribed(Refused):
    """The system could not be told the address, or it can only be pasted by hand."""

    code = "NOT_SUBSCRIBED"

    def __init__(self, sentence: str, code: str | None = None, **values: object) -> None:
        super().__init__([SettingsProblem("connection", sentence, code or self.code, values)])


async def subscribe(office: Office, workspace_id: UUID, connection_id: UUID) -> Address:
    """Tell the system the address of the connection's door, which is opened if need be; done twice it is done
    once. Raises NotFound, NoWebhooks or NotSubscribed with the reason."""
    opened = await open_connection(office, workspace_id, connection_id)
    how = _how(opened)
    door = await open_door(office, workspace_id, connection_id)
    try:
        await _make(office, opened, how, door.url)
    except VendorError as error:
        raise NotSubscribed(error.sentence) from None
    await _note(office, opened, since=True, problem=None)
    return await show_door(office, workspace_id, connection_id)


async def look_after(office: Office, workspace_id: UUID, connection_id: UUID) -> bool:
    """See whether the system still knows the address. Where it doesn't, it is told again, and what it didn't tell
    meanwhile is read at once. False where that had to be done, or could not be."""
    opened = await open_connection(office, workspace_id, connection_id)
    how = _how(opened)
    door = await show_door(office, workspace_id, connection_id)
    try:
        if await _stands(office, opened, how, door.url):
            await _note(office, opened, since=False, problem=None)
            return True
        log.warning("door.forgotten", connector=opened.connector.key, connection=str(connection_id))
        await _end(office, opened, door.url)  # one that was switched off may not be taken twice
        await _make(office, opened, how, door.url)
    except VendorError as error:
        await _note(office, opened, since=False, problem=error.sentence)
        return False
    await _note(office, opened, since=True, problem=None)
    await _read_now(office, opened)
    return False


async def readdress(
    office: Office, workspace_id: UUID, connection_id: UUID, overlap: timedelta = OVERLAP
) -> Address:
    """Give the door a new address, and tell it to the system where that was done before. The former address holds
    for ``overlap``. Raises NotFound, or NotSubscribed when the system didn't take the new one: both hold then."""
    former = await show_door(office, workspace_id, connection_id)
    door = await rotate_door(office, workspace_id, connection_id, overlap)
    if former.subscribed_at is None:
        return door
    told = await subscribe(office, workspace_id, connection_id)
    await _end(office, await open_connection(office, workspace_id, connection_id), former.url)
    return told


async def close(office: Office, workspace_id: UUID, connection_id: UUID) -> bool:
    """Let nothing in any more, and say so to the system where it was told the address; one that can't be reached
    goes on telling nobody. False if there was no door."""
    try:
        door = await show_door(office, workspace_id, connection_id)
    except NoDoor:
        return False
    gone = await close_door(office, workspace_id, connection_id)
    if door.subscribed_at is not None:
        await _end(office, await open_connection(office, workspace_id, connection_id), door.url)
    return gone


async def _make(office: Office, opened: Opened, how: Subscription[Any], url: str) -> None:
    """Tell the system, and believe it only when it says so itself. Raises VendorError."""
    async with session(office, opened) as client:
        await client.send(how.make(opened.settings, url))
        answer = await client.send(how.ask(opened.settings, url))
    if not how.stands(opened.settings, url, answer):
        raise VendorError(f"{opened.connector.title} took the address and doesn't list it.")


async def _stands(office: Office, opened: Opened, how: Subscription[Any], url: str) -> bool:
    async with session(office, opened) as client:
        return how.stands(opened.settings, url, await client.send(how.ask(opened.settings, url)))


async def _end(office: Office, opened: Opened, url: str) -> None:
    """An address that holds no more does no harm there: a refusal is only noted."""
    try:
        async with session(office, opened) as client:
            await client.send(_how(opened).end(opened.settings, url))
    except VendorError as error:
        log.warning("door.not_ended", connector=opened.connector.key, code=error.code)


def _how(opened: Opened) -> Subscription[Any]:
    how: Subscription[Any] | None = listening(opened.connector).subscription
    if how is None:
        system = opened.connector.title
        sentence = f"{system} can't be told the address over its API: paste it by hand."
        raise NotSubscribed(sentence, "BY_HAND_ONLY", system=system)
    return how


async def _note(office: Office, opened: Opened, *, since: bool, problem: str | None) -> None:
    values: dict[str, Any] = {"problem": problem, "check_at": clock.now() + LOOK_EVERY}
    if since:
        values["subscribed_at"] = clock.now()
    async with office.database.workspace(opened.workspace_id) as db:
        await db.execute(
            update(Door)
            .where(Door.workspace_id == opened.workspace_id, Door.connection_id == opened.id)
            .values(**values)
        )


async def _read_now(office: Office, opened: Opened) -> None:
    async with office.database.workspace(opened.workspace_id) as db:
        await db.execute(
            text("update connection set next_run_at = clock_timestamp() where workspace_id = :ws and id = :id"),
            {"ws": opened.workspace_id, "id": opened.id},
        )
