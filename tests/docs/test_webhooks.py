"""The examples of docs/webhooks.md check signatures as Skvoz makes them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.secrets import Secret
from sync.webhooks_out import sign
from tests.api.nodejs import installed_node

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
BODY = b'{"id":"c0ffee","event":"call.created"}'
AT = 1767225600
KEY = "whsec_documentation_example"
HEADER = "t=1767225600,v1=71d05b6ebfb560758d27b4aa89635edfd8a3dc84868656ef49f7059a0311e8d0"
MARK = HEADER.partition("v1=")[2]

CASES: list[tuple[str, bytes, int, bool]] = [
    (HEADER, BODY, AT, True),
    (HEADER, BODY, AT + 299, True),
    (HEADER, BODY, AT + 301, False),
    (HEADER, BODY, AT - 301, False),
    (HEADER, BODY + b" ", AT, False),
    (HEADER.replace("t=1767225600", "t=1767225601"), BODY, AT, False),
    (f"t={AT},v1={'0' * 64}", BODY, AT, False),
    (f"t={AT},v1={'0' * 64},v1={MARK}", BODY, AT, True),
    (f"t={AT},v0={MARK}", BODY, AT, False),
    (f"t={AT},v1=", BODY, AT, False),
    (f"v1={MARK}", BODY, AT, False),
    ("", BODY, AT, False),
    ("t=now,v1=zz", BODY, AT, False),
    (f"t={AT},v1=ключ", BODY, AT, False),
]


def example(language: str, holds: str) -> str:
    """The one block of code of that language that holds a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    (found,) = [block for block in blocks if holds in block]
    return str(found)


def test_the_page_states_what_is_sent() -> None:
    assert sign(BODY, AT, [Secret(KEY)]) == HEADER
    for stated in (HEADER, KEY, BODY.decode(), str(AT)):
        assert stated in PAGE


def test_two_secrets_give_two_marks() -> None:
    both = sign(BODY, AT, [Secret("whsec_other"), Secret(KEY)])
    assert both.count("v1=") == 2
    assert both.endswith(MARK)


@pytest.mark.parametrize(("header", "body", "now", "good"), CASES)
def test_the_python_example(header: str, body: bytes, now: int, good: bool) -> None:
    names: dict[str, Any] = {}
    exec(example("python", "is_from_skvoz"), names)  # noqa: S102 - our own page
    check: Callable[..., bool] = names["is_from_skvoz"]
    assert check(KEY, header, body, now) is good
    assert check("whsec_other", header, body, now) is False


def test_the_javascript_example(tmp_path: Path) -> None:
    cases = json.dumps([[header, body.decode(), now] for header, body, now, _ in CASES])
    program = (
        example("js", "isFromSkvoz")
        + f"console.log(JSON.stringify({cases}.map(([h, b, n]) => isFromSkvoz({KEY!r}, h, Buffer.from(b), n))));"
    )
    (tmp_path / "check.mjs").write_text(program, encoding="utf-8")
    said = subprocess.run(
        [installed_node().executable, tmp_path / "check.mjs"], capture_output=True, check=True, timeout=30
    )
    assert json.loads(said.stdout) == [good for *_, good in CASES]
