"""The life of a connection: settings refused in plain words, secrets sealed, removal without a trace."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.server import Sandbox
from schema.enums import ConnectionState
from sync.connections import (
    check_connection,
    create_connection,
    open_connection,
    pause,
    remove_connection,
    resume,
    update_connection,
)
from sync.errors import NotFound, SettingsRefused
from tests.sync.conftest import VENDORS, Bench

SECRETS = {
    "calltouch": ("token",),
    "bitrix24": ("webhook_url",),
    "amocrm": ("client_secret", "access_token", "refresh_token"),
    "yandex_direct": ("token",),
}


def settings_of(sandbox: Sandbox, vendor: str) -> dict[str, Any]:
    return dict(sandbox.credentials[vendor])


@pytest.mark.parametrize("vendor", VENDORS)
async def test_secrets_are_nowhere_in_the_database(bench: Bench, market: Sandbox, vendor: str) -> None:
    values = settings_of(market, vendor)
    connection = await bench.connect(market, vendor)
    stored = str(await bench.rows("select * from connection"))
    for name in SECRETS[vendor]:
        assert values[name] not in stored
    opened = await open_connection(bench.office, bench.workspace, connection)
    for name in SECRETS[vendor]:
        assert getattr(opened.settings, name).get_secret_value()
        assert getattr(opened.settings, name).get_secret_value() not in repr(opened)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_wrong_secret_is_told_in_a_sentence_and_nothing_is_stored(
    bench: Bench, market: Sandbox, vendor: str
) -> None:
    values = settings_of(market, vendor)
    if vendor == "bitrix24":
        values["webhook_url"] = values["webhook_url"].rstrip("/")[:-3] + "xyz/"
    elif vendor == "amocrm":
        values |= {"access_token": "wrong", "refresh_token": "wrong"}
    else:
        values["token"] = "wrong"
    with pytest.raises(SettingsRefused) as refused:
        await create_connection(bench.office, bench.workspace, vendor, None, values)
    sentences = [problem.sentence for problem in refused.value.problems]
    assert all(sentence.endswith((".", "!")) and len(sentence) > 20 for sentence in sentences), sentences
    assert "wrong" not in " ".join(sentences).replace("wrong with", "")
    assert await bench.value("select count(*) from connection") == 0


def consented(told: dict[str, Any]) -> str:
    """The code that the account's owner gets by consenting."""
    return str(httpx.post(f"{told['base_url']}/_authorize").json()["code"])


async def test_a_consents_code_becomes_tokens_and_is_forgotten(bench: Bench, market: Sandbox) -> None:
    told = settings_of(market, "amocrm")
    keys = ("base_url", "client_id", "client_secret", "redirect_uri")
    values = {name: told[name] for name in keys} | {"authorization_code": consented(told)}
    connection, _ = await create_connection(bench.office, bench.workspace, "amocrm", None, values)
    settings: Any = (await open_connection(bench.office, bench.workspace, connection)).settings
    assert (settings.authorization_code, settings.refresh_token is None) == (None, False)
    assert (await check_connection(bench.office, bench.workspace, connection)).ok
    with pytest.raises(SettingsRefused) as refused:  # it works once
        await create_connection(bench.office, bench.workspace, "amocrm", None, values)
    assert "Give the consent again." in refused.value.problems[0].sentence
    again = {"authorization_code": consented(told)}
    await update_connection(bench.office, bench.workspace, connection, values=again)
    renewed: Any = (await open_connection(bench.office, bench.workspace, connection)).settings
    assert renewed.access_token != settings.access_token
    for lacking in ({"client_secret": None}, {"authorization_code": None}):
        with pytest.raises(SettingsRefused):
            await create_connection(bench.office, bench.workspace, "amocrm", None, values | lacking)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_each_missing_or_unknown_setting_is_named(bench: Bench, vendor: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        await create_connection(bench.office, bench.workspace, vendor, None, {"nonsense": "1"})
    named = {problem.field for problem in refused.value.problems}
    assert "nonsense" in named
    assert len(named) > 1
    for problem in refused.value.problems:
        assert problem.sentence.endswith(".")


async def test_an_unreachable_or_private_address_is_refused(bench: Bench, market: Sandbox) -> None:
    values = settings_of(market, "calltouch")
    for address in ("http://10.0.0.1:1", "https://169.254.169.254/", "http://[::1]:9/"):
        with pytest.raises(SettingsRefused) as refused:
            await create_connection(
                bench.office, bench.workspace, "calltouch", None, values | {"base_url": address}
            )
        assert refused.value.problems


async def test_a_connector_that_does_not_exist(bench: Bench) -> None:
    with pytest.raises(SettingsRefused, match="There is no connector 'fax'"):
        await create_connection(bench.office, bench.workspace, "fax", None, {})


async def test_changes_are_checked_and_keep_the_secrets_that_are_not_given(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    with pytest.raises(SettingsRefused):
        await update_connection(bench.office, bench.workspace, connection, values={"site_id": "999999"})
    health = await update_connection(
        bench.office, bench.workspace, connection, title="Main site", values={"reread_days": 5}
    )
    assert health is not None
    assert health.ok
    opened = await open_connection(bench.office, bench.workspace, connection)
    assert (opened.title, opened.settings.model_dump()["reread_days"]) == ("Main site", 5)
    assert (await check_connection(bench.office, bench.workspace, connection)).ok
    with pytest.raises(SettingsRefused, match="once a minute"):
        await update_connection(bench.office, bench.workspace, connection, interval_seconds=5)


async def test_a_paused_connection_is_not_read(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    await pause(bench.office, bench.workspace, connection)
    with pytest.raises(NotFound, match="paused"):
        await bench.sync(connection)
    await resume(bench.office, bench.workspace, connection)
    assert await bench.value("select state from connection") == ConnectionState.ACTIVE
    await bench.sync(connection)


async def test_removal_with_data_leaves_the_others_as_if_it_had_never_been(
    bench: Bench, market: Sandbox, connection_ids: Any
) -> None:
    connection_ids("bitrix24")
    await bench.sync(await bench.connect(market, "bitrix24"))
    alone = await bench.state()
    connection_ids("calltouch")
    other = await bench.connect(market, "calltouch")
    await bench.sync(other)

    await remove_connection(bench.office, bench.workspace, other, with_data=True)
    await bench.settle()

    assert await bench.unsettled() == []
    now = await bench.state()
    for name in alone:
        if name != "campaign":  # a campaign that was once named stays, with nothing in it
            assert now[name] == alone[name], name
    assert await bench.value("select count(*) from connection") == 1
    assert await bench.value("select count(*) from sync_run where connection_id = :id", id=other) == 0


async def test_removal_without_data_keeps_what_was_read(bench: Bench, market: Sandbox) -> None:
    connection = await bench.connect(market, "calltouch")
    await bench.sync(connection)
    calls = await bench.value("select count(*) from call")
    await remove_connection(bench.office, bench.workspace, connection)
    assert await bench.value("select count(*) from call") == calls
    with pytest.raises(NotFound):
        await open_connection(bench.office, bench.workspace, connection)
