"""Global ids: ``Call:0191…``, the type and the uuid. Clients treat them as opaque."""

from __future__ import annotations

from uuid import UUID


def global_id(type_name: str, uuid: UUID) -> str:
    return f"{type_name}:{uuid}"


def parse_id(text: str) -> tuple[str, UUID] | None:
    """The type and the uuid, or None if the text is no global id."""
    type_name, colon, uuid = text.partition(":")
    if not colon or not type_name or len(uuid) != 36:
        return None
    try:
        return type_name, UUID(uuid)
    except ValueError:
        return None
