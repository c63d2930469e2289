"""Tryton, the open-source business software. What is known of its API stands in BEHAVIOR.md."""

from __future__ import annotations

from connectors.contract import Connector, RateLimit
from connectors.tryton.check import check
from connectors.tryton.errors import error_of
from connectors.tryton.reads import STREAMS
from connectors.tryton.settings import TrytonSettings, account, auth, base_url
from connectors.tryton.writes import WRITES

CONNECTOR = Connector(
    key="tryton",
    title="Tryton",
    description="Open-source business software: parties, sale opportunities with campaigns and states, employees.",
    docs_url="https://docs.tryton.org/",
    settings=TrytonSettings,
    streams=STREAMS,
    base_url=base_url,
    account=account,
    check=check,
    auth=auth,
    error_of=error_of,
    limits=(
        RateLimit(requests=20, seconds=1.0, source="ours: Tryton has no limit, and the server is the user's own"),
    ),
    writes=WRITES,
    verified_by="live",
)
