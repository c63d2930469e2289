"""VK Ads: the advertising cabinet of the market's campaigns in VK."""

from sandbox.vendors.contract import Vendor
from sandbox.vendors.vk_ads.app import app, credentials
from sandbox.vendors.vk_ads.store import KEY, VkStore
from sandbox.vendors.vk_ads.tokens import expire

VENDOR = Vendor(key=KEY, projection=VkStore, app=app, credentials=credentials, expire_token=expire)
