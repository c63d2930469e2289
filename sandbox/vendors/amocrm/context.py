"""What the routes of one account share."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from starlette.requests import Request

from sandbox.vendors.amocrm.account import account_id, users
from sandbox.vendors.amocrm.hal import Problem
from sandbox.vendors.amocrm.records import Records
from sandbox.vendors.amocrm.registry import ENTITIES, EntityName, Registry
from sandbox.vendors.amocrm.showing import Shower
from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches

_MOST_WRITTEN = 250


@dataclass(frozen=True)
class Context:
    """One account being served."""

    world: World
    records: Records
    registry: Registry
    switches: Switches

    @property
    def account_id(self) -> int:
        """The account's number."""
        return account_id(self.world)

    @property
    def user_ids(self) -> frozenset[int]:
        """The ids of all users; 0 is the robot."""
        return frozenset({0} | {user.id for user in users(self.world)})

    def now(self) -> int:
        """The account's clock, Unix seconds."""
        return int(self.world.now().timestamp())

    def shower(self, request: Request) -> Shower:
        """What shows records to this request."""
        exact = self.switches.get("price_with_minor_units", bool)
        return Shower(request, self.records, self.account_id, exact)


def entity_of(request: Request) -> EntityName:
    """The kind of record in the path. Raises 404."""
    name = request.path_params["entity"]
    for entity in ENTITIES:
        if name == entity:
            return entity
    raise Problem(404, f"Cannot {request.method} {request.url}")


async def sent_items(request: Request) -> list[object]:
    """The array that a collection takes, of 250 items at most. Raises 400 and 422."""
    body = await sent_json(request)
    if not isinstance(body, list):
        raise Problem(400, "The body must be an array.")
    if len(body) > _MOST_WRITTEN:
        raise Problem(422, f"Limit {_MOST_WRITTEN} per page")
    return body


async def sent_json(request: Request) -> object:
    """The JSON body. Raises 400."""
    try:
        body: object = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise Problem(400, "The body is not JSON.") from None
    return body


def request_id(item: object, place: int) -> str:
    """What names an item in the answer: its own request_id, or its place."""
    own = item.get("request_id") if isinstance(item, dict) else None
    return str(place if own is None else own)
