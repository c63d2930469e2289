"""Rules: checked at once, shown as a sentence, tried dry, and switched on without touching history."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from connectors.registry import all_connectors
from schema.enums import RunTrigger
from sync.errors import SettingsRefused
from sync.jobs import Jobs
from sync.writeback.dry_run import dry_run
from sync.writeback.rulebook import add_rule, list_rules, remove_rule, switch_rule
from tests.conftest import MASTER_KEY
from tests.sync.test_kill import ROOT
from tests.sync.writeback.conftest import BEGINNING, Writing


async def add(writing: Writing, target: UUID, kind: str, **values: Any) -> Any:
    bench = writing.bench
    return await add_rule(bench.office, bench.workspace, target, kind, values, since=BEGINNING, actor="test")


async def test_a_rule_says_itself_in_a_plain_sentence(writing: Writing) -> None:
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await writing.bench.sync(portal)
    users = await writing.bench.rows("select external_id from user_account order by external_id limit 1")
    shown = await add(
        writing,
        portal,
        "call_to_lead",
        calls_from=tracker,
        fields={"UTM_SOURCE": "source", "UTM_CAMPAIGN": "campaign"},
        responsible={"+74951234567": users[0][0]},
    )
    assert shown.sentence == (
        "Every answered call from a new number in «calltouch» becomes a lead in «bitrix24», with source in "
        f"UTM_SOURCE, campaign name in UTM_CAMPAIGN, responsible is user {users[0][0]} for +74951234567."
    )
    shown = await add(writing, tracker, "won_deal_to_call", deals_from=portal)
    assert shown.sentence == (
        "The amount of every deal won in «bitrix24» goes to «calltouch», against the client's last call before it."
    )
    shown = await add(writing, portal, "client_fields")
    assert "name (the most recent wins), phones (ours wins)" in shown.sentence


@pytest.mark.parametrize(
    ("target", "kind", "values", "words"),
    [
        ("bitrix24", "call_to_leed", {}, "There is no kind of rule"),
        ("bitrix24", "call_to_lead", {"fields": {"UTM_SORCE": "source"}}, "has no field UTM_SORCE"),
        ("bitrix24", "call_to_lead", {"fields": {"UTM_SOURCE": "sauce"}}, "fields.UTM_SOURCE"),
        ("bitrix24", "call_to_lead", {"otherwise_responsible": "99999"}, "There is no user 99999"),
        ("bitrix24", "call_to_lead", {"lead_title": "Call {nonsense}"}, "can be filled in"),
        ("bitrix24", "call_to_lead", {"surprise": 1}, "surprise"),
        ("bitrix24", "won_deal_to_call", {}, "can't take this; what it can do: make a lead"),
        ("calltouch", "call_to_lead", {}, "can't take this; what it can do: put a deal against a call"),
    ],
)
async def test_a_rule_that_cannot_work_is_refused_at_once(
    writing: Writing, target: str, kind: str, values: dict[str, Any], words: str
) -> None:
    connection = await writing.connect(target)
    if target == "bitrix24":
        await writing.bench.sync(connection)
    with pytest.raises(SettingsRefused, match=words.replace("(", "[(]")):
        await add(writing, connection, kind, **values)
    assert await list_rules(writing.bench.office, writing.bench.workspace) == []


async def test_a_dry_run_shows_exactly_what_is_then_written(writing: Writing) -> None:
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await writing.bench.sync(portal)
    await writing.bench.sync(tracker)
    office, workspace = writing.bench.office, writing.bench.workspace
    shown = await add(writing, portal, "call_to_lead", fields={"UTM_SOURCE": "source"})
    writing.market.clear_log()

    run = await dry_run(office, workspace, shown.rule.id, show=1000)

    assert run.total == len(run.shown) > 6
    assert not [one for one in writing.market.log("bitrix24") if ".add" in one["path"] or ".update" in one["path"]]
    assert await writing.states() == Counter()

    await switch_rule(office, workspace, shown.rule.id, enabled=True)
    await writing.deliver(portal)

    would_make = {
        tuple((line.field, str(line.then)) for line in one.lines) for one in run.shown if one.verdict == "make"
    }
    payloads = await writing.bench.rows("select payload from outbox where state = 'done'")
    assert would_make == {
        tuple((name, str(value)) for name, value in sorted_like(payload)) for (payload,) in payloads
    }
    assert (await dry_run(office, workspace, shown.rule.id)).total == 0


def sorted_like(payload: dict[str, Any]) -> list[tuple[str, Any]]:
    """In the order in which an intent names its fields."""
    order = ["title", "first_name", "phones", "stage", "responsible", "UTM_SOURCE"]
    return sorted(payload.items(), key=lambda pair: order.index(pair[0]))


async def test_a_rule_switched_on_leaves_history_alone(writing: Writing) -> None:
    portal = await writing.connect("bitrix24")
    await writing.bench.sync(portal)
    await writing.rule(portal, "call_to_lead", since=None)
    await writing.bench.sync(await writing.connect("calltouch"))
    assert await writing.bench.value("select count(*) from call") > 20
    assert await writing.states() == Counter()


async def test_a_rule_switched_off_or_removed_wants_nothing_more(writing: Writing) -> None:
    portal = await writing.connect("bitrix24")
    office, workspace = writing.bench.office, writing.bench.workspace
    first, second = await add(writing, portal, "call_to_lead"), await add(writing, portal, "call_to_lead")
    await switch_rule(office, workspace, first.rule.id, enabled=True)
    await switch_rule(office, workspace, first.rule.id, enabled=False)
    await switch_rule(office, workspace, second.rule.id, enabled=True)
    await remove_rule(office, workspace, second.rule.id)
    await writing.bench.sync(await writing.connect("calltouch"))
    assert await writing.states() == Counter()


async def test_workers_deliver_by_themselves(writing: Writing) -> None:
    """A run brings the causes, and the same workers carry them out, without anybody asking."""
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await writing.bench.sync(portal)
    await writing.rule(portal, "call_to_lead")
    async with Jobs(writing.bench.office).opened() as jobs:
        await jobs.request_sync(writing.bench.workspace, tracker, RunTrigger.BUTTON)
        working = asyncio.ensure_future(jobs.work(concurrency=2))
        try:
            for _ in range(200):
                states = await writing.states()
                if states and set(states) == {"done"}:
                    break
                await asyncio.sleep(0.3)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
    assert set(writing.leads_made().values()) == {1}


async def test_secrets_are_in_no_request_that_is_kept(writing: Writing) -> None:
    portal, _ = await writing.calls_waiting()
    await writing.deliver(portal)
    kept = await writing.bench.rows("select request::text || coalesce(response::text, '') from outbox_attempt")
    for credentials in writing.market.credentials.values():
        secrets = [value for name, value in credentials.items() if name in ("webhook_url", "token", "access_token")]
        assert not [secret for (text,) in kept for secret in secrets if secret in text]


def test_the_catalogue_tells_what_a_system_takes() -> None:
    titles = {key: [write.title for write in one.writes] for key, one in all_connectors().items() if one.writes}
    assert titles["bitrix24"][:3] == ["Make a lead", "Remove a lead", "Change a contact"]
    for one in all_connectors().values():
        for write in one.writes:
            taken_back = "update" if write.operation == "delete" else "delete"
            assert write.undo is None or one.write(write.undo).operation == taken_back
            assert write.card is None or one.write(write.card).operation == "create"
            assert write.operation != "update" or write.read is not None
            assert write.idempotency != "marker" or write.by_marker is not None


async def test_the_command_line_leads_from_a_rule_to_an_undo(writing: Writing) -> None:
    tracker, portal = await writing.connect("calltouch"), await writing.connect("bitrix24")
    await writing.bench.sync(portal)
    await writing.bench.sync(tracker)
    url = writing.bench.office.settings.database_url
    assert url is not None
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url.get_secret_value(),
        "SKVOZ_MASTER_KEY": MASTER_KEY,
        "SKVOZ_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
        "COLUMNS": "200",
    }

    async def run(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from api.command import main; main()",
            *words,
            env=environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
        assert process.returncode == 0, told.decode()
        return told.decode()

    fields = 'fields={"UTM_SOURCE": "source"}'
    said = await run(
        "rules", "add", "call_to_lead", "bitrix24", "--set", fields, "--set", "calls_from=calltouch",
        "--since", "2026-03-01",
    )  # fmt: skip
    assert "Every answered call from a new number in «calltouch» becomes a lead" in said
    rule = str(await writing.bench.value("select id from write_rule"))[:8]
    assert "Call from" in await run("rules", "dry-run", rule, "--show", "3")
    assert "On: Every answered call" in await run("rules", "enable", rule)
    assert "lead.create" in await run("outbox", "list")
    await writing.deliver(portal)
    assert "lead.create" not in await run("outbox", "list")
    id, external_id = (await writing.bench.rows("select id, external_id from outbox where state = 'done' limit 1"))[
        0
    ]
    await run("outbox", "undo", str(id), "--yes")
    assert await writing.deliver(portal) == Counter(done=1)
    assert not writing.there(f"select 1 from bitrix24_lead where ID = {int(external_id)}")  # noqa: S608
    assert "Off: " in await run("rules", "disable", rule)
    await run("rules", "remove", rule)
    assert await writing.bench.value("select count(*) from write_rule") == 0
