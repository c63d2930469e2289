"""Ids that need no look-up: the id of a unified record follows from where it came from.

A deal can therefore name its contact before the contact was ever read, records may come in any order,
and the same record again has the same id. 128 bits of xxh3 over a few billion records leave a chance of
collision below one in 10**18.
"""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

import xxhash

from schema.enums import RecordKind

_SEPARATOR = "\x1f"


def record_id(connection_id: UUID, kind: RecordKind | str, external_id: str) -> UUID:
    """The id of the record that ``connection_id`` knows as ``external_id`` among its records of ``kind``."""
    return UUID(int=_digest("record", connection_id.hex, str(kind), external_id))


def record_hex(connection_id: UUID, kind: RecordKind | str, external_id: str) -> str:
    """`record_id` in hexadecimal digits, for rows that are only written: an UUID is not made for them."""
    return xxhash.xxh3_128_hexdigest(_joined("record", connection_id.hex, str(kind), external_id))


@lru_cache(maxsize=8192)  # few campaigns are named by many records
def campaign_id(platform: str, external_id: str) -> UUID:
    """The id of a campaign of an ad platform, wherever we hear of it (cabinet, call tracker, UTM).

    It holds no connection, so that a call which names campaign 101234567 finds it whether the cabinet was
    connected before, later or never.
    """
    return UUID(int=_digest("campaign", platform, external_id))


def _digest(*parts: str) -> int:
    return xxhash.xxh3_128_intdigest(_joined(*parts))


def _joined(*parts: str) -> bytes:
    return _SEPARATOR.join(parts).encode()
