"""What every connector must keep, whoever wrote it. A new folder in ``connectors`` is tested as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
import types
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

import connectors
from connectors.contract import Connector, ConnectorSettings, Stream
from connectors.registry import all_connectors
from schema.enums import RecordKind

ROOM = Path(connectors.__path__[0])
SDL_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
SECRET_NAME = re.compile(r"token|secret|password|api_key|webhook_url|private_key")
SECTIONS = ("auth", "paging", "cursor", "limits", "deletes")
SOURCED = re.compile(r"\b20\d\d-\d\d-\d\d\b")

every_connector = pytest.mark.parametrize("connector", all_connectors().values(), ids=lambda each: each.key)
every_stream = pytest.mark.parametrize(
    "stream",
    [
        pytest.param(stream, id=f"{connector.key}.{stream.name}")
        for connector in all_connectors().values()
        for stream in connector.streams
    ],
)


def fields_of(connector: Connector[Any]) -> dict[str, FieldInfo]:
    return dict(connector.settings.model_fields)


def holds_secret(annotation: Any) -> bool:
    """Whether the type is SecretStr, or a choice of it and nothing."""
    if annotation is SecretStr:
        return True
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return SecretStr in typing.get_args(annotation)
    return False


def test_every_folder_of_the_room_is_a_connector() -> None:
    folders = {path.parent.name for path in ROOM.glob("*/__init__.py")}
    assert set(all_connectors()) == folders


def test_connectors_are_imported_without_network_or_database() -> None:
    script = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a connector opened a socket')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from connectors.registry import all_connectors\n"
        "assert all_connectors()\n"
        "print(*(m for m in ('sqlalchemy', 'psycopg', 'procrastinate', 'strawberry') if m in sys.modules))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOM.parent
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == []


@every_connector
def test_names_fit_the_public_schema(connector: Connector[Any]) -> None:
    for name in (connector.key, *(stream.name for stream in connector.streams), *fields_of(connector)):
        assert SDL_NAME.fullmatch(name), name
    assert (ROOM / connector.key).is_dir()


@every_connector
def test_a_connector_tells_what_it_is(connector: Connector[Any]) -> None:
    assert connector.title.strip()
    assert connector.description.strip()
    assert connector.docs_url.startswith("https://")
    assert connector.concurrency >= 1
    for limit in connector.limits:
        assert limit.requests >= 1
        assert limit.seconds > 0
        assert limit.source.strip(), "a limit must say where the vendor states it"


@every_connector
def test_settings_can_be_asked_for(connector: Connector[Any]) -> None:
    assert issubclass(connector.settings, ConnectorSettings)
    for name, field in fields_of(connector).items():
        assert field.title, f"{name} has no title"
        assert field.description, f"{name} has no description"
        assert field.description.rstrip().endswith((".", ")", "/")), f"{name}'s description is no sentence"
    schema = connector.settings.model_json_schema()
    assert schema["additionalProperties"] is False


@every_connector
def test_secrets_are_kept_as_secrets(connector: Connector[Any]) -> None:
    fields = fields_of(connector)
    named = {name for name in fields if SECRET_NAME.search(name)}
    secret = {name for name, field in fields.items() if holds_secret(field.annotation)}
    assert named <= secret, f"not SecretStr: {sorted(named - secret)}"
    assert secret, "a connector without any secret can't be right"


@every_connector
def test_streams_have_names_of_their_own(connector: Connector[Any]) -> None:
    names = [stream.name for stream in connector.streams]
    assert names
    assert len(names) == len(set(names))
    for stream in connector.streams:
        assert connector.stream(stream.name) is stream
    with pytest.raises(KeyError):
        connector.stream("no_such_stream")


@every_stream
def test_a_stream_tells_what_it_makes(stream: Stream[Any]) -> None:
    assert stream.title.strip()
    assert stream.makes
    assert all(isinstance(kind, RecordKind) for kind in stream.makes)
    assert len(stream.makes) == len(set(stream.makes))


@every_connector
def test_facts_about_the_vendor_are_written_down(connector: Connector[Any]) -> None:
    page = (ROOM / connector.key / "BEHAVIOR.md").read_text()
    headings = [line.lstrip("#").strip().casefold() for line in page.splitlines() if line.startswith("#")]
    for section in SECTIONS:
        assert any(section in heading for heading in headings), f"BEHAVIOR.md has no section on {section}"
    assert SOURCED.search(page), "BEHAVIOR.md must say on which day the facts were checked"


@every_connector
def test_code_refers_to_facts_that_exist(connector: Connector[Any]) -> None:
    folder = ROOM / connector.key
    page = (folder / "BEHAVIOR.md").read_text()
    numbered = set(re.findall(r"^\s*(?:\|\s*|#+\s*|-\s*)?\[?(\d+)\]?[.)|\s]", page, re.MULTILINE))
    for path in folder.glob("*.py"):
        for comment in re.findall(r"(?:#|BEHAVIOR\.md)[^\"\n]*", path.read_text()):
            for number in re.findall(r"\[(\d+)\]", comment):
                assert number in numbered, f"{path.name} refers to fact [{number}], which BEHAVIOR.md lacks"
