# ruff: noqa: E501 - queries read better unbroken
"""Every operation of the schema against every role: who is let in, and that a denial changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import get_named_type, is_composite_type, is_required_argument
from sqlalchemy import text

from api.graphql.schema import build_schema
from schema.enums import Role
from tests.api.conftest import Api
from tests.api.market import uuid

CONNECTION, CLIENT, OTHER = (
    f"ConnectedSystem:{uuid('kconnection', 1)}",
    f"Client:{uuid('client', 1)}",
    f"Client:{uuid('client', 2)}",
)
OWNER, MANAGER, ANALYST, INTEGRATION = Role.OWNER, Role.MANAGER, Role.ANALYST, Role.INTEGRATION
ALL = frozenset(Role)
EDITORS, CONNECTORS = frozenset({OWNER, MANAGER}), frozenset({OWNER, INTEGRATION})
ACCOUNTANTS, DECIDERS = frozenset({OWNER, MANAGER}), frozenset({OWNER, MANAGER, ANALYST})
DAYS = 'from: "2026-03-01", to: "2026-03-02"'
RULES = 'kind: CHANNEL, rules: [{then: "Paid", channel: "paid_*"}]'
PROPOSAL = f'(proposal: "MatchProposal:{uuid("proposal", 9)}") {{ problems {{ code }} }}'
MAPPED = f'connection: "{CONNECTION}", type: DEAL, key: "X", fills: "title"'
WRITERS = EDITORS | {INTEGRATION}
CHANGE = f'(id: "OutboxChange:{uuid("outbox", 9)}") {{ problems {{ code }} }}'
WRITE_RULE = f'(id: "WriteRule:{uuid("wrule", 9)}") {{ problems {{ code }} }}'
MUTATIONS: dict[str, tuple[str, frozenset[Role]]] = {
    "connectSystem": ('(connector: "bitrix24", settings: {}) { problems { field } }', CONNECTORS),
    "updateConnection": (f'(id: "{CONNECTION}", title: "x") {{ sentence }}', CONNECTORS),
    "testConnection": (f'(id: "ConnectedSystem:{uuid("kconnection", 9)}") {{ sentence }}', CONNECTORS),
    "pauseConnection": (f'(id: "{CONNECTION}") {{ sentence }}', CONNECTORS),
    "resumeConnection": (f'(id: "{CONNECTION}") {{ sentence }}', CONNECTORS),
    "removeConnection": (f'(id: "ConnectedSystem:{uuid("kconnection", 9)}") {{ removed }}', CONNECTORS),
    "resyncConnection": (f'(id: "{CONNECTION}", from: "2026-03-01") {{ sentence }}', CONNECTORS),
    "verifyConnection": (f'(id: "ConnectedSystem:{uuid("kconnection", 9)}") {{ problems {{ code }} }}', CONNECTORS),
    "startSync": (f'(connection: "{CONNECTION}") {{ run {{ id }} }}', CONNECTORS | {MANAGER}),
    "replayQuarantine": (f'(connection: "ConnectedSystem:{uuid("kconnection", 9)}") {{ replayed }}', CONNECTORS),
    "mapCustomField": (f"({MAPPED}) {{ problems {{ code }} }}", CONNECTORS),
    "unmapCustomField": (
        f'(connection: "{CONNECTION}", type: DEAL, fills: "title") {{ problems {{ code }} }}',
        CONNECTORS,
    ),
    "refreshCustomFields": (f'(connection: "ConnectedSystem:{uuid("kconnection", 9)}") {{ changes }}', CONNECTORS),
    "openDoor": (f'(connection: "{CONNECTION}") {{ problems {{ code }} }}', CONNECTORS),
    "rotateDoor": (f'(connection: "{CONNECTION}") {{ problems {{ code }} }}', CONNECTORS),
    "closeDoor": (f'(connection: "{CONNECTION}") {{ removed }}', CONNECTORS),
    "updateWorkspace": ("(managersSee: ALL) { workspace { id } }", frozenset({OWNER})),
    "createToken": ('(role: ANALYST, label: "x") { id }', frozenset({OWNER})),
    "revokeToken": ('(id: "x") { revoked }', frozenset({OWNER})),
    "mergeClients": (f'(client: "{CLIENT}", other: "{OTHER}") {{ problems {{ code }} }}', EDITORS),
    "splitClient": (f'(client: "{CLIENT}", records: []) {{ problems {{ code }} }}', EDITORS),
    "acceptMatch": (f'(proposal: "MatchProposal:{uuid("proposal", 1)}") {{ problems {{ code }} }}', EDITORS),
    "rejectMatch": (f'(proposal: "MatchProposal:{uuid("proposal", 1)}") {{ problems {{ code }} }}', EDITORS),
    "postponeMatch": (f'(proposal: "MatchProposal:{uuid("proposal", 1)}") {{ problems {{ code }} }}', EDITORS),
    "reopenMatch": (f'(proposal: "MatchProposal:{uuid("proposal", 1)}") {{ problems {{ code }} }}', EDITORS),
    "createNote": (f'(client: "{CLIENT}", text: "x") {{ note {{ id }} }}', EDITORS),
    "editNote": (f'(id: "Note:{uuid("note", 1)}", text: "x") {{ note {{ id }} }}', EDITORS),
    "removeNote": (f'(id: "Note:{uuid("note", 1)}") {{ removed }}', EDITORS),
    "createTask": (f'(client: "{CLIENT}", title: "x") {{ task {{ id }} }}', EDITORS),
    "editTask": (f'(id: "Task:{uuid("task", 1)}", title: "x") {{ task {{ id }} }}', EDITORS),
    "removeTask": (f'(id: "Task:{uuid("task", 1)}") {{ removed }}', EDITORS),
    "createClient": ('(name: "x") { problems { code } }', EDITORS),
    "editClient": (f'(id: "{CLIENT}", name: "x") {{ problems {{ code }} }}', EDITORS),
    "unpinClient": (f'(id: "{CLIENT}") {{ problems {{ code }} }}', EDITORS),
    "createContact": ('(name: "x") { problems { code } }', EDITORS),
    "editContact": (f'(id: "Contact:{uuid("ocontact", 9)}", name: "x") {{ problems {{ code }} }}', EDITORS),
    "removeContact": (f'(id: "Contact:{uuid("ocontact", 9)}") {{ removed }}', EDITORS),
    "createCompany": ('(name: "x") { problems { code } }', EDITORS),
    "editCompany": (f'(id: "Company:{uuid("ofirm", 9)}", name: "x") {{ problems {{ code }} }}', EDITORS),
    "removeCompany": (f'(id: "Company:{uuid("ofirm", 9)}") {{ removed }}', EDITORS),
    "createDeal": (f'(client: "{CLIENT}", title: "x") {{ problems {{ code }} }}', EDITORS),
    "editDeal": (f'(id: "Deal:{uuid("deal", 1)}", title: "x") {{ problems {{ code }} }}', EDITORS),
    "removeDeal": (f'(id: "Deal:{uuid("deal", 1)}") {{ removed }}', EDITORS),
    **dict.fromkeys(("replayChange", "skipChange", "undoChange"), (CHANGE, WRITERS)),
    "editChange": (
        f'(id: "OutboxChange:{uuid("outbox", 9)}", values: {{x: 1}}) {{ problems {{ code }} }}',
        WRITERS,
    ),
    "decideConflict": (
        f'(change: "OutboxChange:{uuid("outbox", 9)}", field: "x", decision: OURS) {{ problems {{ code }} }}',
        WRITERS,
    ),
    "createWriteRule": (f'(connection: "{CONNECTION}", kind: CALL_TO_LEAD) {{ problems {{ code }} }}', CONNECTORS),
    **dict.fromkeys(("enableWriteRule", "disableWriteRule"), (WRITE_RULE, CONNECTORS)),
    "removeWriteRule": (f'(id: "WriteRule:{uuid("wrule", 9)}") {{ removed }}', CONNECTORS),
    "setGoldenRules": ("(rules: []) { problems { code } }", frozenset({OWNER})),
    "undoGoldenRules": ("{ problems { code } }", frozenset({OWNER})),
    "setMatchThresholds": ("(upper: 99) { problems { code } }", frozenset({OWNER})),
    "applyMatchWeights": ("(version: 99) { problems { code } }", frozenset({OWNER})),
    "dismissMatchWeights": ("(version: 99) { problems { code } }", frozenset({OWNER})),
    **dict.fromkeys(("acceptMatch", "rejectMatch", "postponeMatch", "reopenMatch"), (PROPOSAL, EDITORS)),
    "createMetric": (
        '(key: "perCall", title: "x", unit: MONEY, formula: "cost / calls") { problems { code } }',
        DECIDERS,
    ),
    "removeMetric": ('(key: "none") { removed }', DECIDERS),
    "addCostRate": ('(kind: VAT, percent: 20, validFrom: "2026-03-01") { problems { code } }', ACCOUNTANTS),
    "removeCostRate": (f'(id: "CostRate:{uuid("rate", 9)}") {{ removed }}', ACCOUNTANTS),
    "addCost": (
        '(title: "x", amount: 1, firstDay: "2026-03-01", lastDay: "2026-03-02") { problems { code } }',
        ACCOUNTANTS,
    ),
    "removeCost": (f'(id: "Cost:{uuid("xcost", 9)}") {{ removed }}', ACCOUNTANTS),
    "setPlan": ('(month: "2026-03-01", figure: CALLS, amount: 1) { problems { code } }', ACCOUNTANTS),
    "removePlan": ('(month: "2026-03-01", figure: LEADS) { removed }', ACCOUNTANTS),
    "writeReportRules": (f"({RULES}) {{ problems {{ code }} }}", ACCOUNTANTS),
    "closePeriod": (f"({DAYS}) {{ problems {{ code }} }}", ACCOUNTANTS),
    "openPeriod": (f'(id: "{uuid("period", 9)}") {{ removed }}', ACCOUNTANTS),
}
QUERIES: dict[str, tuple[str, frozenset[Role]]] = {
    "tokens": ("{ nodes { id } }", frozenset({OWNER})),
    "previewMerge": (f'(client: "{CLIENT}", other: "{OTHER}") {{ problems {{ code }} }}', EDITORS),
    "previewSplit": (f'(client: "{CLIENT}", records: []) {{ problems {{ code }} }}', EDITORS),
    "previewFieldMapping": (f"({MAPPED}) {{ problems {{ code }} }}", CONNECTORS),
    "previewFile": ("(settings: {}) { problems { code } }", CONNECTORS),
    "whatWouldMatch": ('(input: {name: "x"}) { client }', EDITORS),
    "customFields": ("(type: DEAL) { key }", ALL),
    "door": (f'(connection: "{CONNECTION}") {{ url }}', CONNECTORS),
    "nodes": (f'(ids: ["{CLIENT}"]) {{ id }}', ALL),
    "campaignReport": ('(from: "2026-03-01", to: "2026-03-02") { currency }', ALL),
    "receipt": (
        f'(figure: CALLS, campaign: "Campaign:{uuid("Gcampaign", 1)}", from: "2026-03-01", to: "2026-03-02") {{ total }}',
        ALL,
    ),
    "search": ('(text: "client") { score }', ALL),
    "cohorts": (f"({DAYS}) {{ __typename }}", ALL),
    "creditReceipt": (
        f'(campaign: "Campaign:{uuid("Gcampaign", 1)}", model: LINEAR, conversion: CALL, {DAYS}) {{ __typename }}',
        ALL,
    ),
    "modelsReport": (f"({DAYS}) {{ __typename }}", ALL),
    "planFact": (f"({DAYS}) {{ __typename }}", ALL),
    "previewReportRules": (f"({RULES}, {DAYS}) {{ __typename }}", ALL),
    "report": (f"({DAYS}, by: [CHANNEL]) {{ __typename }}", ALL),
    "reportComparison": (f"({DAYS}) {{ __typename }}", ALL),
    "reportRules": ("(kind: CHANNEL) { __typename }", ALL),
    "tagAudit": (f"({DAYS}) {{ __typename }}", ALL),
    "unattributed": (f"({DAYS}) {{ __typename }}", ALL),
    "previewOpening": (f'(id: "{uuid("period", 9)}") {{ __typename }}', ALL),
    "missingRecords": (f"(kind: DEAL, {DAYS}) {{ __typename }}", ALL),
    "reconciliation": (f'(connection: "{CONNECTION}", measure: CALLS, {DAYS}) {{ __typename }}', ALL),
    "whyMissing": (f'(record: "Call:{uuid("call", 1)}") {{ __typename }}', ALL),
    "clientAsOf": (f'(client: "{CLIENT}", asOf: "2026-03-02T00:00:00Z") {{ __typename }}', ALL),
    "outbox": ("{ __typename }", WRITERS),
    "outboxChange": (f'(id: "OutboxChange:{uuid("outbox", 9)}") {{ __typename }}', WRITERS),
    "fieldConflicts": ("{ __typename }", WRITERS),
    "previewUndoChange": (CHANGE, WRITERS),
    "writeRules": ("{ __typename }", CONNECTORS),
    "writeRuleKinds": ("{ __typename }", CONNECTORS),
    "checkWriteRule": (
        f'(connection: "ConnectedSystem:{uuid("kconnection", 9)}", kind: CALL_TO_LEAD) {{ __typename }}',
        CONNECTORS,
    ),
    "dryRunWriteRule": (f'(id: "WriteRule:{uuid("wrule", 9)}") {{ __typename }}', CONNECTORS),
    "matchWeighing": ("{ sentence }", EDITORS),
    "previewMatchThresholds": ("{ problems { code } }", frozenset({OWNER})),
    "previewGoldenRules": ("(rules: []) { __typename }", frozenset({OWNER, ANALYST, INTEGRATION})),
}
ELSEWHERE = ("webhook", "changes", "delivery")
"""What other tests hold against the roles: operations of webhooks and of the change feed."""


def fields(type_name: str) -> set[str]:
    kind: Any = build_schema()._schema.type_map[type_name]
    return {name for name in kind.fields if not any(part in name.lower() for part in ELSEWHERE)}


def test_no_mutation_is_forgotten() -> None:
    assert fields("Mutation") == set(MUTATIONS)


async def state(api: Api) -> dict[str, Any]:
    """What there is, in every table that a mutation could write to."""
    found = {}
    async with api.market.database.workspace(api.market.workspace_id) as connection:
        for table in (
            "workspace", "connection", "api_token", "client", "sync_run", "note", "task", "merge_log", "idempotency",
            "identity_decision", "field_mapping", "door", "own_metric", "cost_rule", "manual_cost", "rule_set", "plan",
            "frozen_period", "match_proposal", "match_weights", "outbox", "write_rule", "golden_rules", "client_pin", "contact", "deal",
        ):  # fmt: skip
            column = "w" if table != "api_token" else "(w.id, w.role, w.revoked_at)"
            query = f"select count(*), md5(string_agg({column}::text, '|' order by {column}::text)) from {table} w"  # noqa: S608 - names of ours
            found[table] = tuple((await connection.execute(text(query))).one())
    return found


@pytest.mark.parametrize("role", list(Role))
async def test_every_mutation_lets_in_whom_it_should(api: Api, role: Role) -> None:
    caller = await api.as_role(role)
    for name, (rest, allowed) in MUTATIONS.items():
        before = await state(api)
        answer = await caller.ask(f"mutation {{ {name}{rest} }}")
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        assert ("FORBIDDEN" in codes) is (role not in allowed), (name, answer)
        if role not in allowed:
            assert answer["data"] == {name: None}
            assert await state(api) == before, name


@pytest.mark.parametrize("role", list(Role))
async def test_every_query_lets_in_whom_it_should(shared_api: Api, role: Role) -> None:
    caller = await shared_api.as_role(role)
    kind: Any = build_schema()._schema.type_map["Query"]
    asked = dict(QUERIES)
    for name in fields("Query") - set(QUERIES):
        field = kind.fields[name]
        required = {each for each, declared in field.args.items() if is_required_argument(declared)}
        assert required <= {"id"}, f"say in QUERIES how {name} is asked"
        arguments = f'(id: "{CLIENT}")' if required else ""
        body = "{ __typename }" if is_composite_type(get_named_type(field.type)) else ""
        asked[name] = (arguments + body, ALL)
    for name, (rest, allowed) in asked.items():
        answer = await caller.ask(f"{{ {name}{rest} }}")
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        assert ("FORBIDDEN" in codes) is (role not in allowed), (name, answer)
        assert codes <= {"FORBIDDEN"}, (name, answer)
