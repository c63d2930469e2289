"""Where a vendor's app is mounted, as its clients see it."""

from __future__ import annotations

from starlette.requests import Request


def mount_url(request: Request) -> str:
    """The absolute address of the mount, without a slash at its end, e.g. ``http://127.0.0.1:8800/amocrm``."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '').rstrip('/')}"
