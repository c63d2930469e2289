"""Two emulated 1C bases, published over the platform's OData interface: "Управление торговлей 11", which keeps the
books of the whole firm, and "1C:CRM 3" beside it."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.vendors.contract import Vendor, World
from sandbox.vendors.onec.app import LOGIN, Platform, password, refused
from sandbox.vendors.onec.names import KEY
from sandbox.vendors.onec.projection import OneCProjection
from sandbox.vendors.onec.store import Store, key


def _credentials(world: World, base_url: str) -> dict[str, str]:
    return {
        "base_url": f"{base_url}/ut11",
        "login": LOGIN,
        "password": password(world),
        "timezone": "Europe/Moscow",
        "profile": "ut11",
    }


def _shift_pages(world: World, parameters: Mapping[str, object]) -> None:
    """``{"delete": n}`` deletes the first n partners for good, ``{"insert": n}`` makes n new ones."""
    store = Store(world, "ut11")
    name = "Catalog_Партнеры"
    with world.transaction():
        for row in store.all(name)[: int(str(parameters.get("delete", 0)))]:
            store.delete(name, row["Ref_Key"])
        for number in range(int(str(parameters.get("insert", 0)))):
            made = {"Description": f"Аванта {number}", "ЮрФизЛицо": "ЧастноеЛицо", "Клиент": True}
            store.put(name, key("inserted", f"{world.now().isoformat()}:{number}"), made)


VENDOR = Vendor(
    key=KEY,
    projection=OneCProjection,
    app=lambda world: Platform(world).app(),
    credentials=_credentials,
    expire_token=lambda _: refused(),
    shift_pages=_shift_pages,
)
