"""What a person says to a proposal: the same client, different ones, or later. Kept, obeyed by every sync, undone.

It works in the caller's transaction, like `sync.identity.decisions`; afterwards the caller refreshes the golden
records and the figures of the clients touched.
"""

from __future__ import annotations

from uuid import UUID, uuid4

from schema.enums import ProposalState
from sync.identity import decisions, reading
from sync.identity.absorb import Outcome
from sync.identity.decisions import DecisionRefused
from sync.identity.queue import stored_proposal, write_state
from sync.identity.reading import Conn


async def decide(conn: Conn, workspace_id: UUID, proposal_id: UUID, said: ProposalState, actor: str) -> Outcome:
    """Say what a proposal is; ``open`` takes back what was said. ``actor`` is the token that asked.

    Another decision made on the same proposal before is taken back first. Raises DecisionRefused.
    """
    await reading.lock(conn, workspace_id)
    proposal = await stored_proposal(conn, workspace_id, proposal_id)
    if proposal is None:
        raise DecisionRefused("There is no such proposal; the records may have changed since it was made.")
    if proposal["state"] == said:
        return Outcome()
    outcome = Outcome()
    if proposal["decision"] is not None:
        outcome = await decisions.take_back(conn, workspace_id, proposal["decision"], actor)
        await write_state(conn, workspace_id, proposal_id, ProposalState.OPEN, None, actor)
    decision = uuid4() if said in (ProposalState.SAME, ProposalState.DIFFERENT) else None
    if decision is not None:
        do = decisions.say_same if said is ProposalState.SAME else decisions.say_different
        # Kept first: the proposal falls by what is decided, and an open one that falls is forgotten.
        await write_state(conn, workspace_id, proposal_id, said, decision, actor)
        done = await do(conn, workspace_id, proposal["one"], proposal["other"], decision, actor)
        outcome.touched |= done.touched
        outcome.unowned |= done.unowned
        outcome.new_clients |= done.new_clients
        outcome.decided += done.decided
    elif await stored_proposal(conn, workspace_id, proposal_id) is not None:
        await write_state(conn, workspace_id, proposal_id, said, None, actor)
    return outcome
