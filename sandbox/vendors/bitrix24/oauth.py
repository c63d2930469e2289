"""Tokens of a local application: an access token for an hour, a refresh token that each refresh replaces."""

from __future__ import annotations

import secrets
from typing import Any

from sandbox.vendors.bitrix24.errors import RestError
from sandbox.vendors.bitrix24.portal import ADMINISTRATOR
from sandbox.vendors.bitrix24.values import unix
from sandbox.vendors.contract import World

KEY = "bitrix24"
ACCESS_SECONDS = 3600
REFRESH_SECONDS = 180 * 86400

TABLE = """
CREATE TABLE IF NOT EXISTS bitrix24_token (
    access TEXT PRIMARY KEY, refresh TEXT NOT NULL UNIQUE, issued INTEGER NOT NULL,
    expires INTEGER NOT NULL, refreshed INTEGER NOT NULL DEFAULT 0)
"""


def client_id(world: World) -> str:
    """The application's id."""
    return f"local.{world.secret(KEY, 'client_id', 14)}.{world.secret(KEY, 'client_number', 8)}"


def client_secret(world: World) -> str:
    """The application's secret."""
    return world.secret(KEY, "client_secret", 50)


def member_id(world: World) -> str:
    """What names the portal for ever, whatever its address."""
    return world.secret(KEY, "member_id", 32)


def newest_pair(world: World) -> tuple[str, str]:
    """The present access and refresh token; the first pair is fixed by the world's seed."""
    row = world.db.execute(
        "SELECT access, refresh FROM bitrix24_token WHERE refreshed = 0 ORDER BY rowid DESC LIMIT 1"
    ).fetchone()
    if row is not None:
        return row[0], row[1]
    pair = (world.secret(KEY, "access_token", 70), world.secret(KEY, "refresh_token", 70))
    with world.transaction():
        _keep(world, *pair)
    return pair


def _keep(world: World, access: str, refresh: str) -> int:
    now = unix(world.now())
    world.db.execute(
        "INSERT INTO bitrix24_token (access, refresh, issued, expires) VALUES (?, ?, ?, ?)",
        (access, refresh, now, now + ACCESS_SECONDS),
    )
    return now + ACCESS_SECONDS


def check_access(world: World, token: str) -> int:
    """The user whom an access token speaks for. Raises 401 ``expired_token`` or NO_AUTH_FOUND."""
    newest_pair(world)
    row = world.db.execute("SELECT expires FROM bitrix24_token WHERE access = ?", (token,)).fetchone()
    if row is None:
        raise RestError(401, "NO_AUTH_FOUND", "Wrong authorization data")
    if row[0] <= unix(world.now()):
        raise RestError(401, "expired_token", "The access token provided has expired.")
    return ADMINISTRATOR


def expire_access(world: World) -> None:
    """Let every access token be past its hour."""
    world.db.execute("UPDATE bitrix24_token SET expires = 0")


def refresh(world: World, given: dict[str, str], base_url: str) -> dict[str, Any]:
    """A new pair for a refresh token, which is used up by it. Raises 400 with the server's own codes."""
    newest_pair(world)
    if given.get("grant_type") != "refresh_token":
        raise RestError(400, "invalid_request", "Unknown grant type")
    if given.get("client_id") != client_id(world) or given.get("client_secret") != client_secret(world):
        raise RestError(400, "invalid_client", "Client not found")
    row = world.db.execute(
        "SELECT access, issued, refreshed FROM bitrix24_token WHERE refresh = ?", (given.get("refresh_token"),)
    ).fetchone()
    if row is None or row[2] or row[1] + REFRESH_SECONDS <= unix(world.now()):
        raise RestError(400, "invalid_grant", "Invalid refresh token")
    access, renewed = secrets.token_hex(35), secrets.token_hex(35)
    with world.transaction():
        world.db.execute("UPDATE bitrix24_token SET refreshed = 1 WHERE access = ?", (row[0],))
        expires = _keep(world, access, renewed)
    return {
        "access_token": access,
        "expires": expires,
        "expires_in": ACCESS_SECONDS,
        "scope": "crm,telephony,user",
        "domain": "oauth.bitrix.info",
        "server_endpoint": f"{base_url}/rest/",
        "status": "L",
        "client_endpoint": f"{base_url}/rest/",
        "member_id": member_id(world),
        "user_id": ADMINISTRATOR,
        "refresh_token": renewed,
    }
