"""Google Ads: a manager account and the market's campaigns in Google."""

from sandbox.vendors.contract import Vendor
from sandbox.vendors.google_ads.app import app, credentials, expire
from sandbox.vendors.google_ads.store import KEY, GoogleStore

VENDOR = Vendor(key=KEY, projection=GoogleStore, app=app, credentials=credentials, expire_token=expire)
