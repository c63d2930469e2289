"""One small market served to all tests of the sandbox, and a fresh one for those that change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sandbox.server import Sandbox
from sandbox.server import start as start_sandbox

VENDORS = ("calltouch", "yandex_direct")
START = date(2026, 3, 2)
Starter = Callable[..., AbstractContextManager[Sandbox]]


def small(home: Path, **settings: Any) -> AbstractContextManager[Sandbox]:
    """A sandbox of about 300 calls in 60 days without rate limits, unless told otherwise."""
    usual: dict[str, Any] = {"seed": 11, "calls": 300, "days": 60, "start": START, "only": VENDORS, "limits": 0}
    return start_sandbox(home, **(usual | settings))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Shared: a test must not change its rows, and clears the faults that it plans."""
    with small(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """For one test alone."""
    with small(tmp_path) as running:
        yield running


@pytest.fixture
def limited_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """For one test alone, with the vendors' limits as documented."""
    with small(tmp_path, limits=1.0, calls=100) as running:
        yield running
