"""A service for protection from click fraud, which judges the clicks of the market's campaigns."""

from sandbox.vendors.clickfraud.app import app, credentials, expired
from sandbox.vendors.clickfraud.store import KEY, FraudStore
from sandbox.vendors.contract import Vendor

VENDOR = Vendor(key=KEY, projection=FraudStore, app=app, credentials=credentials, expire_token=lambda _: expired())
