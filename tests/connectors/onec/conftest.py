from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.onec.settings import OneCSettings

SAMPLES = Path(__file__).parent / "samples"
GIVEN = {"base_url": "https://srv/ut", "login": "Сквозь", "password": "p4ss", "timezone": "Europe/Moscow"}


@pytest.fixture
def settings() -> OneCSettings:
    return OneCSettings(**GIVEN)


@pytest.fixture
def crm() -> OneCSettings:
    return OneCSettings(**GIVEN, profile="crm3")


@pytest.fixture
def row() -> Callable[[str], bytes]:
    """The first row of a sample's list, as it stands there."""

    def first(name: str) -> bytes:
        return json.dumps(json.loads((SAMPLES / f"{name}.json").read_bytes())["value"][0]).encode()

    return first


def body(**values: Any) -> bytes:
    standard = {
        "Ref_Key": "8d04ce3c-6360-11e9-dd92-fa163e8ba11d",
        "DataVersion": "AAAAAQAAAAA=",
        "DeletionMark": False,
    }
    return json.dumps(standard | values).encode()
