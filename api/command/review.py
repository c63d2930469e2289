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
from sync.decisions import decide_proposal
from sync.identity.learning import LEAST
from sync.identity.queue import Waiting, waiting
from sync.identity.versions import Effect
from sync.weighing import (
    apply_weights,
    dismiss_weights,
    learn_matches,
    preview_thresholds,
    set_thresholds,
    weighing,
)

ACTOR = "command"


@click.command("review")
@click.option("--same", type=click.UUID, help="The two records of this proposal are one client.")
@click.option("--different", type=click.UUID, help="They are different clients.")
@click.option("--later", type=click.UUID, help="Not now.")
@click.option("--reopen", type=click.UUID, help="Take back what was said.")
@click.option("--learn", is_flag=True, help="Learn the weights from the workspace's own records, and weigh anew.")
@click.option("--use", type=int, help="Let this version of the weights hold, which is proposed or held before.")
@click.option("--dismiss", type=int, help="Say no to the version of the weights that is proposed.")
@click.option("--upper", type=float, help="Apply matches from so many bits on. Shows the effect; --yes sets it.")
@click.option("--lower", type=float, help="Propose matches from so many bits on. Shows the effect; --yes sets it.")
@click.option(
    "--usual", is_flag=True, help="Let the weights tell both thresholds. Shows the effect; --yes sets it."
)
@click.option("--yes", is_flag=True, help="Set the thresholds, rather than show what that would do.")
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
    use: int | None,
    dismiss: int | None,
    upper: float | None,
    lower: float | None,
    usual: bool,
    yes: bool,
    first: int,
    workspace: str | None,
) -> None:
    """Show probable matches that nobody has decided on yet, the likeliest first, or decide on one.

    What is said is obeyed by every sync, until it is taken back. Weights are learnt anew every week; a version that
    would change too many clients waits for --use or --dismiss.
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
            learnt = await learn_matches(office.database, workspace_id, ACTOR)
            if learnt is None:
                console.print(f"There are too few records to learn from; {LEAST:,} are needed.")
            elif learnt.applied:
                console.print(f"Learnt: version {learnt.version} holds from now on. {_done(learnt.effect)}")
        if use is not None:
            console.print(_done(await apply_weights(office.database, workspace_id, use, ACTOR)))
        if dismiss is not None:
            await dismiss_weights(office.database, workspace_id, dismiss, ACTOR)
        if usual or upper is not None or lower is not None:
            if yes:
                console.print(_done(await set_thresholds(office.database, workspace_id, upper, lower, ACTOR)))
            else:
                effect = await preview_thresholds(office.database, workspace_id, upper, lower)
                console.print(f"Nothing is changed yet: with --yes it would be so. {_done(effect)}")
        for state, proposal in said.items():
            if proposal is not None:
                await decide_proposal(office.database, workspace_id, proposal, state, ACTOR)
        async with office.database.workspace(workspace_id) as db:
            found = await waiting(driver(db), workspace_id, first)
        weighed = await weighing(office.database, workspace_id)
    for each in found:
        console.print(escape(_told(each)))
    if not found:
        console.print("Nothing waits for a decision.")
    upper_now, lower_now = weighed.holds.thresholds
    console.print(f"{weighed.sentence} Applied from {upper_now:g} bits on, proposed from {lower_now:g}.")


def _done(effect: Effect) -> str:
    return (
        f"Of {effect.clients:,} clients {effect.touched:,} change: {effect.merged:,} merged,"
        f" {effect.parted:,} parted; {effect.proposed:,} matches more are proposed, {effect.withdrawn:,} withdrawn."
    )


def _told(each: Waiting) -> str:
    sides = " | ".join(", ".join(part for part in side if part) or "nobody known" for side in each.sides)
    likely = 1 / (1 + 2**-each.score)
    return f"{each.id}  {each.score:+.1f} bits ({likely:.1%}): {sides}\n    {_made_of(each.waterfall)}"


def _made_of(waterfall: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}{f' {level}' if level else ''} {bits:+.1f}" for name, (level, bits) in waterfall.items()
    )
