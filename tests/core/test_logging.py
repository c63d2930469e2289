"""Canaries go in by every door of the logs, and none may come out."""

import asyncio
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Literal

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from core.logging import configure
from core.redaction import redact, redact_text
from core.secrets import Secret

CANARY = "c4n4ryVALUE0123456789"
PHONES = [
    "+7 (912) 345-67-89",
    "+79123456789",
    "8 912 345 67 89",
    "89123456789",
    "8(912)345-67-89",
    "+44 20 7946 0958",
]
EMAIL = "anna.k+crm@example.ru"
SENSITIVE = [
    f"Authorization: Bearer {CANARY}",
    f"authorization: Basic {CANARY}==",
    f"sent headers {{'Authorization': 'OAuth {CANARY}', 'Accept': '*/*'}}",
    f"[(b'authorization', b'Bearer {CANARY}'), (b'cookie', b'sid={CANARY}')]",
    f"Cookie: session={CANARY}; other={CANARY}",
    f"Set-Cookie: sid={CANARY}; HttpOnly",
    f"X-Api-Key: {CANARY}",
    f"GET https://crm.example.ru/rest/1/{CANARY}/crm.deal.list.json",
    f"GET https://crm.example.ru/rest/17/{CANARY}/?start=50",
    f"POST https://skvoz.example.ru/hooks/0f1e2d3c4b5a6978/{CANARY}?x=1",
    f"GET https://api.example.com/v1/calls?access_token={CANARY}&from=2026",
    f'127.0.0.1 - "GET /hooks?key={CANARY} HTTP/1.1" 200',
    f"postgresql://owner:{CANARY}@db/skvoz",
    f'{{"refresh_token": "{CANARY}", "expires_in": 3600}}',
    f"{{'client_secret': '{CANARY}'}}",
    f"password={CANARY}",
    f"api_key: {CANARY}",
    f"our key skv_live_ab12_{CANARY}",
    f"eyJhbGciOiJIUzI1NiJ9.{CANARY}.{CANARY}",
    f"duplicate key\nDETAIL:  Key (full_name)=({CANARY}) already exists.",
    f'CONTEXT:  COPY client, line 3, column name: "{CANARY}"',
    f"new row violates check\nDETAIL:  Failing row contains (1, {CANARY}, null).",
    *(f"a call from {phone}, answered" for phone in PHONES),
    f"a letter to {EMAIL}.",
]
HARMLESS = [
    "2026-11-24T11:50:32.123456Z",
    "2026-11-24 11:50:32+03:00",
    "018f4e5a-7b3c-7d2e-8a1b-79123456789a",
    "fetched 12345 records in 0.25 s, 1000000 bytes",
    "GET https://crm.example.ru/api/v4/leads",
    "sha256:0b5f79123456789e2d",
    "version 18.4, PostgreSQL 150012",
    "order 1234567890 of 4512.50 RUB",
]


def leaks(output: str) -> list[str]:
    return [canary for canary in (CANARY, EMAIL, *PHONES, "9123456789", "345-67-89") if canary in output]


@pytest.mark.parametrize("text", SENSITIVE)
def test_the_look_gives_it_away(text: str) -> None:
    assert leaks(redact_text(text)) == []


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays(text: str) -> None:
    assert redact_text(text) == text


