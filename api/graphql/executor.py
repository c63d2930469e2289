"""Lets a resolver answer with JSON that PostgreSQL has already written."""

from __future__ import annotations

from typing import Any

import orjson
from graphql import GraphQLOutputType
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class FragmentExecutor(StrawberryGraphQLCoreExecutionContext):
    """GraphQL's execution, except that an `orjson.Fragment` is a value complete as it is: the planner has
    walked its selection, so nothing below it is resolved again."""

    def complete_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: Any,
        info: Any,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        if isinstance(result, orjson.Fragment):
            return result
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)
