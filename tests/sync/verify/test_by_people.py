"""Verification as people ask for it, over the API and on the command line; records of another shape are no loss."""

from __future__ import annotations

import inspect
import json
from typing import Any

import click
import httpx
import pytest

from api.app import create_app
from api.command.verify import command
from api.graphql.ids import global_id
from api.tokens import create_token
from sandbox.server import Sandbox
from schema.enums import Role, RunState
from sync.connections import resync
from sync.jobs import Jobs
from tests.sync.conftest import Bench
from tests.sync.test_jobs import until, working
from tests.sync.verify.conftest import forget

VERIFY = "mutation ($c: ID!) { verifyConnection(id: $c) { sentence problems { code } } }"
FOUND = """query ($c: ID!) { connection(id: $c) {
    lastVerification { state wrong mended alarms streams { name waiting missing mended sentence } }
    verifications { nodes { state trigger sentence streams { parts { missingIds } } } } } }"""


async def test_what_is_lost_is_fetched_and_what_has_another_shape_waits(
    bench: Bench, small_market: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = await bench.connect(small_market, "calltouch")
    small_market.fault(
        "calltouch",
        "edit",
        match="calls-diary",
        times=None,
        params={"find": '"callId":900000003,', "replace": '"callId":900000003,"timestamp":{},"brandNew":[1],'},
    )
    first = await bench.sync(connection)
    assert (first.state, first.counts.quarantined) == (RunState.SUCCEEDED, 1)
    ((lost,),) = await bench.rows("select external_id from source_record where stream = 'calls' limit 1")
    await forget(bench, "calls", [lost])

    async with Jobs(bench.office).opened() as jobs, working(jobs):
        transport = httpx.ASGITransport(app=create_app(bench.office, jobs))
        token = await create_token(bench.office.database, bench.workspace, Role.OWNER, "test")
        async with httpx.AsyncClient(
            transport=transport, base_url="http://skvoz", headers={"Authorization": f"Bearer {token}"}
        ) as http:

            async def ask(query: str) -> Any:
                variables = {"c": global_id("ConnectedSystem", connection)}
                answer = (await http.post("/graphql", json={"query": query, "variables": variables})).json()
                assert "errors" not in answer, answer
                return answer["data"]

            assert (await ask(VERIFY))["verifyConnection"]["problems"] == []
            await until(bench, "select state from verification", [("succeeded",)])
            found = (await ask(FOUND))["connection"]
    last = found["lastVerification"]
    assert (last["state"], last["wrong"], last["mended"], last["alarms"]) == ("succeeded", 1, 1, [])
    calls = next(stream for stream in last["streams"] if stream["name"] == "calls")
    assert (calls["waiting"], calls["missing"], calls["mended"]) == (1, 1, 1)
    (only,) = found["verifications"]["nodes"]
    assert only["trigger"] == "BUTTON"
    assert [id for stream in only["streams"] for part in stream["parts"] for id in part["missingIds"]] == [lost]

    small_market.clear_faults()
    await resync(bench.office, bench.workspace, connection)
    await bench.sync(connection)
    await forget(bench, "calls", [lost])
    monkeypatch.setattr("api.command.running.load_settings", lambda: bench.office.settings)
    with pytest.raises(click.exceptions.Exit):  # it is wrong, and not mended
        await command_line(fix=False)
    capsys.readouterr()
    await command_line(fix=True)
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["wrong"], told["streams"][0]["mended"]) == (1, 1)


async def command_line(*, fix: bool) -> None:
    """``skvoz verify calltouch --stream calls --json``, in the loop of the test."""
    assert command.callback is not None
    asked = inspect.unwrap(command.callback)
    await asked(
        connections=("calltouch",),
        streams=("calls",),
        since=None,
        until=None,
        fix=fix,
        sample=0,
        as_json=True,
        workspace=None,
    )
