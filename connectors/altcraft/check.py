"""Whether the settings work, in words for the person who typed them."""

from __future__ import annotations

import msgspec

from connectors.altcraft.errors import refusal
from connectors.altcraft.reads import ask
from connectors.altcraft.settings import AltcraftSettings
from connectors.altcraft.wire import Database
from connectors.contract import Health, VendorSession
from connectors.errors import BadSettings, VendorChanged, VendorError


async def check(session: VendorSession[AltcraftSettings]) -> Health:
    """Ask for the database, and for one of its profiles."""
    settings = session.settings
    try:
        answer = await session.send(ask("/databases/get", {"id": settings.db_id}))
        absent = refusal(answer)
        profiles = await session.send(ask("/profiles/list", {"db_id": settings.db_id, "from_id": "", "limit": 1}))
        hidden = refusal(profiles)
        told = msgspec.json.decode(answer.content, type=Database)
    except (msgspec.MsgspecError, VendorChanged):
        return Health(ok=False, sentence="What answers there isn't Altcraft's API: check the address.")
    except VendorError as error:
        return Health(ok=False, sentence=error.sentence)
    if absent is not None:
        raise BadSettings(f"Altcraft has no database with the number {settings.db_id} ({absent})", "db_id")
    if hidden is not None:
        return Health(ok=False, sentence=f"Altcraft doesn't show this database's profiles ({hidden}).")
    name = told.name or _inner(told) or str(settings.db_id)
    return Health(ok=True, sentence=f"Altcraft answers for the database «{name}».", account=name)


def _inner(told: Database) -> str | None:
    name = told.data.get("name") if isinstance(told.data, dict) else None
    return name if isinstance(name, str) and name else None