@given(
    st.recursive(
        st.none() | st.text() | st.integers() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_anything_can_be_redacted(value: object) -> None:
    redact(value)


@given(st.sampled_from(PHONES), st.text(st.characters(exclude_categories=["L", "N", "C", "P", "S"])), st.booleans())
def test_phones_among_blanks(phone: str, around: str, pair: bool) -> None:
    value = f"x {around}{phone}{around} y"
    assert phone not in str(redact([value, value] if pair else {"note": value}))


def test_names_give_it_away_at_any_depth() -> None:
    event = {
        "headers": [("Authorization", CANARY), (b"x-api-key", CANARY.encode())],
        "config": {"nested": [{"accessToken": CANARY, "webhook_url": CANARY, "portal": "crm.example.ru"}]},
        "phone": 79123456789,
        "caller": 79123456789,
        "count": 42,
    }
    hidden = redact(event)
    assert leaks(str(hidden)) == []
    assert hidden["count"] == 42
    assert hidden["config"]["nested"][0]["portal"] == "crm.example.ru"


@pytest.fixture(params=["console", "json"])
def style(request: pytest.FixtureRequest) -> Iterator[Literal["console", "json"]]:
    """Logging set up in this style; afterwards everything is as it was."""
    root = logging.getLogger()
    former = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    loggers = {
        name: (logger.handlers[:], logger.propagate, logger.level)
        for name, logger in root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }
    configure("debug", request.param)
    yield request.param
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:], root.level, sys.excepthook, threading.excepthook = former
    for name, (handlers, propagate, level) in loggers.items():
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate, logger.level = handlers, propagate, level


class Clumsy:
    """An object whose repr tells too much."""

    def __repr__(self) -> str:
        return f"Clumsy(token={CANARY!r}, email={EMAIL})"


def fail(local: str) -> None:
    held = local + " " + CANARY
    raise RuntimeError(f"password={CANARY} was refused for {EMAIL}" + held[:0])


def test_every_door(style: str, capfd: pytest.CaptureFixture[str]) -> None:
    plain, structured = logging.getLogger("a.library"), structlog.get_logger("skvoz.sync")
    for text in SENSITIVE:
        plain.info(text)
        plain.info("%s", text)
        structured.info(text)
        structured.warning("An event", text=text, nested={"deep": [text]})
        plain.info("An event", extra={"seen": text})
    structured.info("An event", token=CANARY, object=Clumsy(), secret=Secret(CANARY))
    structured.bind(authorization=CANARY).info("Bound")
    plain.error("%r", Clumsy())
    with structlog.contextvars.bound_contextvars(api_key=CANARY):
        structured.info("In a context")
    try:
        fail("not shown")
    except RuntimeError as error:
        plain.exception("Failed")
        structured.exception("Failed")
        structured.error("Failed", exc_info=error)
        sys.excepthook(type(error), error, error.__traceback__)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"token={CANARY}", UserWarning, stacklevel=1)
    output = capfd.readouterr()
    assert output.out == ""
    assert leaks(output.err) == []
    assert output.err.count("RuntimeError") >= 4
    assert "held =" not in output.err
    assert "[hidden]" in output.err
    if style == "json":
        lines = [json.loads(line) for line in output.err.splitlines()]
        assert {"event", "level", "timestamp", "logger"} <= lines[0].keys()


async def test_http_libraries_stay_silent_about_addresses(style: str, capfd: pytest.CaptureFixture[str]) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        await client.get("https://crm.example.ru/path-that-is-a-key", params={"auth": CANARY})
    assert "path-that-is-a-key" not in capfd.readouterr().err
    assert style


@pytest.mark.usefixtures("style")
async def test_tasks_and_threads(capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": f"token={CANARY}", "exception": ValueError(CANARY[:2])}
    )
    raised = ValueError(f"password={CANARY}")
    threading.excepthook(threading.ExceptHookArgs((ValueError, raised, None, None)))
    output = capfd.readouterr().err
    assert leaks(output) == []
    assert output.count("ValueError") >= 2


@pytest.mark.usefixtures("style")
def test_a_library_that_brought_a_handler_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("uvicorn.access")
    logger.addHandler(logging.StreamHandler(sys.stdout))
    logger.propagate = False
    configure("info", "json")
    logger.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:5", "GET", f"/graphql?token={CANARY}", "1.1", 200)
    output = capfd.readouterr()
    assert leaks(output.out + output.err) == []
    assert "/graphql?[hidden]" in output.err


class Broken:
    def __str__(self) -> str:
        raise RuntimeError(f"password={CANARY}")

    __repr__ = __str__


@pytest.mark.usefixtures("style")
def test_a_record_that_cannot_be_printed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)  # for pytest's own handler
    logging.getLogger("a.library").error(f"token={CANARY} %d", CANARY)
    structlog.get_logger("a.library").error("An event", value=Broken())
    structlog.get_logger("a.library").error("The next event")
    output = capfd.readouterr().err
    assert leaks(output) == []
    assert output.count("couldn't be formatted") == 2
    assert "The next event" in output


def test_an_uncaught_exception_ends_the_process_and_tells_nothing() -> None:
    program = (
        "from core.logging import configure; configure('info', 'json')\n"
        f"local = '{CANARY}'\n"
        f"raise RuntimeError('password=' + local)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Uncaught exception" in done.stderr
    assert leaks(done.stdout + done.stderr) == []
