"""Keys to the API: ``skv_live_<public id>_<secret><checksum>``.

The prefix lets scanners find a leaked key, the checksum lets us refuse a mistyped one without the database.
The public id holds the workspace, so that a key is looked up within its workspace only, under the same
row-level security as everything else. Of the secret (256 random bits) only its SHA-256 is stored: at that
length a slow hash protects nothing and would be a lever to exhaust us.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.graphql.values import Viewer
from core.database import Database
from schema.enums import ManagersSee, Role
from schema.tables import ApiToken, Workspace

_PREFIX = "skv_live"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_BYTES, _ID_LENGTH = 24, 33  # 16 bytes of workspace and 8 of chance, in base 62
_SECRET_BYTES, _SECRET_LENGTH = 32, 43
_SUM_LENGTH = 6
_LAST_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Token:
    """A key as it is stored: without its secret."""

    id: str
    role: Role
    label: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @property
    def state(self) -> str:
        """`live`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= datetime.now(UTC) else "live"


@dataclass(frozen=True, slots=True)
class _Parts:
    id: str
    secret: str
    workspace_id: UUID


async def create_token(
    database: Database,
    workspace_id: UUID,
    role: Role,
    label: str,
    expires_at: datetime | None = None,
    user_ids: Sequence[UUID] | None = None,
    *,
    within: AsyncConnection | None = None,
) -> str:
    """Make a key, store its hash and return it: it is never known again. Several keys may live at once, so that
    one can take another's place. ``user_ids``: of a manager's key, the employees that the manager is; ``within``:
    the transaction that it is made in, if not one of its own."""
    token_id = _encode(workspace_id.bytes + secrets.token_bytes(_ID_BYTES - 16), _ID_LENGTH)
    secret = _encode(secrets.token_bytes(_SECRET_BYTES), _SECRET_LENGTH)
    row = {
        "workspace_id": workspace_id,
        "id": token_id,
        "secret_hash": _hash(secret),
        "role": role.value,
        "label": label,
        "expires_at": expires_at,
        "user_ids": None if user_ids is None else list(user_ids),
    }
    async with database.within(workspace_id, within) as connection:
        await connection.execute(insert(ApiToken), row)
    body = f"{_PREFIX}_{token_id}_{secret}"
    return body + _checksum(body)


async def list_tokens(database: Database, workspace_id: UUID) -> list[Token]:
    """All keys of the workspace, the newest first."""
    async with database.workspace(workspace_id) as connection:
        found = await connection.execute(
            select(ApiToken.__table__)
            .where(ApiToken.workspace_id == workspace_id)
            .order_by(ApiToken.created_at.desc(), ApiToken.id)
        )
    return [
        Token(row.id, Role(row.role), row.label, row.created_at, row.expires_at, row.last_used_at, row.revoked_at)
        for row in found
    ]


def public_id(token: str) -> str:
    """The part of a key by which it is listed and revoked."""
    return token.split("_")[2]


async def is_valid(database: Database, token: str) -> bool:
    """Whether the key opens anything now."""
    return await authenticate(database, token) is not None


async def revoke_token(database: Database, workspace_id: UUID, token_id: str) -> bool:
    """End a key at once; False if there is no such key, or it had ended before."""
    async with database.workspace(workspace_id) as connection:
        ended = await connection.execute(
            update(ApiToken)
            .where(
                ApiToken.workspace_id == workspace_id,
                ApiToken.id == token_id,
                ApiToken.revoked_at.is_(None),
            )
            .values(revoked_at=datetime.now(UTC))
        )
    return ended.rowcount == 1


async def authenticate(database: Database, token: str) -> Viewer | None:
    """Who shows this key, or None. The time of last use is written once a minute at most."""
    parts = _parse(token)
    if parts is None:
        return None
    async with database.workspace(parts.workspace_id) as connection:
        found = await connection.execute(
            select(ApiToken.__table__, Workspace.phone_region, Workspace.managers_see)
            .join(Workspace, Workspace.id == ApiToken.workspace_id)
            .where(ApiToken.workspace_id == parts.workspace_id, ApiToken.id == parts.id)
        )
        row = found.one_or_none()
        # Compare even when there is no such key, so that the time taken doesn't tell.
        stored = b"\0" * 32 if row is None else row.secret_hash
        matches = hmac.compare_digest(stored, _hash(parts.secret))
        if row is None or not matches or row.revoked_at is not None:
            return None
        now = datetime.now(UTC)
        if row.expires_at is not None and row.expires_at <= now:
            return None
        if row.last_used_at is None or now - row.last_used_at >= _LAST_USED_EVERY:
            await connection.execute(
                update(ApiToken)
                .where(ApiToken.workspace_id == parts.workspace_id, ApiToken.id == parts.id)
                .values(last_used_at=now)
            )
    role = Role(row.role)
    only_own = role is Role.MANAGER and row.managers_see == ManagersSee.OWN
    own = tuple(row.user_ids or ()) if only_own else None
    return Viewer(parts.workspace_id, role, parts.id, row.phone_region, own)


def _parse(token: str) -> _Parts | None:
    body, given = token[:-_SUM_LENGTH], token[-_SUM_LENGTH:]
    pieces = body.removeprefix(f"{_PREFIX}_").split("_")
    if not token.startswith(f"{_PREFIX}_") or not token.isascii() or len(pieces) != 2:
        return None
    token_id, secret = pieces
    if len(token_id) != _ID_LENGTH or len(secret) != _SECRET_LENGTH or given != _checksum(body):
        return None
    number = 0
    for char in token_id:
        digit = _ALPHABET.find(char)
        if digit < 0:
            return None
        number = number * 62 + digit
    try:
        raw = number.to_bytes(_ID_BYTES)
    except OverflowError:
        return None
    return _Parts(token_id, secret, UUID(bytes=raw[:16]))


def _encode(raw: bytes, length: int) -> str:
    number = int.from_bytes(raw)
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    return _encode(zlib.crc32(body.encode()).to_bytes(4), _SUM_LENGTH)
