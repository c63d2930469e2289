"""The tokens of VK Ads: five for an access and user, refreshed in place, gone after a month unused."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from sandbox.vendors.contract import World
from sandbox.vendors.vk_ads.store import KEY

AT_MOST = 5
LIFE = 86_400
IDLE = 30 * 86_400
SCOPE = "read_ads,read_payments,create_ads"


def client_id(world: World) -> str:
    return world.secret(KEY, "client_id", 16)


def client_secret(world: World) -> str:
    return world.secret(KEY, "client_secret", 40)


def client_name(world: World) -> str:
    """The client of the agency whose cabinet this is."""
    return f"chistota-{world.secret(KEY, 'client', 6)}@agency_client"


class Refused(Exception):
    """A refusal with its status and body."""

    def __init__(self, status: int, body: dict[str, Any], code: str = "", words: str = "") -> None:
        super().__init__(words)
        self.status = status
        self.body = body
        self.headers = {}
        if code:
            self.headers["WWW-Authenticate"] = f'Bearer realm="api", error="{code}", error_description="{words}"'


def give(world: World, form: Mapping[str, str]) -> dict[str, Any]:
    """An answer of the token endpoint. Raises Refused."""
    known = hmac.compare_digest(form.get("client_id", ""), client_id(world)) and hmac.compare_digest(
        form.get("client_secret", ""), client_secret(world)
    )
    if not known:
        raise Refused(401, {"error": "invalid_client", "error_description": "Unknown client"})
    _drop_idle(world)
    match form.get("grant_type"):
        case "client_credentials":
            return _new(world, "own")
        case "agency_client_credentials":
            if form.get("agency_client_name") != client_name(world):
                raise Refused(401, {"error": "invalid_user", "error_description": "Unknown agency client"})
            return _new(world, "client")
        case "refresh_token":
            return _renewed(world, form.get("refresh_token", ""))
    raise Refused(400, {"error": "unsupported_grant_type", "error_description": "grant_type is not supported"})


def check(world: World, header: str) -> str:
    """Whose token this is: ``own`` or ``client``. Raises Refused."""
    _drop_idle(world)
    access = header.removeprefix("Bearer ")
    now = int(world.now().timestamp())
    row = world.db.execute("SELECT who, issued, revoked FROM vk_ads_token WHERE access = ?", (access,)).fetchone()
    if row is None:
        raise _unauthorized("invalid_token", "Unknown access token")
    who: str = row[0]
    if row[2]:
        raise _unauthorized("revoked_token", "Access token has been revoked")
    if now - row[1] >= LIFE:
        raise _unauthorized("expired_token", "Access token is expired")
    world.db.execute("UPDATE vk_ads_token SET used = ? WHERE access = ?", (now, access))
    return who


def expire(world: World) -> None:
    """Let every token be a day old."""
    world.db.execute("UPDATE vk_ads_token SET issued = issued - ?", (LIFE,))


def _unauthorized(code: str, words: str) -> Refused:
    return Refused(401, {"code": code, "message": words}, code, words)


def _new(world: World, who: str) -> dict[str, Any]:
    (held,) = world.db.execute("SELECT count(*) FROM vk_ads_token WHERE who = ?", (who,)).fetchone()
    if held >= AT_MOST:
        body = {"error": "token_limit_exceeded", "error_description": "Token limit is reached", "tokens_left": 0}
        raise Refused(403, body)
    now = int(world.now().timestamp())
    (given,) = world.db.execute("SELECT coalesce(max(rowid), 0) + 1 FROM vk_ads_token").fetchone()
    access, refresh = (world.secret(KEY, f"{kind}-{given}-{now}", 64) for kind in ("access", "refresh"))
    world.db.execute("INSERT INTO vk_ads_token VALUES (?, ?, ?, ?, ?, 0)", (access, refresh, who, now, now))
    return _pair(access, refresh) | {"tokens_left": AT_MOST - held - 1}


def _renewed(world: World, refresh: str) -> dict[str, Any]:
    now = int(world.now().timestamp())
    row = world.db.execute("SELECT access, revoked FROM vk_ads_token WHERE refresh = ?", (refresh,)).fetchone()
    if row is None or row[1]:
        raise Refused(401, {"error": "invalid_token", "error_description": "Unknown refresh token"})
    (renewals,) = world.db.execute("SELECT coalesce(max(issued), 0) FROM vk_ads_token").fetchone()
    access = world.secret(KEY, f"renewed-{row[0]}-{now}-{renewals}", 64)
    world.db.execute(
        "UPDATE vk_ads_token SET access = ?, issued = ?, used = ? WHERE refresh = ?", (access, now, now, refresh)
    )
    return _pair(access, refresh)


def _pair(access: str, refresh: str) -> dict[str, Any]:
    return {
        "access_token": access,
        "token_type": "bearer",
        "scope": SCOPE,
        "expires_in": str(LIFE),
        "refresh_token": refresh,
    }


def _drop_idle(world: World) -> None:
    world.db.execute("DELETE FROM vk_ads_token WHERE used < ?", (int(world.now().timestamp()) - IDLE,))
