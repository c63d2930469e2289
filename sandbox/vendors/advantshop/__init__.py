"""An emulated ADVANTSHOP shop, version 10, by the behaviour of its published server and its help pages."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.vendors.advantshop.app import Shop, api_key, expired
from sandbox.vendors.advantshop.projection import AdvantshopProjection
from sandbox.vendors.advantshop.store import KEY, Store
from sandbox.vendors.contract import Vendor, World


def _credentials(world: World, base_url: str) -> dict[str, str]:
    return {"base_url": base_url, "api_key": api_key(world)}


def _shift_pages(world: World, parameters: Mapping[str, object]) -> None:
    """``{"delete": n}`` removes the n newest orders, ``{"insert": n}`` lets n guests order."""
    store = Store(world)
    with world.transaction():
        for id_ in store.newest_orders(int(str(parameters.get("delete", 0)))):
            store.delete_order(id_, world.now())
        for number in range(int(str(parameters.get("insert", 0)))):
            buyer = {"FirstName": "Гость", "Phone": f"+7999000{number:04d}"}
            store.add_order({"Customer": buyer, "Sum": 100.0}, world.now())


VENDOR = Vendor(
    key=KEY,
    projection=AdvantshopProjection,
    app=lambda world: Shop(world).app(),
    credentials=_credentials,
    expire_token=lambda _: expired(),
    shift_pages=_shift_pages,
)
