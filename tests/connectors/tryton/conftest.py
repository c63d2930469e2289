from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.tryton.settings import TrytonSettings

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def settings() -> TrytonSettings:
    return TrytonSettings(base_url="https://tryton.example.org", database="firm", api_key="k3y", employee=1)


@pytest.fixture
def sample() -> Callable[[str, int], bytes]:
    """A record of a recorded list, by its number there, as the bytes that it came in."""

    def find(name: str, id: int) -> bytes:
        rows: list[dict[str, Any]] = msgspec.json.decode((SAMPLES / name).read_bytes())
        return msgspec.json.encode(next(row for row in rows if row["id"] == id))

    return find
