"""Cards merged in the vendor's system, and parted again: who is who follows, and nothing counts twice."""

from __future__ import annotations

from sandbox.server import Sandbox
from tests.sync.conftest import Bench
from tests.sync.verify.conftest import stream_of, there, verify

TWO = """
select min(c.source_id), c.client_id from contact c
join deal d on d.contact_id = c.id and d.workspace_id = c.workspace_id
where cardinality(c.phones) > 0 and (select count(*) from contact o where o.client_id = c.client_id) = 1
group by c.client_id order by min(c.source_id) limit 2
"""


async def test_a_merged_card_points_to_the_survivor_and_comes_back_when_they_are_parted(
    bench: Bench, small_market: Sandbox
) -> None:
    connection = await bench.connect(small_market, "bitrix24")
    await bench.sync(connection)
    (stays, its_client), (goes, other_client) = await bench.rows(TWO)
    sums = "select count(*), sum(amount) from deal where deleted_at is null"
    won = "select sum(won_deals), sum(revenue) from rollup_month"
    before, figures = await bench.rows(sums), await bench.rows(won)
    state = await bench.state()
    now = int(small_market.now().timestamp())
    (card,) = there(small_market, "select * from bitrix24_contact where ID = ?", goes)
    (changed,) = there(small_market, "select DATE_MODIFY from bitrix24_contact where ID = ?", stays)[0]
    fields = there(
        small_market, "select ID from bitrix24_multifield where OWNER_ID = ? and OWNER = 'CONTACT'", goes
    )
    assert fields
    deals = there(small_market, "select ID, DATE_MODIFY from bitrix24_deal where CONTACT_ID = ?", goes)
    rehang = "update bitrix24_deal set CONTACT_ID = ?, DATE_MODIFY = ? where ID = ?"
    owner = "update bitrix24_multifield set OWNER_ID = ? where ID = ?"
    for (id,) in fields:
        there(small_market, owner, stays, id)
    for id, _ in deals:
        there(small_market, rehang, stays, now, id)
    there(small_market, "update bitrix24_contact set DATE_MODIFY = ? where ID = ?", now, stays)
    there(small_market, "delete from bitrix24_contact where ID = ?", goes)

    await bench.sync(connection)
    verified = await verify(bench, connection)

    assert stream_of(verified, "contacts").deleted == 1
    assert await bench.rows("select source_id from contact where deleted_at is not null") == [(goes,)]
    owners = await bench.rows(
        "select distinct client_id from deal where contact_id in (select id from contact where source_id = :id)",
        id=stays,
    )
    assert len(owners) == 1
    survivor = owners[0][0]
    assert {its_client, other_client} >= {survivor}
    (merged,) = {its_client, other_client} - {survivor}
    assert await bench.value("select merged_into from client where id = :id", id=merged) == survivor
    assert (
        await bench.value(
            "select count(*) from merge_log where kind = 'merge' and client_id = :one and other_id = :other",
            one=survivor,
            other=merged,
        )
        == 1
    )
    assert await bench.rows(sums) == before
    assert await bench.rows(won) == figures
    assert await bench.unsettled() == []

    later = now + 1
    marks = ", ".join("?" for _ in card)
    there(small_market, f"insert into bitrix24_contact values ({marks})", *card)  # noqa: S608
    there(small_market, "update bitrix24_contact set DATE_MODIFY = ? where ID in (?, ?)", later, stays, goes)
    for (id,) in fields:
        there(small_market, owner, goes, id)
    for id, _ in deals:
        there(
            small_market, "update bitrix24_deal set CONTACT_ID = ?, DATE_MODIFY = ? where ID = ?", goes, later, id
        )
    await bench.sync(connection)

    assert await bench.rows("select source_id from contact where deleted_at is not null") == []
    assert await bench.rows(TWO) == [(stays, its_client), (goes, other_client)]
    assert await bench.rows(sums) == before
    assert (await bench.state())["partition"] == state["partition"]
    assert changed < later
    assert await bench.unsettled() == []
