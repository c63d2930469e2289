"""``skvoz demo``: everything at once on one machine, over a pretend market."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import httpx
import orjson
from rich.console import Console

from api.command.running import in_loop
from api.command.screen import open_console, quiet_logs
from api.command.sync import Chosen, choose, counts_table, sync_all
from api.serve import serve
from api.tokens import create_token, is_valid
from connectors.registry import connector
from core import clock
from core.database import driver
from core.errors import SkvozError
from core.settings import Settings, load_settings
from reports.ad_tags import rules_of_ads
from reports.campaigns import CampaignReport, campaign_report
from reports.render import as_json, as_table
from reports.rulebook import rule_set, write_rules
from reports.rules import RuleKind
from reports.standing import standing
from schema.enums import Role, RunState
from sync.connections import create_connection, open_connection, update_connection
from sync.inbox.doors import open_door
from sync.inbox.subscriptions import subscribe
from sync.jobs import Jobs
from sync.office import Office, create_workspace, open_office
from sync.run_life import RunResult

DAYS = 180
EVERY_SECONDS = 60
CRMS = ("bitrix24", "amocrm", "aspro_cloud", "advantshop", "onec")
# What a demo's market was made of before it was written down beside it.
FIRST_MARKET: dict[str, Any] = {
    "vendors": ("amocrm", "bitrix24", "calltouch", "yandex_direct", "yandex_metrica"),
    "crms": ("bitrix24", "amocrm"),
}

QUERIES = (
    (
        "Who are the clients, and what happened with them?",
        """{ clients(first: 3, orderBy: [{field: LAST_SEEN_AT, direction: DESC}]) {
    nodes { name phone history(first: 5) { nodes { __typename
      ... on Call { startedAt answered campaign { name } }
      ... on Deal { title status amount } } } } } }""",
    ),
    (
        "Which campaigns bring clients?",
        """{ campaignReport(from: "%(start)s", to: "%(end)s") { rows {
    name reason cost visits calls leads newClients wonDeals revenue cpl cac romiRevenue } } }""",
    ),
    (
        "How are the syncs?",
        """{ connections { nodes { title state streams { title freshUntil }
    runs(first: 1) { nodes { state fetched created updated unchanged } } } } }""",
    ),
)


class SandboxFailed(SkvozError):
    """The pretend market could not be started."""

    code = "SANDBOX"


@click.command("demo")
@click.option("--once", is_flag=True, help="Sync once, write the summary, and end.")
@click.option("--json", "summary", type=click.Path(dir_okay=False, path_type=Path), help="Write a summary there.")
@click.option("--calls", default=3000, show_default=True, help="Size of the pretend market of a first run.")
@click.option("--seed", default=1, show_default=True, help="Another seed is another market.")
@in_loop
async def command(once: bool, summary: Path | None, calls: int, seed: int) -> None:
    """Show everything on this machine: a pretend market, four connected systems, the figures, the API.

    The data lies in SKVOZ_HOME (.skvoz); a second start goes on with it and reads only what is new. Ctrl-C ends
    everything.
    """
    console = open_console()
    quiet_logs()
    try:
        await _demo(console, once, summary, calls, seed)
    except asyncio.CancelledError:  # Ctrl-C is how the demo is meant to end
        console.print("Stopped. The data is kept; `make demo` goes on with it.")
        if once:
            raise click.exceptions.Exit(130) from None


async def _demo(console: Console, once: bool, summary: Path | None, calls: int, seed: int) -> None:
    settings = load_settings()
    settings = settings.model_copy(update={"allow_private_hosts": (*settings.allow_private_hosts, "127.0.0.1")})
    async with (
        _sandbox(console, settings, calls, seed) as credentials,
        open_office(settings, make_key=True) as office,
    ):
        console.print("[green]✓[/green] PostgreSQL is up" + ("" if settings.database_url else " (embedded)"))
        workspace = await create_workspace(office, "demo", "Demo")
        chosen = await _connect(console, office, workspace, credentials)
        results = await sync_all(console, office, workspace, chosen)
        console.print("", counts_table(chosen, results))
        await _understand_tags(office, workspace)
        report = await _report(office, workspace)
        end = clock.now().date()
        title = f"Campaigns, {end - timedelta(days=DAYS)} to {end}"
        console.print("", as_table(report, title=title, width=console.width), "")
        token = await _token(office, workspace, settings)
        facts = _summary(settings, token, chosen, results, report)
        if once:
            _write(summary, facts)
            failed = [each.title for each, result in zip(chosen, results, strict=True) if _failed(result)]
            if failed:
                raise SandboxFailed(f"Not everything was synced: {', '.join(failed)}.")
            return
        await _open_doors(office, workspace, chosen, credentials)
        await _serve(console, office, settings, token, summary, facts)


@asynccontextmanager
async def _sandbox(
    console: Console, settings: Settings, calls: int, seed: int
) -> AsyncIterator[dict[str, dict[str, str]]]:
    """The pretend market in a process of its own; its credentials by vendor."""
    home = settings.home / "sandbox"
    home.mkdir(parents=True, exist_ok=True)
    kept = home / "demo.json"
    market: dict[str, Any] = {"calls": calls, "seed": seed, "crms": CRMS}
    if kept.exists():  # the market that is there goes on, with what it was made of
        market = FIRST_MARKET | orjson.loads(kept.read_bytes())
    only = ("--only", *market["vendors"]) if "vendors" in market else ()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sandbox", "--home", str(home), "--port", "0", "--live", "--attended"),
        *("--calls", str(market["calls"]), "--days", str(DAYS), "--seed", str(market["seed"])),
        *("--crms", *market["crms"], *only),
        stdin=asyncio.subprocess.PIPE,  # it ends when we do, even by kill -9
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is ours to pass on, after the syncs have ended
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        console.print("The pretend market comes to life…")
        line = await _first_line(process)
        if not line:
            raise SandboxFailed("The pretend market did not start; its words stand above.")
        credentials = orjson.loads(line)["credentials"]
        kept.write_bytes(orjson.dumps(market | {"vendors": sorted(credentials)}))
        titles = ", ".join(connector(key).title for key in credentials)
        console.print(f"[green]✓[/green] Sandbox vendors are up: {titles}")
        yield credentials
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _first_line(process: asyncio.subprocess.Process) -> bytes:
    if process.stdout is None:
        raise SandboxFailed("The pretend market has no output.")
    return await process.stdout.readline()


async def _connect(
    console: Console, office: Office, workspace: UUID, credentials: dict[str, dict[str, str]]
) -> list[Chosen]:
    """Connect what isn't connected yet; what is gets the vendor's present address."""
    known = {each.connector: each for each in await choose(office, workspace, ())}
    for key, values in credentials.items():
        if key not in known:
            id, health = await create_connection(office, workspace, key, connector(key).title, values)
            await update_connection(office, workspace, id, interval_seconds=EVERY_SECONDS)
            console.print(f"[green]✓[/green] {connector(key).title}: {health.sentence}")
        else:
            await _readdress(office, workspace, known[key], values)
    return await choose(office, workspace, ())


async def _readdress(office: Office, workspace: UUID, each: Chosen, values: dict[str, str]) -> None:
    """The sandbox has another port at each start. Rotating tokens stay: they are newer than what is told."""
    present = (await open_connection(office, workspace, each.id)).settings
    moved = {
        name: value
        for name, value in values.items()
        if name not in {"access_token", "refresh_token"} and hasattr(present, name)
    }
    await update_connection(office, workspace, each.id, values=moved)


async def _open_doors(
    office: Office, workspace: UUID, chosen: list[Chosen], credentials: dict[str, dict[str, str]]
) -> None:
    """Let the CRMs tell by themselves what happens: over their API, or by the switch that stands for a person who
    pastes the address in the portal."""
    market = credentials["bitrix24"]["webhook_url"].partition("/bitrix24/")[0]
    for each in chosen:
        if each.connector == "amocrm":
            await subscribe(office, workspace, each.id)
        elif each.connector == "bitrix24":
            door = await open_door(office, workspace, each.id)
            async with httpx.AsyncClient() as http:
                await http.put(f"{market}/bitrix24/_switches", json={"event_handler": door.url})


async def _understand_tags(office: Office, workspace: UUID) -> None:
    """The rules that the ads' own tags propose are put into force once, as a user would."""
    async with office.database.workspace(workspace) as db:
        conn = driver(db)
        if (await rule_set(conn, workspace, RuleKind.CAMPAIGN)).version == 0:
            rules = await rules_of_ads(conn, workspace)
            if rules:
                await write_rules(conn, workspace, RuleKind.CAMPAIGN, rules, "demo")


