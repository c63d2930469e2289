"""Altcraft: a customer data platform with one database of profiles."""

from sandbox.vendors.altcraft.app import app, credentials, expired
from sandbox.vendors.altcraft.store import KEY, AltcraftStore
from sandbox.vendors.contract import Vendor

VENDOR = Vendor(
    key=KEY, projection=AltcraftStore, app=app, credentials=credentials, expire_token=lambda _: expired()
)
