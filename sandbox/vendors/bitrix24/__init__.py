"""An emulated Bitrix24 portal: REST of deals, leads, contacts, companies, calls, with its habits and limits.

The facts follow the vendor's REST documentation and answers recorded from live portals.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.vendors.bitrix24 import oauth
from sandbox.vendors.bitrix24.app import Doors, webhook_code
from sandbox.vendors.bitrix24.events import application_token
from sandbox.vendors.bitrix24.fields import DEAL
from sandbox.vendors.bitrix24.portal import ADMINISTRATOR
from sandbox.vendors.bitrix24.projection import KEY, Bitrix24Projection
from sandbox.vendors.bitrix24.records import Records
from sandbox.vendors.contract import Vendor, World


def _credentials(world: World, base_url: str) -> dict[str, str]:
    return {
        "webhook_url": f"{base_url}/rest/{ADMINISTRATOR}/{webhook_code(world)}/",
        "application_token": application_token(world),
    }


def _expire_token(world: World) -> None:
    """Tokens of the application expire; an incoming webhook has none and goes on working, as in life."""
    with world.transaction():
        oauth.expire_access(world)


def _shift_pages(world: World, parameters: Mapping[str, object]) -> None:
    """``{"delete": n}`` deletes the n oldest deals, ``{"insert": n}`` opens n new ones."""
    records = Records(world.db)
    with world.transaction() as db:
        oldest = db.execute(
            "SELECT ID FROM bitrix24_deal ORDER BY ID LIMIT ?", (int(str(parameters.get("delete", 0))),)
        ).fetchall()
        for (id_,) in oldest:
            records.delete(DEAL, int(id_))
        for number in range(int(str(parameters.get("insert", 0)))):
            records.add(DEAL, {"TITLE": f"Новая сделка {number + 1}"}, world.now(), ADMINISTRATOR)


VENDOR = Vendor(
    key=KEY,
    projection=Bitrix24Projection,
    app=lambda world: Doors(world).app(),
    credentials=_credentials,
    expire_token=_expire_token,
    shift_pages=_shift_pages,
)
