"""The change feed over the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from core.database import driver
from schema.enums import ChangeKind, ChangeType, Role
from sync.feed import Change, Changes, append
from tests.api.conftest import Api
from tests.api.market import Market, uuid
from tests.api.test_deciding import MERGE, SPLIT, two_cards

FEED = """query ($after: String, $first: Int = 20, $types: [ChangeType!]) {
    changes(after: $after, first: $first, types: $types) {
        edges { cursor node { type kind recordId record { __typename id } other { id } } }
        pageInfo { hasNextPage hasPreviousPage endCursor } } }"""


async def note(market: Market, *changes: Change) -> None:
    """One transaction that did all of this."""
    noted = Changes()
    for change in changes:
        noted._rows.append(change)
    async with market.database.workspace(market.workspace_id) as db:
        await append(driver(db), market.workspace_id, noted)


def calls(numbers: Iterable[int], kind: ChangeKind = ChangeKind.CREATED) -> Change:
    return Change(ChangeType.CALL, kind, [uuid("call", number) for number in numbers])


async def all_pages(api: Api, first: int, **variables: Any) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        page = (await api.data(FEED, {"first": first, "after": after, **variables}))["changes"]
        found += [edge["node"]["recordId"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        assert len(page["edges"]) == first
        after = page["pageInfo"]["endCursor"]


@pytest.mark.parametrize("first", [1, 3, 7, 100])
async def test_pages_of_any_size_give_each_change_once_and_in_order(api: Api, first: int) -> None:
    await note(api.market, calls(range(1, 6)), calls([9, 8]))
    await note(api.market, Change(ChangeType.DEAL, ChangeKind.CHANGED, [uuid("deal", 1)]), calls([7]))
    expected = [f"Call:{uuid('call', number)}" for number in (1, 2, 3, 4, 5, 9, 8)]
    expected += [f"Deal:{uuid('deal', 1)}", f"Call:{uuid('call', 7)}"]
    assert await all_pages(api, first) == expected
    only_deals = await all_pages(api, first, types=["DEAL"])
    assert only_deals == [f"Deal:{uuid('deal', 1)}"]


async def test_what_is_written_over_the_api_is_told(api: Api) -> None:
    client = f"Client:{uuid('client', 1)}"
    task = (await api.data(f'mutation {{ createTask(client: "{client}", title: "Call") {{ task {{ id }} }} }}'))[
        "createTask"
    ]["task"]["id"]
    note = (await api.data(f'mutation {{ createNote(client: "{client}", text: "Hm") {{ note {{ id }} }} }}'))[
        "createNote"
    ]["note"]["id"]
    await api.data(f'mutation {{ editNote(id: "{note}", text: "Yes") {{ note {{ id }} }} }}')
    await api.data(f'mutation {{ editTask(id: "{task}", done: true) {{ task {{ id }} }} }}')
    for _ in range(2):  # what is gone already is told once
        await api.data(f'mutation {{ removeNote(id: "{note}") {{ removed }} }}')
    await api.data(
        f'mutation {{ editNote(id: "{note}", text: "No") {{ problems {{ code }} }} }}'
    )  # nothing is there
    told = [
        (edge["node"]["type"], edge["node"]["kind"], edge["node"]["recordId"])
        for edge in (await api.data(FEED, {}))["changes"]["edges"]
    ]
    assert told == [
        ("TASK", "CREATED", task),
        ("NOTE", "CREATED", note),
        ("NOTE", "CHANGED", note),
        ("TASK", "CHANGED", task),
        ("NOTE", "DELETED", note),
    ]


async def test_a_decision_is_told_with_the_clients_it_was_about(api: Api) -> None:
    one, other = await two_cards(api)
    end = (await api.data(FEED, {"first": 1000}))["changes"]["pageInfo"]["endCursor"]
    merged = (await api.data(MERGE, {"a": one, "b": other}))["mergeClients"]["client"]
    card = merged["contacts"]["nodes"][1]["id"]
    await api.data(SPLIT, {"a": one, "r": [card]})
    told = [
        (edge["node"]["kind"], edge["node"]["recordId"], (edge["node"]["other"] or {}).get("id"))
        for edge in (await api.data(FEED, {"after": end}))["changes"]["edges"]
    ]
    assert ("MERGED", other, one) in told
    assert [each for each in told if each[0] == "SPLIT"] == [("SPLIT", one, other)]


async def test_the_last_cursor_leads_to_what_comes_after(api: Api) -> None:
    await note(api.market, calls([1, 2]))
    last = (await api.data("{ changes(last: 1) { nodes { recordId } pageInfo { endCursor } } }"))["changes"]
    assert last["nodes"] == [{"recordId": f"Call:{uuid('call', 2)}"}]
    after = last["pageInfo"]["endCursor"]
    empty = (await api.data(FEED, {"after": after}))["changes"]
    assert empty["edges"] == []
    assert empty["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": True, "endCursor": None}
    await note(api.market, calls([3], ChangeKind.DELETED))
    (edge,) = (await api.data(FEED, {"after": after}))["changes"]["edges"]
    assert (edge["node"]["kind"], edge["node"]["recordId"]) == ("DELETED", f"Call:{uuid('call', 3)}")


async def test_merges_name_both_and_lead_to_the_survivor(api: Api) -> None:
    one, two, three = (uuid("client", number) for number in (1, 2, 3))
    async with api.market.database.workspace(api.market.workspace_id) as db:
        await db.execute(text("update client set merged_into = :one where id = :two"), {"one": one, "two": two})
    gone: tuple[UUID | None, ...] = (None,)
    await note(
        api.market,
        Change(ChangeType.CLIENT, ChangeKind.MERGED, [two], [one]),
        Change(ChangeType.CLIENT, ChangeKind.SPLIT, [three], gone),
    )
    merged, split = (edge["node"] for edge in (await api.data(FEED))["changes"]["edges"])
    assert merged == {
        "type": "CLIENT",
        "kind": "MERGED",
        "recordId": f"Client:{two}",
        "record": {"__typename": "Client", "id": f"Client:{one}"},
        "other": {"id": f"Client:{one}"},
    }
    assert (split["kind"], split["other"]) == ("SPLIT", None)


async def test_what_a_role_sees_masked_is_masked_here(api: Api) -> None:
    await note(api.market, Change(ChangeType.CLIENT, ChangeKind.CHANGED, [uuid("client", 1)]))
    analyst = await api.as_role(Role.ANALYST)
    found = await analyst.data("{ changes { nodes { record { ... on Client { phone name } } } } }")
    assert found["changes"]["nodes"] == [{"record": {"phone": "+7 9** ***-**-01", "name": "C*** 0***"}}]


async def test_a_cursor_that_is_too_old_is_refused(api: Api) -> None:
    await note(api.market, calls([1]))
    await note(api.market, calls([2]))
    (first, second) = (await api.data(FEED))["changes"]["edges"]
    async with api.market.database.owner_engine.begin() as db:
        await db.execute(
            text("update change set at = at - interval '31 days' where :id = any(ids)"), {"id": uuid("call", 1)}
        )
    async with api.market.database.app_engine.begin() as db:
        await db.execute(text("select prune_changes(interval '30 days')"))
    assert await api.code(FEED, {"after": first["cursor"]}) == "CURSOR_EXPIRED"
    assert (await api.data(FEED, {"after": second["cursor"]}))["changes"]["edges"] == []
    assert await api.code(FEED, {"after": "rubbish"}) == "BAD_USER_INPUT"
    # Without a cursor the feed begins with the oldest change that is kept.
    assert [edge["cursor"] for edge in (await api.data(FEED))["changes"]["edges"]] == [second["cursor"]]


async def test_a_feed_is_its_workspaces_own(api: Api) -> None:
    await note(api.market, calls([1]))
    async with api.market.database.owner_engine.begin() as db:
        await db.execute(text("alter table workspace disable row level security"))
        await db.execute(
            text("insert into workspace (id, slug, title) values (:id, 'other', 'Other')"),
            {"id": uuid("workspace", 2)},
        )
        await db.execute(text("alter table workspace enable row level security"))
    stranger = Market(api.market.database, uuid("workspace", 2), uuid("kconnection", 2))
    await note(stranger, calls([2]))
    assert await all_pages(api, 10) == [f"Call:{uuid('call', 1)}"]