async def _report(office: Office, workspace: UUID) -> CampaignReport:
    end = clock.now().date()
    start = end - timedelta(days=DAYS)
    async with office.database.workspace(workspace) as db:
        conn = driver(db)
        held = await standing(conn, workspace, start, end)
        return await campaign_report(conn, workspace, start, end, rules=held.rules)


async def _token(office: Office, workspace: UUID, settings: Settings) -> str:
    """The demo's own token, kept beside the data so that a second start shows the same one."""
    path = settings.home / "demo-token"
    if path.exists():
        token = path.read_text(encoding="ascii").strip()
        if await is_valid(office.database, token):
            return token
    token = await create_token(office.database, workspace, Role.OWNER, "demo")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token)
    return token


async def _serve(
    console: Console,
    office: Office,
    settings: Settings,
    token: str,
    summary: Path | None,
    facts: dict[str, Any],
) -> None:
    """The API and one worker, until Ctrl-C."""

    def ready() -> None:
        _write(summary, facts)
        console.print(_welcome(settings, token), markup=False, highlight=False, soft_wrap=True)

    async with Jobs(office).opened() as jobs:
        working = asyncio.ensure_future(jobs.work())
        try:
            await serve(office, jobs=jobs, ready=ready)
        finally:
            jobs.stop_runs()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


def _welcome(settings: Settings, token: str) -> str:
    """Without a frame, so that the token and the queries can be copied."""
    address = f"http://{settings.host}:{settings.port}"
    end = clock.now().date()
    period = {"start": end - timedelta(days=DAYS), "end": end}
    queries = "\n\n".join(
        f"# {question}\n{query % period if '%(' in query else query}" for question, query in QUERIES
    )
    return (
        f"Skvoz is up.\n\nGraphQL   {address}/graphql\nGraphiQL  {address}/graphiql\nToken     {token}\n\n"
        f"Three queries to paste into GraphiQL:\n\n{queries}\n\nCtrl-C stops everything."
    )


def _summary(
    settings: Settings, token: str, chosen: list[Chosen], results: list[RunResult], report: CampaignReport
) -> dict[str, Any]:
    return {
        "graphql_url": f"http://{settings.host}:{settings.port}/graphql",
        "token": token,
        "connections": [
            {
                "id": str(each.id),
                "connector": each.connector,
                "title": each.title,
                "state": str(result.state),
                "error": result.error,
                **{name: getattr(result.counts, name) for name in result.counts.__slots__},
            }
            for each, result in zip(chosen, results, strict=True)
        ],
        "campaign_report": as_json(report),
    }


def _write(path: Path | None, facts: dict[str, Any]) -> None:
    if path is not None:
        path.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2, default=str))


def _failed(result: RunResult) -> bool:
    return result.state is not RunState.SUCCEEDED
