from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from connectors.bottlecrm.settings import BottleCrmSettings
from connectors.contract import VendorResponse

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def settings() -> BottleCrmSettings:
    return BottleCrmSettings(base_url="https://crm.example.org", access_token="bcrm_pat_x")


@pytest.fixture
def recorded() -> Callable[..., VendorResponse]:
    """A recorded answer."""

    def find(name: str, status: int = 200) -> VendorResponse:
        return VendorResponse(status, httpx.Headers(), (SAMPLES / name).read_bytes())

    return find
