"""The GraphQL schema as a whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.types import ExecutionContext
from strawberry.types.execution import PreExecutionError

from api.graphql import doors, scalars, searching, webhooks
from api.graphql.attributing import attribution_roots
from api.graphql.build import add_fields, object_type
from api.graphql.catalogue import catalogue_fields
from api.graphql.changing import changing_roots
from api.graphql.closed_periods import closed_period_fields
from api.graphql.deciding import preview_fields
from api.graphql.direct import Direct
from api.graphql.documents import Documents, KnownDocuments
from api.graphql.doors import door_fields, door_roots
from api.graphql.executor import FragmentExecutor
from api.graphql.feed import CHANGE, feed_roots
from api.graphql.files import file_fields
from api.graphql.golden import golden_fields
from api.graphql.limits import Limits
from api.graphql.mapping_fields import mapping_fields
from api.graphql.matching import matching_fields, matching_roots
from api.graphql.missing import missing_fields
from api.graphql.model import (
    attribution,
    changed,
    custom_fields,
    figures,
    health,
    interactions,
    marketing,
    matching,
    operation,
    outbox,
    parties,
    report,
    sales,
    verifying,
    work,
)
from api.graphql.mutations import mutation_type
from api.graphql.outbox import outbox_fields, outbox_roots
from api.graphql.reconciling import reconciling_fields
from api.graphql.replaying import replaying_fields
from api.graphql.report import any_report_roots
from api.graphql.report_rules import report_rule_fields
from api.graphql.report_settings import report_setting_fields
from api.graphql.reporting import report_roots
from api.graphql.roots import Root, query_roots
from api.graphql.run import PlannedField
from api.graphql.searching import search_roots
from api.graphql.stored import StoredDocuments
from api.graphql.subscriptions import subscription_type
from api.graphql.types import Types
from api.graphql.webhooks import webhook_roots
from api.graphql.weighing import weighing_fields
from api.graphql.write_rules import write_rule_fields
from core.errors import SkvozError

ENTITIES = (
    *parties.ENTITIES,
    *matching.ENTITIES,
    *interactions.ENTITIES,
    *sales.ENTITIES,
    *marketing.ENTITIES,
    *operation.ENTITIES,
    *verifying.ENTITIES,
    *health.ENTITIES,
    *figures.ENTITIES,
    *attribution.ENTITIES,
    *changed.ENTITIES,
    *report.ENTITIES,
    *searching.ENTITIES,
    *custom_fields.ENTITIES,
    *work.ENTITIES,
    CHANGE,
    *webhooks.ENTITIES,
    *doors.ENTITIES,
    *outbox.ENTITIES,
)


class Schema(strawberry.Schema):
    """Strawberry's schema, without its log: what goes wrong on our side is logged where it gets its reference
    (`api.graphql.errors`), and the callers' faults aren't worth a stack trace."""

    direct: Direct
    """Answers known operations the short way."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        return None

    async def stream(self, *arguments: Any, **named: Any) -> AsyncGenerator[Any, None]:
        """Results one after another. What is refused before execution is a result too, as it is elsewhere."""
        return _with_refusals(await super().stream(*arguments, **named))


async def _with_refusals(results: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    async with aclosing(results):
        try:
            async for result in results:
                yield result
        except GraphQLError as error:
            yield PreExecutionError(data=None, errors=[error])
        except SkvozError as error:
            yield PreExecutionError(data=None, errors=[GraphQLError(str(error), original_error=error)])


def build_schema(limits: Limits | None = None, stored: StoredDocuments | None = None) -> Schema:
    """The schema, with its planned fields in place."""
    documents = Documents(limits or Limits(), stored or StoredDocuments())
    types = Types(ENTITIES)
    roots = [
        *query_roots(types),
        *report_roots(types),
        *attribution_roots(types),
        *changing_roots(types),
        *any_report_roots(types),
        *search_roots(types),
        *matching_roots(types),
        *feed_roots(types),
        *webhook_roots(types),
        *door_roots(types),
        *outbox_roots(types),
    ]
    query = object_type("Query", "Everything that can be read.")
    add_fields(
        query,
        [
            *(root.field for root in roots),
            *catalogue_fields(),
            *report_setting_fields(),
            *report_rule_fields(),
            *closed_period_fields(),
            *missing_fields(types),
            *reconciling_fields(),
            *preview_fields(types),
            *matching_fields(types),
            *replaying_fields(types),
            *mapping_fields(),
            *file_fields(),
            *door_fields(),
            *outbox_fields(types),
            *write_rule_fields(),
            *golden_fields(),
            *weighing_fields(),
        ],
    )
    mutation, payloads = mutation_type(types)
    subscription, live = subscription_type(types)
    schema = Schema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        types=types.nodes(),
        config=scalars.config(),
        execution_context_class=FragmentExecutor,
        extensions=[lambda: KnownDocuments(documents)],
    )
    schema.direct = Direct(schema._schema, documents)
    for parent, planned in {"Query": roots, **payloads}.items():
        plan_fields(schema, types, parent, planned)
    plan_fields(schema, types, "Subscription", [each.root for each in live])
    told: Any = schema._schema.type_map["Subscription"]
    for each in live:
        told.fields[each.root.field.graphql_name].subscribe = each.subscribe
    return schema


def plan_fields(schema: strawberry.Schema, types: Types, parent: str, roots: list[Root]) -> None:
    """Give the planned fields their resolver, below Strawberry's: it would make objects of the arguments,
    and the planner reads them out of the document itself."""
    fields: Any = schema._schema.type_map[parent]
    for root in roots:
        fields.fields[root.field.graphql_name].resolve = PlannedField(
            types.entities,
            root.expression,
            by_value=root.by_value,
            roles=root.roles,
            of_source=root.of_source,
            prepare=root.prepare,
        )
