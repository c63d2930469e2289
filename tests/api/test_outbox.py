# ruff: noqa: E501 - queries read better unbroken
"""The outbox and the rules of write-back over the API, and golden records by choice."""

from __future__ import annotations

from typing import Any

from core.database import driver
from schema import tables as t
from schema.enums import Role
from sync.golden import apply_rules
from tests.api.conftest import Api
from tests.api.market import START, uuid

CHANGE = f"OutboxChange:{uuid('outbox', 1)}"


async def waiting(api: Api, **values: Any) -> None:
    await api.market.add(
        t.Outbox,
        [
            {
                "id": uuid("outbox", 1),
                "connection_id": api.market.connection_id,
                "write": "contact.update",
                "key": "k",
                "order_key": "contact:1",
                "cause_kind": "contact",
                "cause_id": uuid("ocontact", 1),
                "cause_at": START,
                "payload": {"first_name": "Анна", "phones": ["+79160000001"]},
                "external_id": "1",
                "state": "failed",
                "code": "CONFLICT",
                **values,
            }
        ],
    )


async def test_a_change_is_looked_at_edited_replayed_and_skipped(api: Api) -> None:
    await waiting(api)
    await api.market.add(
        t.OutboxAttempt,
        [
            {
                "outbox_id": uuid("outbox", 1),
                "number": 1,
                "step": "send",
                "request": {"method": "POST"},
                "response": {"status": 400},
                "outcome": "Refused.",
            }
        ],
    )
    await api.market.add(
        t.Conflict,
        [
            {
                "outbox_id": uuid("outbox", 1),
                "field": "first_name",
                "number": 1,
                "connection_id": api.market.connection_id,
                "external_id": "1",
                "base": {"value": "A"},
                "theirs": {"value": "B"},
                "ours": {"value": "Анна"},
                "rule": "by_hand",
            }
        ],
    )
    query = "{ outbox(filter: {state: {eq: FAILED}}, first: 5) { nodes { id code payload attempts { step request response } connection { id } } } fieldConflicts(filter: {decision: {isNull: true}}, first: 5) { nodes { field base theirs ours change { id } } } }"
    seen = await api.data(query)
    (change,) = seen["outbox"]["nodes"]
    assert (change["id"], change["attempts"]) == (
        CHANGE,
        [{"step": "send", "request": {"method": "POST"}, "response": {"status": 400}}],
    )
    assert seen["fieldConflicts"]["nodes"] == [
        {"field": "first_name", "base": "A", "theirs": "B", "ours": "Анна", "change": {"id": CHANGE}}
    ]
    assert await (await api.as_role(Role.ANALYST)).code("{ outbox { nodes { id } } }") == "FORBIDDEN"
    decided = await api.data(
        f'mutation {{ decideConflict(change: "{CHANGE}", field: "first_name", decision: OURS) {{ change {{ id payload base }} problems {{ code }} }} }}'
    )
    new = decided["decideConflict"]["change"]
    assert (new["payload"], new["base"]) == ({"first_name": "Анна"}, {"first_name": "B"})
    again = await api.data(
        f'mutation {{ decideConflict(change: "{CHANGE}", field: "first_name", decision: OURS) {{ problems {{ field code }} }} }}'
    )
    assert again["decideConflict"]["problems"] == [{"field": "field", "code": "NOTHING_WAITS"}]
    edited = await api.data(
        f'mutation {{ editChange(id: "{CHANGE}", values: {{first_name: "Мария", phones: null}}) {{ change {{ state payload }} problems {{ code }} }} }}'
    )
    assert edited["editChange"] == {
        "change": {"state": "PENDING", "payload": {"first_name": "Мария"}},
        "problems": [],
    }
    skipped = await api.data(f'mutation {{ skipChange(id: "{CHANGE}") {{ change {{ state }} }} }}')
    assert skipped["skipChange"]["change"] == {"state": "SKIPPED"}
    replayed = await api.data(f'mutation {{ replayChange(id: "{CHANGE}") {{ change {{ state reason }} }} }}')
    assert replayed["replayChange"]["change"]["state"] == "PENDING"
    undone = await api.data(
        f'mutation {{ undoChange(id: "{CHANGE}") {{ change {{ id }} problems {{ field code }} }} }}'
    )
    assert undone["undoChange"] == {"change": None, "problems": [{"field": "id", "code": "NOT_POSSIBLE"}]}
    preview = await api.data(f'{{ previewUndoChange(id: "{CHANGE}") {{ sentence problems {{ code }} }} }}')
    assert preview["previewUndoChange"] == {"sentence": None, "problems": [{"code": "NOT_POSSIBLE"}]}


