"""The queries that are measured, as each contender wants them asked, and what makes their answers equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.graphql.seed import CLIENT, WORKSPACE

_FIGURES = "name cost impressions clicks visits calls leads newClients wonDeals revenue"
_COMPARED = {"name", "phone", "title", "answered", "talkSeconds", "totalCount", "clicks", "leads"}
_FROM, _TO = "2026-02-01T00:00:00Z", "2026-02-08T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question in three dialects."""

    title: str
    skvoz: str
    postgraphile: str
    strawberry: str


_SKVOZ_CARD = """id name phone
    calls(first: 10) { nodes { id startedAt answered talkSeconds campaign { name } } }
    deals(first: 5) { nodes { id title amount createdAt campaign { name } } }"""
_POSTGRAPHILE_CARD = """id name phone
    calls(first: 10, orderBy: STARTED_AT_DESC) { nodes { id startedAt answered talkSeconds campaign { name } } }
    deals(first: 5, orderBy: CREATED_AT_DESC) { nodes { id title amount createdAt campaign { name } } }"""
_STRAWBERRY_CARD = """id name phone
    calls(first: 10) { id startedAt answered talkSeconds campaign { name } }
    deals(first: 5) { id title amount createdAt campaign { name } }"""

QUERIES = (
    Asked(
        "one client with calls, deals, campaigns",
        f'{{ client(id: "Client:{CLIENT}") {{ {_SKVOZ_CARD} }} }}',
        f'{{ clientByWorkspaceIdAndRowId(workspaceId: "{WORKSPACE}", rowId: "{CLIENT}") '
        f"{{ {_POSTGRAPHILE_CARD} }} }}",
        f'{{ client(id: "{CLIENT}") {{ {_STRAWBERRY_CARD} }} }}',
    ),
    Asked(
        "100 clients × 10 calls × 5 deals",
        f"{{ clients(first: 100) {{ nodes {{ {_SKVOZ_CARD} }} }} }}",
        "{ allClients(first: 100, orderBy: LAST_SEEN_AT_DESC, filter: {mergedInto: {isNull: true}}) "
        f"{{ nodes {{ {_POSTGRAPHILE_CARD} }} }} }}",
        f"{{ clients(first: 100) {{ {_STRAWBERRY_CARD} }} }}",
    ),
    Asked(
        "1,000 calls with their client",
        "{ calls(first: 1000) { nodes { id startedAt answered client { name } } } }",
        "{ allCalls(first: 1000, orderBy: STARTED_AT_DESC) { nodes { id startedAt answered client { name } } } }",
        "{ calls(first: 1000) { id startedAt answered client { name } } }",
    ),
    Asked(
        "filtered page with totalCount",
        "{ calls(first: 20, filter: {answered: {eq: true}, talkSeconds: {gte: 200}, "
        f'startedAt: {{gte: "{_FROM}", lt: "{_TO}"}}}}) {{ totalCount nodes {{ id startedAt }} }} }}',
        "{ allCalls(first: 20, orderBy: STARTED_AT_DESC, filter: {answered: {equalTo: true}, "
        "talkSeconds: {greaterThanOrEqualTo: 200}, deletedAt: {isNull: true}, "
        f'startedAt: {{greaterThanOrEqualTo: "{_FROM}", lessThan: "{_TO}"}}}}) '
        "{ totalCount nodes { id startedAt } } }",
        f'{{ answeredCalls(first: 20, talkedFor: 200, since: "{_FROM}", until: "{_TO}") '
        "{ totalCount nodes { id startedAt } } }",
    ),
    Asked(
        "campaign report of half a year",
        f'{{ campaignReport(from: "2026-01-01", to: "2026-06-30") {{ rows {{ {_FIGURES} }} }} }}',
        f'{{ campaignFigures(firstDay: "2026-01-01", lastDay: "2026-06-30") {{ nodes {{ {_FIGURES} }} }} }}',
        f'{{ campaignReport(first: "2026-01-01", last: "2026-06-30") {{ {_FIGURES} }} }}',
    ),
)


def told(answer: Any) -> list[str]:
    """What an answer says, whatever its shape: dialects differ in wrapping, ids and the spelling of times."""
    if isinstance(answer, list):
        return sorted(value for each in answer for value in told(each))
    if not isinstance(answer, dict):
        return []
    found = [f"{key} {_plain(value)}" for key, value in answer.items() if key in _COMPARED]
    return sorted([*found, *(value for each in answer.values() for value in told(each))])


def _plain(value: Any) -> str:
    return str(value).removesuffix(".00")
