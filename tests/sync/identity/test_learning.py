"""What a workspace learns from its own records, without an example, and that all matches follow it."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest

from schema.records import ContactRecord
from sync.identity import absorb, candidate_of, versions
from sync.identity.learning import LEAST, learn, learn_weights
from sync.identity.probable import weights_of
from sync.identity.traits import Traits
from sync.identity.weights import SHIPPED
from tests.sync.identity.test_absorb import BITRIX, Conn, day
from tests.sync.identity.test_probable_any_order import look

SURNAMES = (
    "Иванов",
    *(f"{a}{b}ин" for a in ("Бар", "Вол", "Гор", "Дуб", "Жар") for b in ("анц", "окит", "еж", "уш")),
)


def people(count: int, seed: int) -> list[ContactRecord]:
    """Cards of as many people; every third has a second card of the same name with another mailbox's domain."""
    rng, cards = Random(seed), []  # noqa: S311
    for number in range(count):
        surname = "Иванов" if rng.random() < 0.3 else rng.choice(SURNAMES)
        name = f"{rng.choice(('Тимур', 'Глеб', 'Олег', 'Борис'))} {surname}"
        cards += [
            ContactRecord(
                external_id=f"{number}-{copy}",
                name=name,
                emails=(f"person{number:05d}@{('mail.ru', 'bk.ru')[copy]}",),
                created_at=day(0) + timedelta(minutes=rng.randrange(500_000)),
            )
            for copy in range(1 + (number % 3 == 0))
        ]
    return cards


def test_common_names_come_to_say_less_and_what_matches_share_more() -> None:
    told = [candidate_of(card, BITRIX, "RU") for card in people(1500, 3)]
    traits: list[Traits] = [each.traits for each in told if each is not None and each.traits is not None]
    weights, pairs = learn(traits, len(traits), 1)
    assert pairs > 400
    assert weights.names["ivanov"] == pytest.approx(0.34, abs=0.06)
    both = ("full", *["unknown"] * 9)
    common = weights.weigh(both, ("ivanov", "#61"))["name"]
    rare = weights.weigh(both, ("barancin", "#61"))["name"]
    assert rare > common + 2
    assert weights.m["email"]["other provider"] > 10 * SHIPPED.m["email"]["other provider"]
    assert learn(traits, len(traits), 1) == (weights, pairs)


async def test_all_matches_follow_the_newest_weights(conn: Conn) -> None:
    cards = people(LEAST, 4)
    candidates = [found for card in cards if (found := candidate_of(card, BITRIX, "RU")) is not None]
    workspace_id, later = uuid4(), uuid4()
    assert await learn_weights(conn, workspace_id, "test") is None
    await absorb(conn, workspace_id, candidates, None)
    version = await learn_weights(conn, workspace_id, "test")
    assert version == 1
    assert await weights_of(conn, workspace_id) == SHIPPED  # it is learnt, and doesn't hold before it is applied
    waiting = await versions.proposed(conn, workspace_id)
    assert waiting is not None
    before = await look(conn, workspace_id)
    foreseen = await versions.try_out(conn, workspace_id, version)
    assert await look(conn, workspace_id) == before
    _, effect = await versions.apply(conn, workspace_id, version, "test")
    assert effect == foreseen
    assert await weights_of(conn, workspace_id) == waiting.weights
    assert (await versions.holding(conn, workspace_id)).effect == effect
    await conn.execute(
        "insert into match_weights (workspace_id, version, weights, pairs, actor, applied_at)"
        " select %s, version, weights, pairs, actor, applied_at from match_weights where workspace_id = %s",
        (later, workspace_id),
    )
    await absorb(conn, later, candidates, None)
    assert await look(conn, workspace_id) == await look(conn, later)
