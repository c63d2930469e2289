from __future__ import annotations

import pytest

from connectors.aspro_cloud.settings import AsproCloudSettings


@pytest.fixture
def settings() -> AsproCloudSettings:
    return AsproCloudSettings(base_url="https://firm.aspro.cloud", api_key="k3y")
