"""Raw bodies at rest: zstd with a dictionary trained on the stream's first page.

Records of a vendor are alike and small (about 1 KB): alone they hardly compress, with a dictionary they take a
quarter of jsonb's space. Every row names the dictionary that it needs, so a new one never spoils old rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
import xxhash
import zstandard

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

_LEVEL = 3
_DICTIONARY_BYTES = 16 * 1024
_ENOUGH_SAMPLES = 50  # zstd's trainer refuses or overfits on fewer


class Packing:
    """Packs the bodies of one stream, by one thread at a time."""

    def __init__(self, dictionary_id: int | None, dictionary: bytes | None) -> None:
        self.dictionary_id = dictionary_id
        trained = zstandard.ZstdCompressionDict(dictionary) if dictionary is not None else None
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=trained)

    def pack(self, body: bytes) -> bytes:
        return self._compressor.compress(body)


_ready: dict[tuple[UUID, int], Packing] = {}
"""What packs by the dictionary of a workspace: its id is a hash of what it holds, so that this never goes stale.
Reading 16 KB and preparing it takes as long as packing fifty records."""
_MOST_READY = 32


async def packing_of(
    conn: Conn, workspace_id: UUID, connection_id: UUID, stream: str, samples: Sequence[bytes]
) -> Packing:
    """The packing of a stream; its dictionary is trained on ``samples`` when there is none yet."""
    row = await (
        await conn.execute(
            "select id from zstd_dictionary where workspace_id = %s and connection_id = %s and stream = %s",
            (workspace_id, connection_id, stream),
        )
    ).fetchone()
    if row is not None:
        key = (workspace_id, row[0])
        if key not in _ready:
            packing = Packing(row[0], await _dictionary(conn, *key))
            if len(_ready) >= _MOST_READY:
                _ready.clear()
            _ready[key] = packing
        return _ready[key]
    if len(samples) < _ENOUGH_SAMPLES:
        return Packing(None, None)
    try:
        body = zstandard.train_dictionary(_DICTIONARY_BYTES, list(samples)).as_bytes()
    except zstandard.ZstdError:  # the samples have nothing in common
        return Packing(None, None)
    dictionary_id = xxhash.xxh3_64_intdigest(body) & 0x7FFFFFFF
    await conn.execute(
        "insert into zstd_dictionary (workspace_id, id, connection_id, stream, body) values (%s, %s, %s, %s, %s)"
        " on conflict do nothing",
        (workspace_id, dictionary_id, connection_id, stream, body),
    )
    return Packing(dictionary_id, body)


async def unpack(conn: Conn, workspace_id: UUID, raw: bytes, dictionary_id: int | None) -> bytes:
    """The vendor's bytes again."""
    trained = None
    if dictionary_id is not None:
        trained = zstandard.ZstdCompressionDict(await _dictionary(conn, workspace_id, dictionary_id))
    return zstandard.ZstdDecompressor(dict_data=trained).decompress(raw)


async def _dictionary(conn: Conn, workspace_id: UUID, id: int) -> bytes:
    found = await conn.execute(
        "select body from zstd_dictionary where workspace_id = %s and id = %s", (workspace_id, id), binary=True
    )
    row = await found.fetchone()
    if row is None:
        raise LookupError(f"The compression dictionary {id} is missing.")
    return bytes(row[0])
