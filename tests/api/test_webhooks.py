"""Webhooks out over the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from api.app import create_app
from core.secrets import load_keyring
from core.settings import Settings
from schema.enums import ChangeKind, ChangeType, Role
from sync import webhooks_out
from sync.feed import Change
from sync.jobs import Jobs
from sync.office import Office
from tests.api.conftest import Api, asking
from tests.api.market import Market, uuid
from tests.api.test_changes import note

CREATE = """mutation ($url: String!, $events: [String!]!, $key: String) {
    createWebhook(url: $url, events: $events, description: "ours", idempotencyKey: $key) {
        webhook { id url events state description } secret problems { field code message } } }"""
URL = "http://127.0.0.1:9/hook"  # nobody listens there


@pytest.fixture
async def local(settings: Settings, market: Market) -> Any:
    """An installation that may reach this machine, and its office."""
    opened = settings.model_copy(update={"allow_private_hosts": ("127.0.0.1",)})
    office = Office(market.database, load_keyring(opened), opened)
    async with Jobs(office).opened() as jobs, asking(create_app(office, jobs), market) as api:
        yield api, office


async def test_a_webhooks_life(local: tuple[Api, Office]) -> None:
    api, office = local
    made = (await api.data(CREATE, {"url": URL, "events": ["call.created"], "key": "k1"}))["createWebhook"]
    assert made["problems"] == []
    assert made["secret"].startswith("whsec_")
    webhook = made["webhook"]
    assert (webhook["url"], webhook["events"], webhook["state"]) == (URL, ["call.created"], "ACTIVE")
    again = (await api.data(CREATE, {"url": URL, "events": ["call.created"], "key": "k1"}))["createWebhook"]
    assert (again["webhook"]["id"], again["secret"]) == (webhook["id"], made["secret"])
    by_id = {"id": webhook["id"]}
    rotated = (
        await api.data(
            """mutation ($id: ID!) { rotateWebhookSecret(id: $id, idempotencyKey: "r") {
                secret webhook { formerSecretUntil } } }""",
            by_id,
        )
    )["rotateWebhookSecret"]
    assert rotated["secret"] != made["secret"]
    assert rotated["webhook"]["formerSecretUntil"] is not None
    await note(api.market, Change(ChangeType.CALL, ChangeKind.CREATED, [uuid("call", 1)]))
    hook_id = webhook["id"].partition(":")[2]
    assert await webhooks_out.deliver(office, api.market.workspace_id, UUID(hook_id)) == 1
    log = """{ webhooks { nodes { state failingSince deliveries { totalCount nodes {
        id event state attemptCount body webhook { url } attempts { number status error durationMs } } } } } }"""
    (found,) = (await api.data(log))["webhooks"]["nodes"]
    (delivery,) = found["deliveries"]["nodes"]
    assert found["failingSince"] is not None
    assert (delivery["event"], delivery["state"], delivery["attemptCount"]) == ("call.created", "PENDING", 1)
    assert f"Call:{uuid('call', 1)}" in delivery["body"]
    (attempt,) = delivery["attempts"]
    assert (attempt["status"], attempt["error"]) == (None, "The receiver can't be reached (ConnectError).")
    replayed = "mutation ($id: ID!) { replayDelivery(id: $id) { delivery { state nextTryAt } } }"
    assert (await api.data(replayed, {"id": delivery["id"]}))["replayDelivery"]["delivery"]["state"] == "PENDING"
    for name, state in (("pauseWebhook", "PAUSED"), ("resumeWebhook", "ACTIVE")):
        answer = await api.data(f"mutation ($id: ID!) {{ {name}(id: $id) {{ webhook {{ state }} }} }}", by_id)
        assert answer[name]["webhook"]["state"] == state
    remove = "mutation ($id: ID!) { removeWebhook(id: $id) { removed problems { code } } }"
    assert (await api.data(remove, by_id))["removeWebhook"] == {"removed": True, "problems": []}
    assert (await api.data("{ webhooks { nodes { id } } }"))["webhooks"]["nodes"] == []
    assert (await api.data(remove, by_id))["removeWebhook"] == {"removed": False, "problems": []}


async def test_what_is_written_over_the_api_is_carried_out_at_once(local: tuple[Api, Office]) -> None:
    api, _ = local
    await api.data(CREATE, {"url": URL, "events": ["note.*"]})
    queued = text("select count(*) from jobs.procrastinate_jobs where task_name = 'deliver_webhook'")

    async def jobs() -> int:
        async with api.market.database.owner_engine.connect() as db:
            return int((await db.execute(queued)).scalar_one())

    assert await jobs() == 0
    client = f"Client:{uuid('client', 1)}"
    await api.data(f'mutation {{ createNote(client: "{client}", text: " ") {{ problems {{ code }} }} }}')
    assert await jobs() == 0
    await api.data(f'mutation {{ createNote(client: "{client}", text: "x") {{ problems {{ code }} }} }}')
    assert await jobs() == 1


@pytest.mark.parametrize(
    ("url", "events", "field"),
    [
        ("https://10.0.0.1/", ["*"], "url"),
        ("http://example.com/", ["*"], "url"),
        ("https://example.com/", ["call.eaten"], "events"),
    ],
)
async def test_wrong_input_comes_back_on_its_field(api: Api, url: str, events: list[str], field: str) -> None:
    answer = (await api.data(CREATE, {"url": url, "events": events}))["createWebhook"]
    assert answer["webhook"] is None
    assert [problem["field"] for problem in answer["problems"]] == [field]


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ANALYST])
async def test_webhooks_are_for_those_who_manage_connections(api: Api, role: Role) -> None:
    other = await api.as_role(role)
    assert await other.code("{ webhooks { nodes { id } } }") == "FORBIDDEN"
    assert await other.code('{ webhook(id: "Webhook:1") { id } }') == "FORBIDDEN"
    assert await other.code(CREATE, {"url": URL, "events": ["*"]}) == "FORBIDDEN"
