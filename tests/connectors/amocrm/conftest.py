from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.amocrm.settings import AmoCrmSettings

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def settings() -> AmoCrmSettings:
    return AmoCrmSettings(
        base_url="https://firm.amocrm.ru",
        access_token="acc3ss",
        refresh_token="r3fresh",
        client_id="id",
        client_secret="s3cr3t",
        redirect_uri="https://skvoz.example/callback",
    )


@pytest.fixture
def sample() -> Callable[[str], Any]:
    return lambda name: json.loads((SAMPLES / f"{name}.json").read_bytes())
