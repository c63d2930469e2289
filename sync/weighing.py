"""How probable matches of a workspace are weighed: learnt every week, applied unless that changes too much, and the
thresholds that a person sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Rollback

from core.database import Database, PsycopgConnection, driver
from schema.enums import MergeKind
from sync.decisions import follow_up
from sync.errors import Refused, SettingsProblem
from sync.identity import versions
from sync.identity.learning import LEAST, count_records, learn_weights
from sync.identity.reading import lock
from sync.identity.versions import Effect, Version
from sync.settling import settle_marked

MOST_CHANGED = 0.02
"""The share of clients that weights learnt by themselves may change; what changes more is proposed."""
ALWAYS_FEW = 10
"""So many clients may always change."""
LEAST_BITS, MOST_BITS = -10.0, 60.0
"""Between what thresholds may be set."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """How matches are weighed now. ``holds`` is the version in force, ``proposed`` one that waits for a person's
    word; of ``records`` there must be ``least`` before anything can be learnt. ``learnt_at``: when it last was."""

    at: datetime
    records: int
    least: int
    holds: Version
    proposed: Version | None
    learnt_at: datetime | None

    @property
    def sentence(self) -> str:
        """How it stands, in plain words."""
        if self.holds.learnt_at is not None:
            days = (self.at - self.holds.learnt_at).days
            told = f"Weights of version {self.holds.version} hold, learnt {days} days ago from "
            told += f"{self.holds.pairs:,} pairs."
        elif self.records < self.least:
            told = (
                f"The shipped weights hold: {self.least:,} records are needed to learn, {self.records:,} are here."
            )
        else:
            told = "The shipped weights hold; the workspace's own are learnt within a week."
        if self.proposed is not None and self.proposed.effect is not None:
            told += (
                f" Version {self.proposed.version} was learnt and not applied, for it would change"
                f" {self.proposed.effect.share:.1%} of the clients: apply or dismiss it."
            )
        return told


async def weighing(database: Database, workspace_id: UUID) -> Weighing:
    """How matches are weighed now."""
    async with database.workspace(workspace_id) as db:
        conn = driver(db)
        cursor = await conn.execute(
            "select now(), max(learnt_at) from match_weights where workspace_id = %s", (workspace_id,)
        )
        ((now, learnt_at),) = await cursor.fetchall()
        return Weighing(
            at=now,
            records=await count_records(conn, workspace_id),
            least=LEAST,
            holds=await versions.holding(conn, workspace_id),
            proposed=await versions.proposed(conn, workspace_id),
            learnt_at=learnt_at,
        )


@dataclass(frozen=True, slots=True)
class Learnt:
    """A version that was learnt, what it does, and whether it was applied."""

    version: int
    effect: Effect
    applied: bool


async def learn_matches(database: Database, workspace_id: UUID, actor: str) -> Learnt | None:
    """Learn how much the agreement of records says from the workspace's own, and weigh all matches by that; what
    would change too many clients is only proposed. None if there are too few records."""
    async with database.loading(workspace_id) as db:
        conn = driver(db)
        await lock(conn, workspace_id)
        version = await learn_weights(conn, workspace_id, actor)
        if version is None:
            return None
        effect, applied = await _apply_unless_too_much(conn, workspace_id, version, actor)
    await settle_marked(database, workspace_id, None)
    return Learnt(version, effect, applied)


async def _apply_unless_too_much(
    conn: PsycopgConnection, workspace_id: UUID, version: int, actor: str
) -> tuple[Effect, bool]:
    async with conn.transaction() as tried:
        outcome, effect = await versions.apply(conn, workspace_id, version, actor)
        if effect.touched > ALWAYS_FEW and effect.share > MOST_CHANGED:
            raise Rollback(tried)
        await follow_up(conn, workspace_id, MergeKind.MERGE, outcome)
        return effect, True
    await versions.keep_effect(conn, workspace_id, version, effect)
    return effect, False


async def apply_weights(database: Database, workspace_id: UUID, version: int, actor: str) -> Effect:
    """Let a version hold that is proposed, or one that held before. 0: the shipped weights. Raises NotFound."""
    async with database.loading(workspace_id) as db:
        conn = driver(db)
        await lock(conn, workspace_id)
        if version == 0:
            version = await _version_with(conn, workspace_id, versions.NOTHING_LEARNT, None, None, actor)
        effect = await _apply(conn, workspace_id, version, actor)
    await settle_marked(database, workspace_id, None)
    return effect


async def dismiss_weights(database: Database, workspace_id: UUID, version: int, actor: str) -> None:
    """Say no to a version that is proposed. Raises NotFound."""
    async with database.loading(workspace_id) as db:
        await versions.dismiss(driver(db), workspace_id, version, actor)


async def preview_thresholds(
    database: Database, workspace_id: UUID, upper: float | None, lower: float | None
) -> Effect:
    """What setting the thresholds would do; nothing is changed. Raises Refused."""
    async with database.loading(workspace_id) as db:
        conn = driver(db)
        await lock(conn, workspace_id)
        async with conn.transaction(force_rollback=True):
            holds = await versions.holding(conn, workspace_id)
            version = await _version_with(conn, workspace_id, holds, upper, lower, "preview")
            return await versions.try_out(conn, workspace_id, version)


async def set_thresholds(
    database: Database, workspace_id: UUID, upper: float | None, lower: float | None, actor: str
) -> Effect:
    """Apply matches from ``upper`` bits on and propose them from ``lower`` on, now and after all learning to come;
    None: as the weights say. Raises Refused."""
    async with database.loading(workspace_id) as db:
        conn = driver(db)
        await lock(conn, workspace_id)
        holds = await versions.holding(conn, workspace_id)
        version = await _version_with(conn, workspace_id, holds, upper, lower, actor)
        effect = await _apply(conn, workspace_id, version, actor)
    await settle_marked(database, workspace_id, None)
    return effect


async def _apply(conn: PsycopgConnection, workspace_id: UUID, version: int, actor: str) -> Effect:
    outcome, effect = await versions.apply(conn, workspace_id, version, actor)
    await follow_up(conn, workspace_id, MergeKind.MERGE, outcome)
    return effect


async def _version_with(
    conn: PsycopgConnection,
    workspace_id: UUID,
    like: Version,
    upper: float | None,
    lower: float | None,
    actor: str,
) -> int:
    """A new version with the weights of another and these thresholds."""
    for name, bits in (("upper", upper), ("lower", lower)):
        if bits is not None and not LEAST_BITS <= bits <= MOST_BITS:
            sentence = f"A threshold is between {LEAST_BITS:g} and {MOST_BITS:g} bits."
            values = {"least": LEAST_BITS, "most": MOST_BITS}
            raise Refused([SettingsProblem(name, sentence, "THRESHOLD_OUT_OF_RANGE", values)])
    applied_from = like.weights.upper if upper is None else upper
    if (like.weights.lower if lower is None else lower) > applied_from:
        sentence = "Matches can't be proposed from a greater weight on than they are applied from."
        raise Refused([SettingsProblem("lower", sentence, "THRESHOLDS_CROSSED")])
    return await versions.add(
        conn,
        workspace_id,
        like.weights,
        like.pairs,
        actor,
        learnt_at=like.learnt_at,
        upper=upper,
        lower=lower,
    )
