"""The whole loop over real HTTP: something happens there, the system tells, a worker fetches, it is here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import pytest

from api.serve import serve
from sandbox.server import Sandbox
from sync.inbox.doors import open_door, show_door
from sync.inbox.subscriptions import NotSubscribed, close, look_after, readdress, subscribe
from sync.jobs import Jobs
from tests.api.conftest import free_port
from tests.sync.conftest import Bench
from tests.sync.inbox.conftest import Desk
from tests.sync.test_jobs import until, working

TITLES = "select title from deal where external_id = :id and connection_id = :connection"


@dataclass
class Installation(Bench):
    """A bench that serves and works."""

    jobs: Jobs | None = None

    async def schedule(self) -> None:
        """What the worker does by itself every twenty seconds."""
        assert self.jobs is not None
        await self.jobs._enqueue_due(0)


@pytest.fixture
async def served(bench: Bench) -> AsyncIterator[Installation]:
    """The installation as it runs: the API on a port, and a worker."""
    settings = bench.office.settings.model_copy(update={"port": free_port()})
    office = replace(bench.office, settings=settings)
    async with Jobs(office).opened() as jobs, working(jobs):
        up = asyncio.Event()
        serving = asyncio.create_task(serve(office, jobs=jobs, ready=up.set))
        await asyncio.wait_for(up.wait(), 30)
        yield Installation(office, bench.workspace, jobs=jobs)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
def desk(own_market: Sandbox) -> Iterator[Desk]:
    one = Desk(own_market)
    yield one
    one.close()


async def test_what_happens_there_is_here_at_once(served: Installation, own_market: Sandbox, desk: Desk) -> None:
    portal = await served.connect(own_market, "bitrix24")
    account = await served.connect(own_market, "amocrm")
    door = await open_door(served.office, served.workspace, portal)
    with pytest.raises(NotSubscribed, match="paste it by hand"):
        await subscribe(served.office, served.workspace, portal)
    desk.switch("bitrix24", event_handler=door.url)
    told = await subscribe(served.office, served.workspace, account)
    assert (told.subscribed_at is not None, told.problem) == (True, None)

    deal = desk.bitrix24("crm.deal.add", fields={"TITLE": "made in the portal"})
    (lead,) = desk.amocrm("POST", "leads", [{"name": "made in the account"}])["_embedded"]["leads"]
    for id, connection, title in (
        (deal, portal, "made in the portal"),
        (lead["id"], account, "made in the account"),
    ):
        await until(served, TITLES, [(title,)], id=str(id), connection=connection)
    desk.amocrm("PATCH", f"leads/{lead['id']}", {"name": "changed in the account"})
    await until(served, TITLES, [("changed in the account",)], id=str(lead["id"]), connection=account)

    # The address is switched off there after failures: that is seen, mended, and what was missed is read.
    desk.switch("amocrm", switched_off_hooks=1)
    desk.amocrm("PATCH", f"leads/{lead['id']}", {"name": "told to nobody"})
    assert not await look_after(served.office, served.workspace, account)
    own_market.advance(minutes=1)  # amoCRM's newest seconds are left to the next reading
    await served.schedule()
    await until(served, TITLES, [("told to nobody",)], id=str(lead["id"]), connection=account)
    assert await look_after(served.office, served.workspace, account)
    desk.amocrm("PATCH", f"leads/{lead['id']}", {"name": "told again"})
    await until(served, TITLES, [("told again",)], id=str(lead["id"]), connection=account)

    # A new address is told too, and the former one is ended there.
    new = await readdress(served.office, served.workspace, account)
    hooks = desk.amocrm("GET", "webhooks", None)["_embedded"]["webhooks"]
    assert [hook["destination"] for hook in hooks] == [new.url]
    assert (await show_door(served.office, served.workspace, account)).previous_until is not None
    assert await close(served.office, served.workspace, account)
    assert desk.amocrm("GET", "webhooks", None) is None
