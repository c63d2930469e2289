"""Where a conversion is counted by the model that the rollups are kept by: last non-direct touch.

All models, this one among them, stand in ``reports.models``; which one answers is chosen for each question.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from reports.columns import numbered
from reports.known import NIL, have_campaigns
from reports.paths import Paths
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


def credits_of(paths: Paths) -> list[Credit]:
    """Where each of these is counted by the model that the rollups are kept by."""
    touched = paths.credited >= 0
    chosen = paths.touches.only((paths.starts[:-1] + paths.credited)[touched])
    distinct, campaigns = numbered(chosen.campaigns)
    names = [UUID(bytes=id.tobytes()) for id in distinct]
    found = iter(zip(chosen.channels.tolist(), campaigns.tolist(), strict=True))
    known = have_campaigns(paths.clients).tolist()
    counted = []
    for position, client, older in zip(
        paths.credited.tolist(), known, paths.had_older_touches.tolist(), strict=True
    ):
        if position < 0:
            counted.append(Credit(0, NIL, _reason_of_no_touch(has_client=client, older=older), ""))
            continue
        number, campaign = next(found)
        channel, campaign_id = paths.words[number], names[campaign]
        shown = "" if campaign_id != NIL else channel
        counted.append(Credit(position + 1, campaign_id, _reason(channel, campaign_id), shown))
    return counted


def credit_of_origin(channel: str | None, campaign_id: UUID | None) -> Credit:
    """Where a visit is counted: by its own origin. A visit that names none is direct."""
    campaign_id = campaign_id or NIL
    channel = channel or Channel.DIRECT
    return Credit(1, campaign_id, _reason(channel, campaign_id), "" if campaign_id != NIL else channel)


def _reason(channel: str, campaign_id: UUID) -> str:
    if campaign_id != NIL:
        return ""
    return Unattributed.DIRECT_ONLY if channel == Channel.DIRECT else Unattributed.NO_CAMPAIGN


def _reason_of_no_touch(*, has_client: bool, older: bool) -> str:
    if not has_client:
        return Unattributed.NO_CLIENT
    return Unattributed.WINDOW_PASSED if older else Unattributed.NO_TOUCHES
