# ruff: noqa: E501 - queries read better unbroken
"""Clients are found by whatever is known of them, best first; vendors' own fields are listed."""

from __future__ import annotations

import pytest

from core.database import driver
from core.roles import Role as DatabaseRole
from schema import tables as t
from schema.enums import Role
from tests.api.conftest import Api
from tests.api.market import START, open_market, uuid

SEARCH = "query ($text: String!, $first: Int! = 20) { search(text: $text, first: $first) { score field client { name } deal { title } } }"


async def people(api: Api) -> None:
    for number, name, phone, email in (
        (20, "Фёдор Кузнецов", "+79161234567", "fedor@firma.ru"),
        (21, "Кузнецов", "+79035551122", None),
        (22, "Анна Прокузнецова", "+74951234500", "anna_k@mail.ru"),
        (23, "ООО «Ромашка»", None, "info@romashka.ru"),
        (24, "100% скидка", None, None),
    ):
        await api.market.client(number, name=name, phone=phone, email=email)
    await api.market.deal(80, 23, title="Поставка насосов, Тверь", external_id="CRM-77")
    await api.market.deal(81, 24, title="Удалённая поставка", deleted_at=START)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("кузнецов", ["Кузнецов", "Фёдор Кузнецов", "Анна Прокузнецова"]),
        ("федор кузн", ["Фёдор Кузнецов"]),
        ("ромаш", ["ООО «Ромашка»"]),
        ("8 (916) 123-45-67", ["Фёдор Кузнецов"]),
        ("234-5", ["Анна Прокузнецова", "Фёдор Кузнецов"]),
        ("anna_k", ["Анна Прокузнецова"]),
        ("ANNA_K@MAIL.RU", ["Анна Прокузнецова"]),
        ("аnnaxk", []),
        ("100%", ["100% скидка"]),
        ("насос", ["ООО «Ромашка»"]),
        ("тверь постав", ["ООО «Ромашка»"]),
        ("CRM-77", ["ООО «Ромашка»"]),
        ("кузнецов ромашка", []),
        ("it's \\ here", []),
    ],
)
async def test_search(api: Api, text: str, names: list[str]) -> None:
    await people(api)
    found = (await api.data(SEARCH, {"text": text}))["search"]
    if text == "234-5":
        assert sorted(hit["client"]["name"] for hit in found) == names
    else:
        assert [hit["client"]["name"] for hit in found] == names
    scores = [hit["score"] for hit in found]
    assert scores == sorted(scores, reverse=True)


async def test_a_hit_tells_by_what(api: Api) -> None:
    await people(api)
    (by_id,) = (await api.data(SEARCH, {"text": "CRM-77"}))["search"]
    assert (by_id["field"], by_id["deal"]["title"]) == ("externalId", "Поставка насосов, Тверь")
    (by_phone,) = (await api.data(SEARCH, {"text": "+79161234567"}))["search"]
    assert (by_phone["field"], by_phone["score"]) == ("phone", 1)
    assert len((await api.data(SEARCH, {"text": "кузнецов", "first": 1}))["search"]) == 1
    for text in ("a", " ", "x" * 201):
        assert await api.code(SEARCH, {"text": text}) == "BAD_USER_INPUT"


async def test_who_sees_personal_data_masked_can_not_search_by_it(api: Api) -> None:
    await people(api)
    analyst = await api.as_role(Role.ANALYST)
    for text in ("кузнецов", "+79161234567", "anna_k"):
        assert (await analyst.data(SEARCH, {"text": text}))["search"] == []
    assert len((await analyst.data(SEARCH, {"text": "CRM-77"}))["search"]) == 1


async def test_search_stays_within_the_workspace_and_uses_the_index(api: Api) -> None:
    other = await open_market(api.market.database, 2)
    await other.client(20, name="Кузнецов чужой")
    assert (await api.data(SEARCH, {"text": "чужой"}))["search"] == []
    async with api.market.database.workspace(api.market.workspace_id) as connection:
        app = driver(connection)
        unbound = await app.execute(
            "select set_config('skvoz.workspace_id', '', true), (select count(*) from search_clients("
            "array['кузнецов'], array['кузнецов'], 'кузнецов', null, true, 10))"
        )
        assert (await unbound.fetchone() or ())[1] == 0
    import psycopg

    async with await psycopg.AsyncConnection.connect(api.market.database.conninfo(DatabaseRole.OWNER)) as owner:
        await owner.execute(
            "insert into client (workspace_id, id, kind, name, founded_at, last_seen_at) "
            "select workspace_id, gen_random_uuid(), 'person', md5(n::text), now(), now() "
            "from client, generate_series(1, 1000) n where name = 'Client 001'"
        )
        await owner.execute("analyze client")
        plan = await owner.execute(
            "explain select id from client where merged_into is null and search_tokens(workspace_id, "
            "search_text(name, phone, email)) @> array['x']"
        )
        assert "ix_client_search" in str(await plan.fetchall())


async def test_the_campaign_tree_is_reached_in_both_directions(api: Api) -> None:
    market = api.market
    group = {**market.unified("group", 1), "external_id": "g-1"}
    await market.add(t.AdGroup, [{**group, "campaign_id": uuid("Gcampaign", 1), "name": "Group"}])
    await market.add(
        t.Ad, [{**market.unified("ad", 1), "external_id": "a-1", "ad_group_id": group["id"], "title": "Ad"}]
    )
    await market.add(
        t.Keyword,
        [{**market.unified("word", 1), "external_id": "k-1", "ad_group_id": group["id"], "text": "pumps"}],
    )
    await market.call(990, 1, campaign_id=uuid("Gcampaign", 1), ad_group_key="g-1", ad_key="a-1", keyword_key="k-1")
    await market.call(991, 1, campaign_id=uuid("Gcampaign", 2), ad_group_key="g-1", ad_key="a-1")
    call = f"Call:{uuid('call', 990)}"
    data = await api.data(
        f"""{{ call(id: "{call}") {{ adGroup {{ name campaign {{ name }} ads {{ nodes {{ title calls {{ nodes {{ id }} }} }} }}
             keywords {{ nodes {{ text adGroup {{ name }} calls {{ totalCount }} }} }} calls {{ totalCount }} }} ad {{ title }} keyword {{ text }} }}
           campaigns(first: 1) {{ nodes {{ adGroups {{ nodes {{ name }} }} }} }}
           calls {{ groupBy(by: [{{dimension: KEYWORD}}], having: [{{measure: COUNT, lt: "5"}}]) {{ key {{ keyword {{ text }} }} aggregates {{ count }} }} }}
           only: calls(filter: {{ad: {{is: {{title: {{eq: "Ad"}}}}}}}}) {{ nodes {{ id }} }} }}"""
    )
    assert data["call"] == {
        "adGroup": {
            "name": "Group",
            "campaign": {"name": "Campaign 1"},
            "ads": {"nodes": [{"title": "Ad", "calls": {"nodes": [{"id": call}]}}]},
            "keywords": {"nodes": [{"text": "pumps", "adGroup": {"name": "Group"}, "calls": {"totalCount": 1}}]},
            "calls": {"totalCount": 1},
        },
        "ad": {"title": "Ad"},
        "keyword": {"text": "pumps"},
    }
    assert data["campaigns"]["nodes"] == [{"adGroups": {"nodes": [{"name": "Group"}]}}]
    assert data["calls"]["groupBy"] == [{"key": {"keyword": {"text": "pumps"}}, "aggregates": {"count": 1}}]
    assert data["only"]["nodes"] == [{"id": call}]
