"""``skvoz review``: probable matches that wait for a person's word, and learning what makes them probable."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click
from rich.markup import escape

from api.command.running import at_work, in_loop, workspace_option
from api.command.screen import open_console
from core.database import driver
from schema.enums import ProposalState
from sync.decisions import decide_proposal, learn_matches
from sync.identity.learning import LEAST
from sync.identity.queue import Waiting, waiting

ACTOR = "command"


@click.command("review")
@click.option("--same", type=click.UUID, help="The two records of this proposal are one client.")
@click.option("--different", type=click.UUID, help="They are different clients.")
@click.option("--later", type=click.UUID, help="Not now.")
@click.option("--reopen", type=click.UUID, help="Take back what was said.")
@click.option("--learn", is_flag=True, help="Learn the weights from the workspace's own records, and weigh anew.")
@click.option("--first", default=20, show_default=True, help="How many to show.")
@workspace_option
@in_loop
async def command(
    *,
    same: UUID | None,
    different: UUID | None,
    later: UUID | None,
    reopen: UUID | None,
    learn: bool,
    first: int,
    workspace: str | None,
) -> None:
    """Show probable matches that nobody has decided on yet, the likeliest first, or decide on one.

    What is said is obeyed by every sync, until it is taken back.
    """
    console = open_console()
    said = {
        ProposalState.SAME: same,
        ProposalState.DIFFERENT: different,
        ProposalState.LATER: later,
        ProposalState.OPEN: reopen,
    }
    async with at_work(workspace) as (office, workspace_id):
        if learn:
            weights = await learn_matches(office.database, workspace_id, ACTOR)
            console.print(
                f"Learnt: version {weights.version} holds from now on."
                if weights is not None
                else f"There are too few records to learn from; {LEAST:,} are needed."
            )
        for state, proposal in said.items():
            if proposal is not None:
                await decide_proposal(office.database, workspace_id, proposal, state, ACTOR)
        async with office.database.workspace(workspace_id) as db:
            found = await waiting(driver(db), workspace_id, first)
    for each in found:
        console.print(escape(_told(each)))
    if not found:
        console.print("Nothing waits for a decision.")


def _told(each: Waiting) -> str:
    sides = " | ".join(", ".join(part for part in side if part) or "nobody known" for side in each.sides)
    likely = 1 / (1 + 2**-each.score)
    return f"{each.id}  {each.score:+.1f} bits ({likely:.1%}): {sides}\n    {_made_of(each.waterfall)}"


def _made_of(waterfall: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}{f' {level}' if level else ''} {bits:+.1f}" for name, (level, bits) in waterfall.items()
    )
