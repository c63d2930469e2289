"""The sound of a call (BEHAVIOR.md [18])."""

from __future__ import annotations

from connectors.calltouch.settings import CalltouchSettings
from connectors.contract import VendorRequest

_PATH = "/calls-service/RestAPI/{site_id}/calls-diary/calls/{call_id}/download"


def recording_of(settings: CalltouchSettings, call_id: str) -> str:
    """Where the recording is; it opens with the connection's token only, which doesn't stand in the address."""
    return settings.base_url.rstrip("/") + _path(settings, call_id)


def ask_recording(settings: CalltouchSettings, call_id: str) -> VendorRequest:
    """The recording itself, MPEG sound. A call that wasn't recorded has none: 404."""
    return VendorRequest(_path(settings, call_id), accept=frozenset({404}))


def _path(settings: CalltouchSettings, call_id: str) -> str:
    return _PATH.format(site_id=settings.site_id, call_id=call_id)