async def test_a_rule_is_refused_field_by_field(api: Api) -> None:
    system = f"ConnectedSystem:{api.market.connection_id}"
    asked = f'connection: "{system}", kind: CALL_TO_LEAD, settings: {{lead_title: "{{nobody}}", x: 1}}'
    checked = await api.data(f"{{ checkWriteRule({asked}) {{ sentence problems {{ field }} }} }}")
    assert {each["field"] for each in checked["checkWriteRule"]["problems"]} >= {"x"}
    made = await api.data(f"mutation {{ createWriteRule({asked}) {{ rule {{ id }} problems {{ field }} }} }}")
    assert made["createWriteRule"]["rule"] is None
    await api.market.add(
        t.WriteRule,
        [
            {
                "id": uuid("wrule", 1),
                "connection_id": api.market.connection_id,
                "kind": "call_to_lead",
                "settings": {},
                "created_by": "test",
            }
        ],
    )
    rule = f"WriteRule:{uuid('wrule', 1)}"
    on = await api.data(
        f'mutation {{ disableWriteRule(id: "{rule}") {{ rule {{ id sentence enabled kind }} problems {{ code }} }} }}'
    )
    assert on["disableWriteRule"]["rule"]["enabled"] is False
    assert "becomes a lead" in on["disableWriteRule"]["rule"]["sentence"]
    listed = await api.data("{ writeRules { id sentence settings since } }")
    assert [each["id"] for each in listed["writeRules"]] == [rule]
    assert await (await api.as_role(Role.MANAGER)).code("{ writeRules { id } }") == "FORBIDDEN"
    gone = await api.data(f'mutation {{ removeWriteRule(id: "{rule}") {{ removed }} }}')
    assert gone["removeWriteRule"]["removed"]


async def test_golden_rules_are_previewed_set_applied_and_taken_back(api: Api) -> None:
    async with api.market.database.loading(api.market.workspace_id) as db:
        await driver(db).execute("delete from client")  # rows that no record stands behind
    made = []
    for name in ("Анна Ивановна Белова", "Аня"):
        answer = await api.data(
            f'mutation {{ createClient(name: "{name}", phones: ["+79165554433"]) {{ client {{ id name }} }} }}'
        )
        made.append(answer["createClient"]["client"])
    assert made[1]["name"] == "Аня"
    rules = 'rules: [{field: "name", rule: MOST_COMPLETE}]'
    body = (
        "{ changing lookedAt byField { field changing } samples { client field before after } problems { code } }"
    )
    preview = (await api.data(f"{{ previewGoldenRules({rules}) {body} }}"))["previewGoldenRules"]
    sample = {"client": made[0]["id"], "field": "name", "before": "Аня", "after": "Анна Ивановна Белова"}
    assert (preview["problems"], preview["samples"]) == ([], [sample])
    masked = (await (await api.as_role(Role.ANALYST)).data(f"{{ previewGoldenRules({rules}) {body} }}"))[
        "previewGoldenRules"
    ]
    assert masked["samples"][0]["after"] == "А*** И*** Б***"
    wrong = await api.data(
        'mutation { setGoldenRules(rules: [{field: "phone", rule: MOST_COMPLETE}, {field: "x", rule: OLDEST}, {field: "email", rule: PREFERRED_SOURCE}]) { rules { version } problems { field code } } }'
    )
    assert {(each["field"], each["code"]) for each in wrong["setGoldenRules"]["problems"]} == {
        ("phone", "NO_RULE_OF_FIELD"),
        ("x", "NO_SUCH_CHOICE"),
        ("email", "NO_SOURCES"),
    }
    await api.data(f"mutation {{ setGoldenRules({rules}) {{ rules {{ version }} problems {{ code }} }} }}")
    assert await apply_rules(api.market.database, api.market.workspace_id) == 1
    query = f'{{ client(id: "{made[0]["id"]}") {{ name fields {{ field rule confidence source {{ connector }} }} }} goldenRules {{ version appliedAt }} }}'
    now = await api.data(query)
    told = {each["field"]: each for each in now["client"]["fields"]}
    assert (now["client"]["name"], told["name"]["rule"]) == ("Анна Ивановна Белова", "MOST_COMPLETE")
    assert (told["name"]["confidence"], told["name"]["source"]) == (1, {"connector": "skvoz"})
    assert now["goldenRules"]["appliedAt"] is not None
    await api.data("mutation { undoGoldenRules { rules { version } problems { code } } }")
    await apply_rules(api.market.database, api.market.workspace_id)
    assert (await api.data(query))["client"]["name"] == "Аня"
    async with api.market.database.loading(api.market.workspace_id) as db:
        cursor = await driver(db).execute(
            "select count(*) from client_mark where workspace_id = %s", (api.market.workspace_id,)
        )
        assert await cursor.fetchone() == (0,)  # no figure was to be settled anew
