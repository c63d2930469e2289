"""Addresses of systems as users write them in settings."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

_HOST = re.compile(r"[\w-]+(\.[\w-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)
_PATH = re.compile(r"[^\s\\<>\"]*")


def site_of(told: str, like: str, *, domain: bool = False) -> SplitResult:
    """The parts of an address as people paste it, with or without https:// and a page behind it; the host in lower
    case. ``domain``: it stands on the internet, so that its host has a dot. Raises ValueError, which shows what it
    is ``like``."""
    try:
        parts = urlsplit(told if "://" in told else f"https://{told}")
        netloc = parts.netloc.lower()
        _ = parts.port
    except ValueError:
        parts, netloc = SplitResult("", "", "", "", ""), ""
    host = re.sub(r":\d+$", "", netloc)
    fits = _HOST.fullmatch(host) and _PATH.fullmatch(parts.path) and ("." in host or not domain)
    if parts.scheme not in ("http", "https") or not fits:
        raise ValueError(f"it isn't an address. It must look like {like}")
    return parts._replace(netloc=netloc)


def joined(parts: SplitResult, path: str) -> str:
    """The address of a path there, without a slash at its end."""
    return f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}"


def _bare(told: str) -> str:
    if "://" not in told:
        raise ValueError("it begins with https:// and a host, like https://api.example.org")
    parts = site_of(told, "https://api.example.org")
    if parts.query or parts.fragment or "?" in told or "#" in told:
        raise ValueError("it is the bare address, without a question mark or anything behind it")
    return joined(parts, parts.path)


ApiAddress = Annotated[str, AfterValidator(_bare)]
"""The address of a vendor's API, which most users leave as it is."""
