"""What is written into Tryton."""

from __future__ import annotations

from connectors.contract import Write
from connectors.tryton.opportunities import OPPORTUNITY_WRITES
from connectors.tryton.parties import PARTY_WRITES
from connectors.tryton.settings import TrytonSettings

WRITES: tuple[Write[TrytonSettings], ...] = (*PARTY_WRITES, *OPPORTUNITY_WRITES)
