"""What callers may change. A mutation answers with what it wrote, or with what is wrong with its input, field by
field; the rows that it wrote are read by the planner like any others."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.graphql.build import add_fields, object_type, optional
from api.graphql.build import field as graphql_field
from api.graphql.closed_periods import closed_period_mutations
from api.graphql.connecting import connecting_mutations
from api.graphql.deciding import decision_mutations
from api.graphql.doors import door_mutations
from api.graphql.entering import entering_mutations
from api.graphql.enums import ENUMS
from api.graphql.golden import golden_mutations
from api.graphql.mapping_fields import mapping_mutations
from api.graphql.matching import matching_mutations
from api.graphql.once import IdempotencyKey, SealedAnswers, once
from api.graphql.outbox import outbox_mutations
from api.graphql.problems import InputRefused, problem, row_id, short_text
from api.graphql.report_rules import report_rule_mutations
from api.graphql.report_settings import report_setting_mutations
from api.graphql.roots import Root, payload
from api.graphql.scalars import DateTimeText
from api.graphql.types import Types
from api.graphql.webhooks import webhook_mutations
from api.graphql.weighing import weighing_mutations
from api.graphql.write_rules import write_rule_mutations
from api.graphql.writing import work_mutations
from api.graphql.written import Info, Written, act, allowed, payload_type
from api.tokens import create_token, public_id, revoke_token
from schema.enums import ManagersSee, Role
from schema.tables import Workspace

_OWNS = frozenset({Role.OWNER})
_LONGEST_LABEL = 200


async def _change_workspace(
    info: Info,
    managers_see: Annotated[
        ENUMS[ManagersSee],  # type: ignore[valid-type]  # made from data
        strawberry.argument(name="managersSee", description="Which clients managers' keys reach."),
    ],
) -> Any:
    context = allowed(info, _OWNS)
    viewer = context.viewer
    async with context.office.database.workspace(viewer.workspace_id) as db:
        await db.execute(
            update(Workspace)
            .where(Workspace.id == viewer.workspace_id)
            .values(managers_see=ManagersSee(cast("Any", managers_see).value).value)
        )
    return Written(workspace=viewer.workspace_id)


async def _create_token(
    info: Info,
    role: Annotated[ENUMS[Role], strawberry.argument(description="What the key may do.")],  # type: ignore[valid-type]
    label: Annotated[str, strawberry.argument(description="What it is for.")],
    expires: Annotated[
        DateTimeText | None, strawberry.argument(name="expiresAt", description="When it ends by itself.")
    ] = None,
    users: Annotated[
        list[strawberry.ID] | None,
        strawberry.argument(description="Of a manager's key: global ids of the employees that the manager is."),
    ] = None,
    key: IdempotencyKey = None,
) -> Any:
    context = allowed(info, _OWNS)
    chosen = Role(cast("Any", role).value)
    if users is not None and chosen is not Role.MANAGER:
        raise InputRefused(problem("users", "ONLY_MANAGERS"))
    user_ids = None if users is None else [row_id("users", each, "User") for each in users]
    name = short_text("label", label, _LONGEST_LABEL) or ""
    ends = None if expires is None else datetime.fromisoformat(expires)

    async def work(db: AsyncConnection | None) -> Written:
        token = await create_token(
            context.office.database, context.viewer.workspace_id, chosen, name, ends, user_ids, within=db
        )
        return Written(id=public_id(token), token=token)

    sealed = SealedAnswers(context)
    return await once(
        context,
        key,
        "createToken",
        {"role": chosen, "label": label, "expiresAt": expires, "users": users},
        work,
        keep=lambda made: {"id": made.id, **sealed.seal(made.token or "")},
        recall=lambda answer: Written(id=answer["id"], token=sealed.open(answer)),
    )


async def _revoke_token(
    info: Info,
    id: Annotated[str, strawberry.argument(description="Public part of the key.")],
) -> Any:
    context = allowed(info, _OWNS)
    ended = await revoke_token(context.office.database, context.viewer.workspace_id, id)
    context.forget_token(id)
    return Written(revoked=ended)


def mutation_type(types: Types) -> tuple[Any, dict[str, list[Root]]]:
    """The type `Mutation`, and the planned fields of its payloads by the payload's name."""
    workspace = payload(types, "workspace", "Workspace", "The workspace as it is now.")
    arranged = payload_type("WorkspacePayload", "The workspace that was changed.", workspace.field)
    made_token = payload_type(
        "CreateTokenPayload",
        "A new key. This is the only moment at which it is shown.",
        graphql_field("id", optional(str), "Public part, by which the key is listed and revoked."),
        graphql_field("token", optional(str), "The whole key: store it now."),
    )
    ended = payload_type(
        "RevokeTokenPayload",
        "What became of a key that was to end.",
        graphql_field("revoked", bool, "Whether it ended now; false if it had ended before or isn't there."),
    )
    own = [
        act(_change_workspace, "updateWorkspace", arranged, "Change what holds for the whole workspace."),
        act(_create_token, "createToken", made_token, "Make a key to this API."),
        act(_revoke_token, "revokeToken", ended, "End a key."),
    ]
    payloads = {"WorkspacePayload": [workspace]}
    mutation = object_type("Mutation", "Everything that can be changed.")
    for made, roots in (
        connecting_mutations(types),
        mapping_mutations(types),
        (own, payloads),
        decision_mutations(types),
        matching_mutations(types),
        entering_mutations(types),
        work_mutations(types),
        outbox_mutations(types),
        (write_rule_mutations(), {}),
        (golden_mutations(), {}),
        (weighing_mutations(), {}),
        webhook_mutations(types),
        door_mutations(types),
        report_setting_mutations(),
        report_rule_mutations(),
        closed_period_mutations(),
    ):
        add_fields(mutation, made)
        payloads |= roots
    return mutation, payloads
