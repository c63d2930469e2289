"""An emulated amoCRM account: API v4 with its envelopes, one-use refresh tokens, silent filters and blocks.

The facts follow the vendor's documentation and answers seen from live accounts.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.vendors.amocrm import oauth
from sandbox.vendors.amocrm.account import KEY, ROBOT
from sandbox.vendors.amocrm.app import make_app
from sandbox.vendors.amocrm.projection import AmocrmProjection
from sandbox.vendors.amocrm.records import Records
from sandbox.vendors.amocrm.registry import Registry
from sandbox.vendors.contract import Vendor, World


def _credentials(world: World, base_url: str) -> dict[str, str]:
    access, refresh = oauth.newest_pair(world)
    return {
        "base_url": base_url,
        "client_id": oauth.client_id(world),
        "client_secret": oauth.client_secret(world),
        "redirect_uri": oauth.REDIRECT_URI,
        "access_token": access,
        "refresh_token": refresh,
    }


def _expire_token(world: World) -> None:
    """All access tokens are past their time until the client refreshes."""
    with world.transaction():
        oauth.expire_access(world)


def _shift_pages(world: World, parameters: Mapping[str, object]) -> None:
    """``{"delete": n}`` deletes the n oldest leads, ``{"touch": n}`` lets n of them be changed just now."""
    records = Records(world, Registry(world))
    now = int(world.now().timestamp())
    for name, value in parameters.items():
        with world.transaction() as db:
            oldest = db.execute(
                "SELECT id, price FROM amocrm_leads WHERE NOT is_deleted ORDER BY updated_at, id LIMIT ?",
                (int(str(value)),),
            ).fetchall()
            for id_, price in oldest:
                if name == "delete":
                    records.delete("leads", id_, now)
                else:
                    records.update("leads", id_, {"price": price + 100}, {}, now, ROBOT)


VENDOR = Vendor(
    key=KEY,
    projection=AmocrmProjection,
    app=make_app,
    credentials=_credentials,
    expire_token=_expire_token,
    shift_pages=_shift_pages,
)
