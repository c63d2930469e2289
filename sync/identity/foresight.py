"""What a record would match if it came now. Nothing is changed by asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from schema.records import LeadRecord
from sync.identity import reading
from sync.identity.candidates import candidate_of
from sync.identity.clusters import UNLIMITED, NodeKey
from sync.identity.probable import candidates_for, weights_of
from sync.identity.reading import Conn

_NOWHERE, _NOBODY = UUID(int=0), "nobody yet"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A client that a record would match: by keys (kinds and values), or by weights, with the sum in bits.
    ``applied``: without asking anybody."""

    client: UUID
    keys: tuple[tuple[str, str], ...] = ()
    score: float | None = None
    waterfall: dict[str, list[Any]] | None = None
    applied: bool = True


async def what_would_match(
    conn: Conn,
    workspace_id: UUID,
    region: str,
    *,
    name: str | None = None,
    phones: Sequence[str] = (),
    emails: Sequence[str] = (),
    at: datetime | None = None,
) -> list[Foreseen]:
    """The clients that a form with this name, these phones and e-mails would match, those with keys first, then by
    weight. A key that several people share leads to nobody."""
    record = LeadRecord(
        external_id=_NOBODY,
        created_at=at or datetime.now(UTC),
        name=name,
        phones=tuple(phones),
        emails=tuple(emails),
    )
    candidate = candidate_of(record, _NOWHERE, region)
    if candidate is None:
        return []
    keys = {NodeKey(candidate.client_kind.value, str(key.kind), key.value) for key in candidate.keys}
    found: dict[UUID, list[tuple[str, str]]] = {}
    for key in sorted(key for key in keys if key.kind not in UNLIMITED):
        met = await reading.met(conn, workspace_id, [key], ())
        for client in met.clients:
            found.setdefault(client, []).append((key.kind, key.value))
    told = [Foreseen(client, tuple(values)) for client, values in found.items()]
    if candidate.traits is not None:
        weights = await weights_of(conn, workspace_id)
        best: dict[UUID, Foreseen] = {}
        matches = await candidates_for(conn, workspace_id, candidate.record_id, candidate.traits, weights)
        owner = await reading.clients_of_records(
            conn, workspace_id, [match.other_than(candidate.record_id) for match in matches]
        )
        for match in sorted(matches, key=lambda match: -match.score):
            client_id = owner.get(match.other_than(candidate.record_id))
            if client_id is not None and client_id not in found and match.score >= weights.lower:
                applied = match.score >= weights.upper
                best.setdefault(
                    client_id,
                    Foreseen(client_id, score=match.score, waterfall=match.waterfall(), applied=applied),
                )
        told += best.values()
    return told
