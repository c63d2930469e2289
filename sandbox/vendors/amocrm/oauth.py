"""Tokens: a refresh token works once; used twice, it takes the whole family with it.

The answers and hints follow what live accounts were seen to send.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

from starlette.responses import Response

from sandbox.vendors.amocrm.account import ADMINISTRATOR, KEY, account_id
from sandbox.vendors.amocrm.context import Context
from sandbox.vendors.amocrm.hal import Problem
from sandbox.vendors.contract import World

REFRESH_SECONDS = 90 * 86400
CODE_SECONDS = 20 * 60
REDIRECT_URI = "https://skvoz.example/amocrm/callback"

TABLES = (
    "CREATE TABLE IF NOT EXISTS amocrm_token (refresh TEXT PRIMARY KEY, access TEXT NOT NULL UNIQUE,"
    " family INTEGER NOT NULL, issued INTEGER NOT NULL, expires INTEGER NOT NULL,"
    " used INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS amocrm_code (code TEXT PRIMARY KEY, issued INTEGER NOT NULL,"
    " used INTEGER NOT NULL DEFAULT 0)",
)


class OAuthProblem(Exception):
    """A refusal of the authorization server."""

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint

    @property
    def response(self) -> Response:
        """The answer to send."""
        body = {
            "hint": self.hint,
            "title": "Некорректный запрос",
            "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
            "status": 400,
            "detail": "В запросе отсутствует ряд параметров или параметры невалидны",
        }
        return Response(json.dumps(body, ensure_ascii=False), 400, media_type="application/problem+json")


def client_id(world: World) -> str:
    """The integration's id, a UUID."""
    text = world.secret(KEY, "client_id", 32)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def client_secret(world: World) -> str:
    """The integration's secret."""
    return world.secret(KEY, "client_secret", 64)


def _now(world: World) -> int:
    return int(world.now().timestamp())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _jwt(world: World, jti: str, issued: int, expires: int) -> str:
    """An access token as the vendor makes it: clients read ``exp`` from it."""
    header = {"typ": "JWT", "alg": "HS256"}
    claims = {
        "aud": client_id(world),
        "jti": jti,
        "iat": issued,
        "nbf": issued,
        "exp": expires,
        "sub": str(ADMINISTRATOR),
        "grant_type": "",
        "account_id": account_id(world),
        "version": 2,
        "scopes": ["crm", "notifications"],
    }
    text = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
    key = world.secret(KEY, "jwt", 32).encode()
    return f"{text}.{_base64(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


def _issue(world: World, family: int, lifetime: int, jti: str, refresh: str) -> tuple[str, str]:
    now = _now(world)
    access = _jwt(world, jti, now, now + lifetime)
    world.db.execute(
        "INSERT INTO amocrm_token (refresh, access, family, issued, expires) VALUES (?, ?, ?, ?, ?)",
        (refresh, access, family, now, now + lifetime),
    )
    return access, refresh


def newest_pair(world: World, lifetime: int = 86400) -> tuple[str, str]:
    """The present access and refresh token; the first pair is made on first use."""
    row = world.db.execute("SELECT access, refresh FROM amocrm_token ORDER BY rowid DESC LIMIT 1").fetchone()
    if row is not None:
        return row[0], row[1]
    with world.transaction():
        first = world.secret(KEY, "jti", 64), world.secret(KEY, "refresh", 64)
        return _issue(world, 1, lifetime, *first)


def authorize(world: World) -> str:
    """A new authorization code, as the account's owner gets by consenting anew: works once, for 20 minutes."""
    code = secrets.token_hex(32)
    with world.transaction() as db:
        db.execute("INSERT INTO amocrm_code (code, issued) VALUES (?, ?)", (code, _now(world)))
    return code


def expire_access(world: World) -> None:
    """Let every access token be past its time."""
    world.db.execute("UPDATE amocrm_token SET expires = 0")


def check_access(context: Context, authorization: str) -> None:
    """Raises 401 unless the header carries an access token that still lives."""
    scheme, _, token = authorization.partition(" ")
    row = None
    if scheme.lower() == "bearer":
        newest_pair(context.world, context.switches.get("access_seconds", int))
        row = context.world.db.execute("SELECT expires FROM amocrm_token WHERE access = ?", (token,)).fetchone()
    if row is None or row[0] <= _now(context.world):
        raise Problem(401, "Invalid user name or password")


def exchange(context: Context, given: Any) -> dict[str, Any]:
    """New tokens for a code or a refresh token. Raises `OAuthProblem`."""
    world = context.world
    given = given if isinstance(given, dict) else {}
    if given.get("client_id") != client_id(world) or given.get("client_secret") != client_secret(world):
        raise OAuthProblem("Check the `client_id` parameter")
    if given.get("redirect_uri") != REDIRECT_URI:
        raise OAuthProblem("Check the `redirect_uri` parameter")
    lifetime = context.switches.get("access_seconds", int)
    newest_pair(world, lifetime)
    match given.get("grant_type"):
        case "refresh_token":
            family = _use_refresh(world, str(given.get("refresh_token", "")))
        case "authorization_code":
            family = _use_code(world, str(given.get("code", "")))
        case _:
            raise OAuthProblem("Check the `grant_type` parameter")
    with world.transaction():
        access, refresh = _issue(world, family, lifetime, secrets.token_hex(32), secrets.token_hex(32))
    return {"token_type": "Bearer", "expires_in": lifetime, "access_token": access, "refresh_token": refresh}


def _use_refresh(world: World, refresh: str) -> int:
    row = world.db.execute(
        "SELECT family, issued, used, dead FROM amocrm_token WHERE refresh = ?", (refresh,)
    ).fetchone()
    if row is None:
        raise OAuthProblem("Invalid refresh token")
    family, issued, used, dead = row
    with world.transaction() as db:
        db.execute("UPDATE amocrm_token SET used = 1 WHERE refresh = ?", (refresh,))
        if used:
            db.execute("UPDATE amocrm_token SET dead = 1 WHERE family = ?", (family,))
    if used or dead:
        raise OAuthProblem("Token has been revoked")
    if issued + REFRESH_SECONDS <= _now(world):
        raise OAuthProblem("Token has expired")
    return int(family)


def _use_code(world: World, code: str) -> int:
    row = world.db.execute("SELECT issued, used FROM amocrm_code WHERE code = ?", (code,)).fetchone()
    if row is None:
        raise OAuthProblem("Cannot decrypt the authorization code")
    if row[1]:
        raise OAuthProblem("Authorization code has been revoked")
    if row[0] + CODE_SECONDS <= _now(world):
        raise OAuthProblem("Authorization code has expired")
    with world.transaction() as db:
        db.execute("UPDATE amocrm_code SET used = 1 WHERE code = ?", (code,))
        newest = db.execute("SELECT COALESCE(MAX(family), 0) FROM amocrm_token").fetchone()
    return int(newest[0]) + 1
