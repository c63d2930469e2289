"""Recordings of calls: handed on by the connection's token, or left to an address that opens by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from api.tokens import create_token
from connectors.registry import all_connectors
from core.secrets import load_keyring
from core.settings import Settings
from sandbox.running import open_to_read
from sandbox.server import Sandbox, start
from schema import tables as t
from schema.enums import Role
from sync.budget import Budget
from sync.connections import create_connection, remove_connection
from sync.office import Office
from tests.api.conftest import Api, application, asking, bearer
from tests.api.market import Market, uuid


@dataclass
class Heard:
    """The application beside a call tracker, and one of its recorded calls."""

    api: Api
    office: Office
    tracker: Sandbox
    connection: UUID
    call: str

    async def hear(self, api: Api | None = None, call: str | None = None) -> tuple[int, str, bytes]:
        answer = await (api or self.api).http.get(f"/recordings/{call or self.call}")
        return answer.status_code, answer.headers.get("content-type", ""), answer.content


@pytest.fixture
async def heard(
    settings: Settings, market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Heard]:
    monkeypatch.setattr(Budget, "pace", 0.0)
    settings = settings.model_copy(update={"allow_private_hosts": ("127.0.0.1",)})
    with start(
        tmp_path, seed=3, calls=20, days=5, start=date(2026, 3, 2), limits=0, only=("calltouch",)
    ) as tracker:
        office = Office(market.database, load_keyring(settings), settings)
        connection, _ = await create_connection(
            office, market.workspace_id, "calltouch", "tracker", tracker.credentials["calltouch"]
        )
        with closing(open_to_read(tracker.home)) as db:
            (number,) = db.execute("select id from calltouch_call where talk > 0 limit 1").fetchone()
        address = f"{tracker.base_url}/calltouch/{number}/download"
        told = {"connection_id": connection, "external_id": str(number), "recording_url": address}
        await market.call(800, 1, **told)
        async with application(settings, market) as app, asking(app, market) as api:
            yield Heard(api, office, tracker, connection, f"Call:{uuid('call', 800)}")


async def test_the_sound_is_handed_on_to_whoever_may_hear_it_and_the_token_is_not(heard: Heard) -> None:
    status, media, sound = await heard.hear()
    assert (status, media, sound[:2]) == (200, "audio/mpeg", b"\xff\xfb")
    answer = await heard.api.http.get(f"/recordings/{heard.call}")
    assert heard.tracker.credentials["calltouch"]["token"] not in str(answer.headers)
    assert (await heard.hear(await heard.api.as_role(Role.INTEGRATION)))[0] == 200
    assert (await heard.hear(await heard.api.as_role(Role.ANALYST)))[0] == 403
    nobody = await heard.api.http.get(f"/recordings/{heard.call}", headers={"Authorization": "Bearer no"})
    assert nobody.status_code == 401
    assert (await heard.api.http.post(f"/recordings/{heard.call}")).status_code == 405
    for call in ("Call:00000000-0000-4000-8000-000000000000", "Deal:x", "900000001", "Deal" + heard.call[4:]):
        assert (await heard.hear(call=call))[0] == 404


async def test_a_manager_hears_the_calls_of_own_clients(heard: Heard, market: Market) -> None:
    me, another = uuid("user", 1), uuid("user", 2)
    people = [{**market.unified("user", number), "name": f"User {number}", "active": True} for number in (1, 2)]
    await market.add(t.User, people)
    async with market.database.workspace(market.workspace_id) as db:
        await db.execute(text("update workspace set managers_see = 'own'"))
    token = await create_token(market.database, market.workspace_id, Role.MANAGER, "mine", user_ids=[me])
    for whose, status in ((another, 404), (me, 200)):
        async with market.database.workspace(market.workspace_id) as db:
            values = {"user": whose, "id": uuid("client", 1)}
            await db.execute(text("update client set responsible_id = :user where id = :id"), values)
        answer = await heard.api.http.get(f"/recordings/{heard.call}", headers=bearer(token))
        assert answer.status_code == status


async def test_what_the_system_says_instead_is_told(heard: Heard, market: Market) -> None:
    heard.tracker.fault("calltouch", "status", match="download", params={"status": 404})
    status, _, content = await heard.hear()
    assert status == 404
    assert b"Calltouch has no recording" in content
    heard.tracker.fault("calltouch", "status", match="download", params={"status": 403})
    status, _, content = await heard.hear()
    assert status == 502
    assert b"check the site id" in content
    told = {"status": 200, "body": "alert(1)", "content_type": "text/javascript"}
    heard.tracker.fault("calltouch", "status", match="download", params=told)
    assert (await heard.hear())[:2] == (200, "application/octet-stream")
    await remove_connection(heard.office, market.workspace_id, heard.connection)
    status, _, content = await heard.hear()
    assert status == 404
    assert b"was removed" in content


async def test_an_address_that_opens_by_itself_is_left_to_the_caller(
    heard: Heard, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all = replace(all_connectors()["calltouch"], recording=None)
    monkeypatch.setitem(all_connectors(), "calltouch", open_to_all)
    for number, address in ((801, "https://records.example/1.mp3"), (802, "javascript:alert(1)")):
        await market.call(number, 1, recording_url=address, connection_id=heard.connection)
    answer = await heard.api.http.get(f"/recordings/Call:{uuid('call', 801)}")
    assert (answer.status_code, answer.headers["location"]) == (302, "https://records.example/1.mp3")
    assert (await heard.hear(call=f"Call:{uuid('call', 802)}"))[0] == 404
