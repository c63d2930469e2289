"""Where a conversion is counted by the model that the rollups are kept by: last non-direct touch.

All models, this one among them, stand in ``reports.models``; which one answers is chosen for each question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from reports.paths import NIL, Path, Touch
from schema.enums import Channel, Unattributed


@dataclass(frozen=True, slots=True)
class Credit:
    """Where a conversion is counted: a campaign, or the reason why there is none.

    ``position`` counts the credited touch from 1; 0 says that there was no touch. ``channel`` is that of the
    touch where no campaign tells it, else empty. ``reason`` is empty where there is a campaign.
    """

    position: int
    campaign_id: UUID
    reason: str
    channel: str


def last_non_direct(path: Path) -> Credit:
    """The credit by the model that the rollups are kept by."""
    position = _last_non_direct(path.touches)
    if position is None:
        return Credit(0, NIL, _reason_of_no_touch(path), "")
    return _credit_of(path.touches[position], position + 1)


def credit_of_origin(channel: str | None, campaign_id: UUID | None) -> Credit:
    """Where a visit is counted: by its own origin. A visit that names none is direct."""
    campaign_id = campaign_id or NIL
    channel = channel or Channel.DIRECT
    return Credit(1, campaign_id, _reason(channel, campaign_id), "" if campaign_id != NIL else channel)


def _last_non_direct(touches: Sequence[Touch]) -> int | None:
    for position in range(len(touches) - 1, -1, -1):
        if not touches[position].direct:
            return position
    return len(touches) - 1 if touches else None


def _credit_of(touch: Touch, position: int) -> Credit:
    channel = "" if touch.campaign_id != NIL else touch.channel
    return Credit(position, touch.campaign_id, _reason(touch.channel, touch.campaign_id), channel)


def _reason(channel: str, campaign_id: UUID) -> str:
    if campaign_id != NIL:
        return ""
    return Unattributed.DIRECT_ONLY if channel == Channel.DIRECT else Unattributed.NO_CAMPAIGN


def _reason_of_no_touch(path: Path) -> Unattributed:
    if path.client_id is None:
        return Unattributed.NO_CLIENT
    return Unattributed.WINDOW_PASSED if path.had_older_touches else Unattributed.NO_TOUCHES
