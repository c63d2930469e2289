"""Mutations that create do so once for each key that their caller chose: a repeated request gives the same answer.

The key's row is held from before the work until after it, so that two requests with one key wait for each other.
What is made and the answer that is remembered of it commit together: whoever was cut off in between made nothing,
and the key is free again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid4

import orjson
import strawberry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.graphql.problems import InputRefused, problem
from api.graphql.run import RequestContext
from core.crash import crash_point

_FIELD = "idempotencyKey"
_LONGEST_KEY = 200
_KEPT = "24 hours"

IdempotencyKey = Annotated[
    str | None,
    strawberry.argument(
        name=_FIELD,
        description=(
            "A key of your choice, new for each thing that you want made (a UUID, say). Within 24 hours the same "
            "request with the same key makes nothing more and gives the same answer; with other arguments it is "
            "refused."
        ),
    ),
]

T = TypeVar("T")


async def once(
    context: RequestContext,
    key: str | None,
    operation: str,
    arguments: dict[str, Any],
    work: Callable[[AsyncConnection | None], Awaitable[T]],
    *,
    keep: Callable[[T], dict[str, Any]],
    recall: Callable[[dict[str, Any]], T],
    loading: bool = False,
) -> T:
    """What ``work`` gives, or gave. It writes in the transaction that it is called with (without a key: in one of
    its own). ``keep`` makes of its result what is remembered, ``recall`` the result of that again. Raises
    `InputRefused` for a key that was used for another request; what ``work`` raises leaves the key free.
    ``loading``: it always gets a transaction, and that of the loader."""
    database = context.office.database
    if key is None and loading:
        async with database.loading(context.viewer.workspace_id) as db:
            return await work(db)
    if key is None:
        return await work(None)
    if not key:
        raise InputRefused(problem(_FIELD, "EMPTY"))
    if len(key) > _LONGEST_KEY:
        raise InputRefused(problem(_FIELD, "TOO_LONG", most=_LONGEST_KEY))
    viewer = context.viewer
    digest = hashlib.sha256(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS, default=str)).digest()
    named = {"ws": viewer.workspace_id, "actor": viewer.token_id, "key": key}
    opened = database.loading if loading else database.workspace
    async with opened(viewer.workspace_id) as db:
        await db.execute(
            text(f"delete from idempotency where workspace_id = :ws and at < now() - interval '{_KEPT}'"),  # noqa: S608 - ours
            named,
        )
        made = await db.execute(
            text(
                "insert into idempotency (workspace_id, actor, key, operation, arguments) "
                "values (:ws, :actor, :key, :operation, :digest) on conflict do nothing"
            ),
            {**named, "operation": operation, "digest": digest},
        )
        where = "where workspace_id = :ws and actor = :actor and key = :key"
        if made.rowcount == 0:
            known = (
                await db.execute(text(f"select operation, arguments, answer from idempotency {where}"), named)  # noqa: S608 - ours
            ).one()
            if known.operation != operation or bytes(known.arguments) != digest:
                raise InputRefused(problem(_FIELD, "IDEMPOTENCY_KEY_REUSED"))
            return recall(known.answer)
        result = await work(db)
        crash_point("api.once.before_answer")
        await db.execute(
            text(f"update idempotency set answer = cast(:answer as jsonb) {where}"),  # noqa: S608 - ours
            {**named, "answer": orjson.dumps(keep(result), default=str).decode()},
        )
        return result


class SealedAnswers:
    """Keeps a secret that an answer holds: sealed by a key of its own, as connections' secrets are."""

    _FIELD = "answer"

    def __init__(self, context: RequestContext) -> None:
        self._keyring, self._workspace = context.office.keyring, context.viewer.workspace_id

    def seal(self, secret: str) -> dict[str, str]:
        owner = uuid4()
        wrapped = self._keyring.new_data_key(workspace=self._workspace, connection=owner)
        data_key = self._keyring.unwrap(wrapped, workspace=self._workspace, connection=owner)
        return {"owner": str(owner), "key": wrapped, "sealed": data_key.seal(secret, field=self._FIELD)}

    def open(self, answer: dict[str, Any]) -> str:
        data_key = self._keyring.unwrap(answer["key"], workspace=self._workspace, connection=UUID(answer["owner"]))
        return data_key.open(answer["sealed"], field=self._FIELD).reveal()
