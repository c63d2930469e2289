"""How connections stand, what is measured of them, and what is told to a maintainer."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from api.app import create_metrics_app
from api.command.diagnose import command as diagnose_command
from api.command.diagnose import write
from api.command.screen import duration
from api.command.status import command as status_command
from api.command.status import show
from api.command.sync import seconds_left
from core.settings import Settings
from sandbox.server import Sandbox
from schema.enums import RunState
from sync.diagnosis import diagnose, own_words
from sync.metrics import exposition
from sync.status import Status, workspace_status
from tests.conftest import MASTER_KEY
from tests.sync.conftest import Bench


async def status_of(bench: Bench) -> Status:
    return await workspace_status(bench.office.database, bench.workspace)


def shown(status: Status, width: int = 80) -> str:
    console = Console(width=width, record=True, force_terminal=True, file=io.StringIO())
    show(console, status)
    return console.export_text()


async def waiting_change(bench: Bench, connection: Any, state: str, age: str) -> None:
    await bench.rows(
        "insert into outbox (workspace_id, id, connection_id, write, key, order_key, cause_kind, cause_id,"
        " cause_at, payload, state, reason, created_at) select :ws, gen_random_uuid(), :connection, 'lead.create',"
        " gen_random_uuid()::text, gen_random_uuid()::text, 'call', gen_random_uuid(), now(), '{}', :state,"
        " 'Марфа Кукушкина is there already.', now() - cast(:age as interval) returning 1",
        ws=bench.workspace,
        connection=connection,
        state=state,
        age=timedelta(hours=int(age)),
    )


async def test_status_says_of_everything_how_it_stands(bench: Bench, small_market: Sandbox) -> None:
    assert "Nothing is connected yet" in shown(await status_of(bench))
    calltouch = await bench.connect(small_market, "calltouch")
    portal = await bench.connect(small_market, "bitrix24")
    (first, second) = (await status_of(bench)).connections
    assert first.sentence == second.sentence == "Connected; nothing is synced yet."
    assert {stream.lag_seconds for stream in (*first.streams, *second.streams)} == {None}

    result = await bench.sync(calltouch)
    await waiting_change(bench, portal, "pending", "3")
    await waiting_change(bench, portal, "failed", "5")
    await bench.rows(
        "insert into breaker (workspace_id, account, failures, failing_since, reason, opened_at, next_try_at)"
        " select workspace_id, account, 7, now(), 'Bitrix24 is not available.', now() - interval '2 min',"
        " now() + interval '1 hour' from connection where id = :portal returning 1",
        portal=portal,
    )
    status = await status_of(bench)

    (first, second) = status.connections
    assert first.sentence == "Everything is in order."
    assert first.last_run is not None
    assert first.last_run.fetched == result.counts.fetched > 0
    assert sum(stream.created or 0 for stream in first.streams) == result.counts.created
    assert all(stream.lag_seconds is not None and not stream.reading for stream in first.streams)
    assert first.budgets
    assert sum(each.used for each in first.budgets) >= first.last_run.requests
    assert second.sentence.startswith("Bitrix24 is not available. It is left in peace until ")
    assert second.breaker is not None
    assert second.breaker.failures == 7
    assert (second.outbox.waiting, second.outbox.parked) == (1, 1)
    assert second.outbox.oldest_at is not None
    assert status.at - second.outbox.oldest_at >= timedelta(hours=3)
    assert second.next_run_at == second.breaker.next_try_at

    text = shown(status)
    assert max(map(len, text.splitlines())) <= 80
    assert "behind" in text  # the market's days are long past
    for part in ("outbox 1 waiting for 3 h, 1 parked", "out of reach", "never", "No worker is running"):
        assert part in " ".join(text.split()), text


async def test_a_long_reading_tells_how_long_it_still_takes(bench: Bench, small_market: Sandbox) -> None:
    connection = await bench.connect(small_market, "calltouch")
    await bench.sync(connection)
    await bench.rows("update stream_state set position = '{}' where stream = 'calls' returning 1")
    await bench.rows(
        "update stream_run set finished_at = null, done = 0.25, started_at = now() - interval '5 min'"
        " where stream = 'calls' returning 1"
    )
    (one,) = (await status_of(bench)).connections
    calls = next(stream for stream in one.streams if stream.name == "calls")
    assert calls.seconds_left is not None
    assert 890 < calls.seconds_left < 910  # a quarter took five minutes
    assert "reading 25%, about 15 min left" in " ".join(shown(await status_of(bench), width=140).split())


def test_an_estimate_counts_from_where_the_run_began() -> None:
    assert seconds_left(60, 0.5, 0.6) == pytest.approx(240)
    assert seconds_left(1, 0.0, 0.6) is None
    assert seconds_left(60, 0.6, 0.6) is None
    assert (duration(59), duration(60), duration(7300), duration(200_000)) == ("59 s", "1 min", "2 h", "2 d")


async def test_prometheus_is_told_of_all_workspaces(bench: Bench, small_market: Sandbox) -> None:
    connection = await bench.connect(small_market, "calltouch")
    assert (await bench.sync(connection)).state is RunState.SUCCEEDED
    await waiting_change(bench, connection, "pending", "3")
    await bench.rows(
        "update stream_state set fresh_until = now() - interval '1000 s' where stream = 'calls' returning 1"
    )
    told = (await exposition(bench.office.database)).decode()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }
    assert samples["skvoz_database_up",] == 1
    assert samples["skvoz_connections", "calltouch", "active"] == 1
    assert 1000 <= samples["skvoz_stream_lag_seconds", "calltouch", "calls"] < 1100
    assert samples["skvoz_outbox_waiting", "calltouch"] == 1
    assert samples["skvoz_outbox_oldest_age_seconds", "calltouch"] >= 3 * 3600
    assert samples["skvoz_sync_runs_total", "calltouch", "succeeded"] >= 1
    assert samples["skvoz_sync_records_total", "calltouch", "created", "calls"] > 0
    assert samples["skvoz_vendor_request_seconds_count", "calltouch", "ok"] >= 1


async def test_a_worker_answers_prometheus_and_balancers(bench: Bench, settings: Settings) -> None:
    transport = httpx.ASGITransport(app=create_metrics_app(bench.office))
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as http:
        assert (await http.get("/healthz")).json()["status"] == "ok"
        metrics = await http.get("/metrics")
        assert (metrics.status_code, "skvoz_database_up 1.0" in metrics.text) == (200, True)
        assert (await http.get("/graphql")).status_code == 404


async def test_a_run_can_be_followed_and_says_nothing_of_whom_it_read(
    bench: Bench, small_market: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    connection = await bench.connect(small_market, "bitrix24")  # its address is a secret
    exporter.clear()
    result = await bench.sync(connection)

    spans = exporter.get_finished_spans()
    (run,) = [each for each in spans if each.name == "sync.run"]
    assert dict(run.attributes or {}) == {
        "skvoz.connector": "bitrix24",
        "skvoz.trigger": "command",
        "skvoz.run": str(result.run_id),
        "skvoz.connection": str(connection),
        "skvoz.state": "succeeded",
        "skvoz.fetched": result.counts.fetched,
    }
    inside = [each for each in spans if each is not run]
    assert {each.name for each in inside} == {"vendor.request", "sync.page"}
    assert {each.context.trace_id for each in spans} == {run.context.trace_id}
    read = [(each.attributes or {})["skvoz.records"] for each in inside if each.name == "sync.page"]
    assert sum(int(str(number)) for number in read) == result.counts.fetched
    told = {name for each in inside for name in (each.attributes or {})}
    assert told == {f"skvoz.{name}" for name in ("connector", "method", "status", "stream", "records")}


CANARIES = (
    *("Кукушкина", "Марфа", "marfa.k@example.org", "+79031234567", "9031234567", "8 903 123-45-67"),
    *("kanarienvogel", "tok_CANARY_5f2c", "CANARYSECRET", "Ведомство"),
)


async def test_a_diagnosis_holds_no_secret_and_nobodys_data(
    bench: Bench, small_market: Sandbox, tmp_path: Path
) -> None:
    planted = "Марфа Кукушкина marfa.k@example.org +79031234567 8 903 123-45-67 token=tok_CANARY_5f2c kanarienvogel"
    connection = await bench.connect(small_market, "calltouch")
    await bench.sync(connection)
    await waiting_change(bench, connection, "failed", "1")
    secret = small_market.credentials["calltouch"]["token"]
    for statement in (
        "update connection set title = :planted, account_name = 'Ведомство', account = 'calltouch:' || :planted,"
        " state = 'broken_settings', state_reason = :planted",
        "update sync_run set error = 'The vendor is not available: ' || :planted, error_code = 'TRANSIENT',"
        " warnings = array[:planted]",
        "update stream_state set error = :planted, position = jsonb_build_object('next', cast(:planted as text))",
        "insert into breaker (workspace_id, account, failures, failing_since, reason, opened_at, next_try_at)"
        " select workspace_id, account, 3, now(), :planted, now(), now() from connection",
        "insert into quarantine (workspace_id, connection_id, stream, external_id, hash, raw, reason, first_at,"
        " last_at) select workspace_id, id, 'calls', :planted, '', '', :planted, now(), now() from connection",
    ):
        await bench.rows(f"{statement} returning 1", planted=planted)
    url, master_key = bench.office.settings.database_url, bench.office.settings.master_key
    assert url is not None
    assert master_key is not None
    office = replace(
        bench.office,
        settings=bench.office.settings.model_copy(update={"public_url": "https://kanarienvogel.example.org"}),
    )
    archive = tmp_path / "diagnosis.zip"
    write(archive, await diagnose(office, [f"2026-03-01 12:00 [error] run.broke {planted} retry in 12 s"]))

    with zipfile.ZipFile(archive) as opened:
        texts = {name: opened.read(name).decode() for name in opened.namelist()}
    whole = "\n".join(texts.values())
    for canary in (*CANARIES, secret, master_key.get_secret_value(), url.get_secret_value()):
        assert canary not in whole, canary
    # And yet it tells what a maintainer asks for.
    assert {"about.json", "settings.json", "server.json", "jobs.json", "workspaces.json", "log.txt"} <= set(texts)
    for told in ("The vendor is not available", "TRANSIENT", "broken_settings", str(connection), '"calls"'):
        assert told in texts["workspaces.json"], told
    assert "run.broke" in texts["log.txt"]
    assert '"sync_run"' in texts["server.json"]
    assert '"public_url": "set"' in texts["settings.json"]


def test_both_commands_are_of_use_before_anything_is_connected(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert settings.database_url is not None
    monkeypatch.setenv("SKVOZ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("SKVOZ_MASTER_KEY", MASTER_KEY)
    run = CliRunner()
    shown = run.invoke(status_command, catch_exceptions=False)
    told = " ".join(shown.output.split())  # where it breaks a line depends on the terminal
    assert (shown.exit_code, "`skvoz connect` does it" in told) == (0, True), told
    listed = run.invoke(status_command, ["--json"], catch_exceptions=False)
    assert json.loads(listed.output)["connections"] == []
    log = tmp_path / "skvoz.log"
    log.write_text("[error] run.broke Кукушкина", encoding="utf-8")
    archive = tmp_path / "diagnosis.zip"
    made = run.invoke(diagnose_command, ["--output", str(archive), "--log", str(log)], catch_exceptions=False)
    assert "about, settings, server, jobs, workspaces, log" in made.output
    with zipfile.ZipFile(archive) as opened:
        assert opened.read("log.txt").decode() == "[error] run.broke …"


def test_only_words_of_our_own_are_kept() -> None:
    told = own_words(
        "Bitrix24 is not available at the moment (HTTP 502): Марфа, 79031234567, S3cr3tW0rd, +7 903 1234567"
    )
    assert told.startswith("… is not available at the moment (HTTP 502)")
    for word in ("Марфа", "903", "S3cr3tW0rd"):
        assert word not in told
