"""An emulated Aspro.Cloud portal: CRM, finance and tasks, by the vendor's OpenAPI file and what its clients saw."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.vendors.aspro_cloud.app import Portal, api_key, expired
from sandbox.vendors.aspro_cloud.projection import AsproCloudProjection
from sandbox.vendors.aspro_cloud.store import KEY, Store
from sandbox.vendors.contract import Vendor, World


def _credentials(world: World, base_url: str) -> dict[str, str]:
    return {"base_url": base_url, "api_key": api_key(world)}


def _shift_pages(world: World, parameters: Mapping[str, object]) -> None:
    """``{"delete": n}`` deletes the n newest deals, ``{"insert": n}`` opens n new ones."""
    store = Store(world)
    with world.transaction():
        for row in store.newest("crm/lead", int(str(parameters.get("delete", 0)))):
            store.delete("crm/lead", row["id"])
        for number in range(int(str(parameters.get("insert", 0)))):
            store.add("crm/lead", {"name": f"Новая сделка {number + 1}", "active": 1}, world.now())


VENDOR = Vendor(
    key=KEY,
    projection=AsproCloudProjection,
    app=lambda world: Portal(world).app(),
    credentials=_credentials,
    expire_token=lambda _: expired(),
    shift_pages=_shift_pages,
)
