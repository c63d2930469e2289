"""Calltouch: the call tracker. It sees visits of the site, calls to its tracked numbers and forms."""

from sandbox.vendors.calltouch.app import app, credentials, expired
from sandbox.vendors.calltouch.store import CalltouchStore, shift_pages
from sandbox.vendors.contract import Vendor

VENDOR = Vendor(
    key="calltouch",
    projection=CalltouchStore,
    app=app,
    credentials=credentials,
    expire_token=lambda _: expired(),
    shift_pages=shift_pages,
)
