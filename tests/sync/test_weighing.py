"""Weekly learning and its brake, what a person says to it, and thresholds of one's own."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from core.database import Database, driver
from schema.records import ContactRecord
from sync import weighing
from sync.errors import NotFound, Refused
from sync.identity import absorb, candidate_of
from sync.jobs import Jobs
from sync.office import Office, create_workspace
from tests.sync.identity.test_absorb import BITRIX, day

FEW = 24
SURNAMES = "Барокитин Волежин Горушин Дубанцин Жаренин Зимовкин Калюжин Ладогин Мережин Невьянцин Ольшанин Пестунин"
NAMES = [
    f"{first} {surname}" for first, surname in zip(("Тимур", "Глеб", "Олег") * 4, SURNAMES.split(), strict=True)
]


def cards() -> list[ContactRecord]:
    """Two cards of each of some people, the day of birth the same, the phone another by one digit."""
    return [
        ContactRecord(
            external_id=f"{number}-{copy}",
            name=name,
            phones=(f"+7916{number:03d}{copy}{number + 11:03d}",),
            birthday=date(1960, 1, 7) + timedelta(days=997 * number),
            created_at=day(3 * number + 40 * copy),
        )
        for number, name in enumerate(NAMES)
        for copy in range(2)
    ]


@pytest.fixture
async def workspace(office: Office, monkeypatch: pytest.MonkeyPatch) -> UUID:
    monkeypatch.setattr("sync.identity.learning.LEAST", FEW)
    monkeypatch.setattr("sync.jobs.LEAST", FEW)
    id = await create_workspace(office, "test", "Test")
    candidates = [found for card in cards() if (found := candidate_of(card, BITRIX, "RU")) is not None]
    async with office.database.loading(id) as db:
        await absorb(driver(db), id, candidates, None)
    return id


async def pairs(database: Database, workspace: UUID) -> int:
    """How many people are known by both of their cards."""
    async with database.workspace(workspace) as db:
        statement = text(
            "select count(*) - count(distinct client_id) from identity_record where client_id is not null"
        )
        found: int = (await db.execute(statement)).scalar_one()
        return found


async def due(database: Database) -> list[UUID]:
    async with database.app_engine.begin() as db:
        return list(
            (await db.execute(text("select workspace_id from due_learning(:few, 9)"), {"few": FEW})).scalars()
        )


async def test_thresholds_tell_their_effect_before_they_hold_and_survive_learning(
    database: Database, workspace: UUID
) -> None:
    whole = await pairs(database, workspace)
    assert whole == len(NAMES)
    foreseen = await weighing.preview_thresholds(database, workspace, 40.0, 5.0)
    assert (foreseen.parted, foreseen.proposed) == (whole, whole)
    assert await pairs(database, workspace) == whole
    assert await weighing.set_thresholds(database, workspace, 40.0, 5.0, "t") == foreseen
    assert await pairs(database, workspace) == 0
    back = await weighing.set_thresholds(database, workspace, None, None, "t")
    assert (back.merged, back.withdrawn) == (whole, whole)
    await weighing.set_thresholds(database, workspace, 40.0, 5.0, "t")
    learnt = await weighing.learn_matches(database, workspace, "t")
    assert learnt is not None
    assert learnt.applied
    now = await weighing.weighing(database, workspace)
    assert (now.holds.version, now.holds.thresholds) == (learnt.version, (40.0, 5.0))
    with pytest.raises(Refused, match="greater weight"):
        await weighing.set_thresholds(database, workspace, 5.0, 8.0, "t")
    with pytest.raises(Refused, match="between"):
        await weighing.preview_thresholds(database, workspace, 99.0, None)


async def test_a_week_s_learning_that_would_change_too_much_waits_for_a_word(
    office: Office, database: Database, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await weighing.set_thresholds(database, workspace, 40.0, None, "t")
    assert await pairs(database, workspace) == 0
    assert await due(database) == [workspace]
    monkeypatch.setattr(weighing, "ALWAYS_FEW", 3)
    async with Jobs(office).opened() as jobs:
        await jobs._enqueue_learning(0)
        async with database.workspace(workspace) as db:
            await driver(db).execute("update match_weights set upper = 1")  # so that learning changes everything
        await jobs._learn_matches(str(workspace))
    now = await weighing.weighing(database, workspace)
    assert now.proposed is not None
    assert now.proposed.effect is not None
    assert now.proposed.effect.merged == len(NAMES)
    assert "would change" in now.sentence
    assert await pairs(database, workspace) == 0
    assert await due(database) == []
    await weighing.dismiss_weights(database, workspace, now.proposed.version, "t")
    assert (await weighing.weighing(database, workspace)).proposed is None
    with pytest.raises(NotFound):
        await weighing.dismiss_weights(database, workspace, now.proposed.version, "t")
    await weighing.apply_weights(database, workspace, now.proposed.version, "t")
    assert await pairs(database, workspace) == len(NAMES)
    await weighing.set_thresholds(database, workspace, 40.0, None, "t")
    undone = await weighing.apply_weights(database, workspace, now.proposed.version, "t")
    assert undone.merged == len(NAMES)
    async with database.workspace(workspace) as db:
        await db.execute(text("update match_weights set learnt_at = learnt_at - interval '8 days'"))
    assert await due(database) == [workspace]
