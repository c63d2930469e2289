"""Yandex.Direct: the advertising cabinet, API version 501 with its Reports service."""

from sandbox.vendors.contract import Vendor
from sandbox.vendors.yandex_direct.app import app, credentials, expired
from sandbox.vendors.yandex_direct.store import DirectStore

VENDOR = Vendor(
    key="yandex_direct",
    projection=DirectStore,
    app=app,
    credentials=credentials,
    expire_token=lambda _: expired(),
)
