from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.bitrix24.settings import Bitrix24Settings

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def settings() -> Bitrix24Settings:
    return Bitrix24Settings(webhook_url="https://firm.bitrix24.ru/rest/1/s3cr3tc0de/")


@pytest.fixture
def sample() -> Callable[[str], Any]:
    return lambda name: json.loads((SAMPLES / f"{name}.json").read_bytes())
