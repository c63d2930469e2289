"""Probable matches that wait for a person's word."""

from __future__ import annotations

from api.graphql.declare import Entity, Kind, One, Reference, column, computed, table_of
from api.graphql.model.parties import SURVIVOR
from api.graphql.model.shared import node_id
from schema import tables as t
from schema.enums import ProposalState

_RECORDS = ("Contact", "Company", "Lead", "Call", "Order", "Message")
_KIND = "case {x}.KIND when 'sales_order' then 'Order' else initcap({x}.KIND) end"


def _record(name: str, which: str, kind: str, id: str) -> Reference:
    return Reference(
        name=name,
        description=f"The {which} of the two records; its fields say what it tells.",
        targets=_RECORDS,
        kind=_KIND.replace("KIND", kind),
        id="{x}." + id,
    )


def _client(name: str, which: str, key: str) -> One:
    return One(
        name=name,
        target="Client",
        description=f"The client that the {which} record is of now; null if nothing tells whose it is.",
        on="{t}.id = " + SURVIVOR.replace("{id}", "{x}." + key),
    )


MATCH_PROPOSAL = Entity(
    name="MatchProposal",
    table=table_of(t.MatchProposal),
    description=(
        "Two records that are probably one client's, and not so surely that it is done without asking. It waits "
        "for a person's word, which every sync obeys."
    ),
    order=(("score", True),),
    own=(
        "exists(select from client oc where oc.workspace_id = {x}.workspace_id "
        "and oc.id in ({x}.client_id, {x}.other_client_id) and oc.responsible_id = any(%(own)s::uuid[]))"
    ),
    fields=(
        node_id("MatchProposal"),
        column(t.MatchProposal.state, "What a person said to it.", enum=ProposalState, filterable=True),
        column(
            t.MatchProposal.pending,
            "Whether the records still say so. What isn't pending was decided, or the records have changed.",
            filterable=True,
        ),
        column(
            t.MatchProposal.score,
            "The weight of all evidence in bits: 1 says two to one that the two are one, 10 a thousand to one.",
            filterable=True,
            sortable=True,
        ),
        computed(
            "probability",
            Kind.FLOAT,
            "1 / (1 + power(2::float8, -{x}.score))",
            "The same as a probability.",
            nullable=False,
        ),
        column(
            t.MatchProposal.waterfall,
            "What the weight is made of: a JSON object from each comparison to its level and its weight in bits; "
            "`prior` is what holds of any two records.",
        ),
        _record("record", "first", "record_kind", "record_id"),
        _record("otherRecord", "second", "other_kind", "other_id"),
        _client("client", "first", "client_id"),
        _client("otherClient", "second", "other_client_id"),
        column(t.MatchProposal.proposed_at, "When it was first proposed.", filterable=True, sortable=True),
        column(t.MatchProposal.decided_at, "When a person said what it is."),
        column(t.MatchProposal.actor, "Public part of the API key with which that was said."),
    ),
)

ENTITIES = (MATCH_PROPOSAL,)
