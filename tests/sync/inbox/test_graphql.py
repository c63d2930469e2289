"""Doors over the API: opened, shown, rotated, closed; and what came in at them."""

from __future__ import annotations

from typing import Any

from api.graphql.ids import global_id
from api.tokens import create_token
from schema.enums import Role
from tests.sync.inbox.conftest import Street

DOOR = "door { url setup events subscribable subscribedAt problem formerUrlUntil lastDeliveryAt waiting failed }"


async def ask(portal: Street, query: str, role: Role = Role.OWNER, **variables: Any) -> dict[str, Any]:
    token = await create_token(portal.bench.office.database, portal.bench.workspace, role, "test")
    variables |= {"c": global_id("ConnectedSystem", portal.connection)}
    answer = await portal.http.post(
        "/graphql",
        json={"query": query, "variables": variables},
        headers={"Authorization": f"Bearer {token}", "Accept-Language": "ru"},
    )
    told: dict[str, Any] = answer.json()
    return told


async def test_a_door_over_the_api(portal: Street) -> None:
    await portal.knock(portal.event("ONCRMDEALUPDATE", 7))
    await portal.knock(f"event=&auth[application_token]={portal.token}".encode())
    door = (await ask(portal, "query ($c: ID!) { " + DOOR.replace("door", "door(connection: $c)") + " }"))["data"][
        "door"
    ]
    assert door["url"].endswith(portal.path)
    assert (door["subscribable"], door["waiting"], door["failed"]) == (False, 1, 1)
    assert door["lastDeliveryAt"] is not None
    assert "ONCRMDEALUPDATE" in door["events"]
    assert "Outgoing webhook" in door["setup"]
    shown = "query ($c: ID!) { door(connection: $c) { url waiting } }"
    assert (await ask(portal, shown, Role.INTEGRATION))["data"]["door"] == {"url": None, "waiting": 1}
    assert "errors" in await ask(portal, shown, Role.ANALYST)

    listed = "{ receivedWebhooks { nodes { id state reason touched arrivals attempts connection { title } } } }"
    malformed, waiting = (await ask(portal, listed))["data"]["receivedWebhooks"]["nodes"]
    assert (waiting["state"], waiting["touched"]) == ("WAITING", ["deals 7", "stage_history"])
    assert (malformed["state"], malformed["reason"]) == ("MALFORMED", "The body names no event of Bitrix24.")
    assert waiting["connection"] == {"title": "bitrix24"}
    assert "errors" in await ask(portal, listed, Role.MANAGER)
    body = await ask(portal, "query ($id: ID!) { receivedWebhookBody(id: $id) }", id=waiting["id"])
    assert "data[FIELDS][ID] = 7" in body["data"]["receivedWebhookBody"]
    assert portal.token not in body["data"]["receivedWebhookBody"]

    replay = """mutation ($c: ID!, $id: ID) {
        replayReceivedWebhooks(connection: $c, id: $id) { waiting problems { code } } }"""
    replayed = (await ask(portal, replay, id=malformed["id"]))["data"]["replayReceivedWebhooks"]
    assert replayed == {"waiting": 1, "problems": []}

    rotate = "mutation ($c: ID!) { rotateDoor(connection: $c) { " + DOOR + " problems { code } } }"
    rotated = (await ask(portal, rotate))["data"]["rotateDoor"]["door"]
    assert rotated["url"] != door["url"]
    assert rotated["formerUrlUntil"] is not None
    subscribe = """mutation ($c: ID!) {
        openDoor(connection: $c, subscribe: true) { door { url } problems { code message } } }"""
    refused = (await ask(portal, subscribe))["data"]["openDoor"]
    assert refused["door"] is None
    assert refused["problems"][0]["code"] == "BY_HAND_ONLY"
    assert refused["problems"][0]["message"].startswith("«Bitrix24» не принимает")
    close = "mutation ($c: ID!) { closeDoor(connection: $c) { removed } }"
    assert (await ask(portal, close))["data"]["closeDoor"] == {"removed": True}
    assert (await ask(portal, close))["data"]["closeDoor"] == {"removed": False}
    assert (await ask(portal, shown))["data"]["door"] is None
    refused = (await ask(portal, rotate))["data"]["rotateDoor"]
    assert [each["code"] for each in refused["problems"]] == ["NO_DOOR"]
    opened = (await ask(portal, "mutation ($c: ID!) { openDoor(connection: $c) { " + DOOR + " } }"))["data"][
        "openDoor"
    ]
    assert opened["door"]["url"].startswith("http://127.0.0.1:8000/hooks/")
