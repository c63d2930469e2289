"""Yandex.Metrica: the counter on the site, its management and Logs API."""

from sandbox.vendors.contract import Vendor
from sandbox.vendors.yandex_metrica.app import app, credentials, expired
from sandbox.vendors.yandex_metrica.store import MetricaStore

VENDOR = Vendor(
    key="yandex_metrica",
    projection=MetricaStore,
    app=app,
    credentials=credentials,
    expire_token=lambda _: expired(),
)
