from __future__ import annotations

from pathlib import Path

import pytest

from connectors.advantshop.settings import AdvantshopSettings

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


@pytest.fixture
def settings() -> AdvantshopSettings:
    return AdvantshopSettings(base_url="https://shop.example", api_key="k3y", timezone="Europe/Samara")
