"""Webhooks out: what they are told, their log, and what owners do with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection

from api.graphql.build import field as graphql_field
from api.graphql.build import optional
from api.graphql.declare import Entity, Listing, Many, One, column, table_of
from api.graphql.model.shared import STAFF, node_id
from api.graphql.once import IdempotencyKey, SealedAnswers, once
from api.graphql.problems import InputRefused, problem, row_id, short_text
from api.graphql.roots import Root, by_id, page_of, payload
from api.graphql.types import Types
from api.graphql.written import REMOVAL, Info, Written, act, allowed, payload_type
from schema import tables as t
from schema.enums import DeliveryState, WebhookState
from sync import webhooks_out
from sync.errors import NotFound

_LONGEST_OVERLAP_HOURS = 24 * 7
_LONGEST_DESCRIPTION = 200

WEBHOOK = Entity(
    name="Webhook",
    table=table_of(t.Webhook),
    node=False,
    description="An address of yours that is told of changes.",
    order=(("createdAt", False),),
    fields=(
        node_id("Webhook"),
        column(t.Webhook.url, "Where messages are sent to."),
        column(t.Webhook.description, "Your own words for it."),
        column(t.Webhook.events, "What it is told: `call.created`, `client.*`, `*`."),
        column(t.Webhook.state, "Whether it is told anything now.", enum=WebhookState, filterable=True),
        column(t.Webhook.state_reason, "Why it was disabled, in one sentence."),
        column(t.Webhook.failing_since, "Since when no message has been taken; null while they are."),
        column(t.Webhook.previous_until, "Until when the former secret signs too.", name="formerSecretUntil"),
        column(t.Webhook.created_at, "When it was made.", sortable=True),
        Many(
            name="deliveries",
            target="WebhookDelivery",
            description="Its log of 30 days, newest first.",
            on="{t}.webhook_id = {x}.id",
        ),
    ),
)

DELIVERY = Entity(
    name="WebhookDelivery",
    table=table_of(t.WebhookDelivery),
    node=False,
    description="One message to a webhook. It is tried for three days, less and less often.",
    order=(("createdAt", True),),
    fields=(
        node_id("WebhookDelivery"),
        column(t.WebhookDelivery.event, "What it tells of.", filterable=True),
        column(t.WebhookDelivery.body, "The message itself, as it was signed and sent."),
        column(t.WebhookDelivery.state, "How it stands.", enum=DeliveryState, filterable=True),
        column(t.WebhookDelivery.attempts, "How often it was tried.", name="attemptCount"),
        column(t.WebhookDelivery.next_try_at, "When it is tried next, while it is pending."),
        column(t.WebhookDelivery.created_at, "When it was made.", filterable=True, sortable=True),
        column(t.WebhookDelivery.delivered_at, "When the receiver took it."),
        Listing(
            name="attempts",
            target="WebhookAttempt",
            description="Each try, and what came of it.",
            on="{t}.delivery_id = {x}.id",
            order="{t}.number",
        ),
        One(
            name="webhook",
            target="Webhook",
            description="Whom it is for.",
            on="{t}.id = {x}.webhook_id",
        ),
    ),
)

ATTEMPT = Entity(
    name="WebhookAttempt",
    table=table_of(t.WebhookAttempt),
    node=False,
    key="delivery_id",
    description="One try to deliver a message.",
    fields=(
        column(t.WebhookAttempt.number, "Which try it was."),
        column(t.WebhookAttempt.at, "When it ended."),
        column(t.WebhookAttempt.status, "HTTP status of the answer; null if none came."),
        column(t.WebhookAttempt.duration_ms, "How many milliseconds it took."),
        column(t.WebhookAttempt.response, "The beginning of the answer."),
        column(t.WebhookAttempt.error, "Why no answer came, in one sentence."),
    ),
)

ENTITIES = (WEBHOOK, DELIVERY, ATTEMPT)

_Id = Annotated[strawberry.ID, strawberry.argument(description="Global id of the webhook.")]


async def _create(
    info: Info,
    url: Annotated[str, strawberry.argument(description="Where to send messages: https, a public address.")],
    events: Annotated[
        list[str],
        strawberry.argument(description="What to tell: `call.created`, all of a type `client.*`, or all `*`."),
    ],
    description: Annotated[str | None, strawberry.argument(description="Your own words for it.")] = None,
    key: IdempotencyKey = None,
) -> Any:
    context = allowed(info, STAFF)
    viewer = context.viewer
    words = short_text("description", description, _LONGEST_DESCRIPTION)

    async def work(db: AsyncConnection | None) -> Written:
        id, secret = await webhooks_out.create_webhook(
            context.office, viewer.workspace_id, url, events, words, viewer.token_id, within=db
        )
        return Written(webhook=id, secret=secret.reveal())

    sealed = SealedAnswers(context)
    return await once(
        context,
        key,
        "createWebhook",
        {"url": url, "events": events, "description": description},
        work,
        keep=lambda made: {"id": str(made.webhook), **sealed.seal(made.secret or "")},
        recall=lambda answer: Written(webhook=UUID(answer["id"]), secret=sealed.open(answer)),
    )


async def _rotate(
    info: Info,
    id: _Id,
    hours: Annotated[
        int, strawberry.argument(name="overlapHours", description="How long the former secret signs too.")
    ] = 24,
    key: IdempotencyKey = None,
) -> Any:
    context = allowed(info, STAFF)
    if not 0 <= hours <= _LONGEST_OVERLAP_HOURS:
        raise InputRefused(problem("overlapHours", "OUT_OF_RANGE", least=0, most=_LONGEST_OVERLAP_HOURS))
    found = row_id("id", id, "Webhook")

    async def work(db: AsyncConnection | None) -> Written:
        secret = await webhooks_out.rotate_secret(
            context.office, context.viewer.workspace_id, found, timedelta(hours=hours), within=db
        )
        return Written(webhook=found, secret=secret.reveal())

    sealed = SealedAnswers(context)
    return await once(
        context,
        key,
        "rotateWebhookSecret",
        {"id": found, "overlapHours": hours},
        work,
        keep=lambda made: sealed.seal(made.secret or ""),
        recall=lambda answer: Written(webhook=found, secret=sealed.open(answer)),
    )


async def _pause(info: Info, id: _Id) -> Any:
    context = allowed(info, STAFF)
    found = row_id("id", id, "Webhook")
    await webhooks_out.pause_webhook(context.office, context.viewer.workspace_id, found)
    return Written(webhook=found)


async def _resume(info: Info, id: _Id) -> Any:
    context = allowed(info, STAFF)
    found = row_id("id", id, "Webhook")
    await webhooks_out.resume_webhook(context.office, context.viewer.workspace_id, found)
    return Written(webhook=found)


async def _remove(info: Info, id: _Id) -> Any:
    context = allowed(info, STAFF)
    found = row_id("id", id, "Webhook")
    try:
        await webhooks_out.remove_webhook(context.office, context.viewer.workspace_id, found)
    except NotFound:
        return Written(removed=False)
    return Written(removed=True)


async def _replay(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of the delivery.")],
) -> Any:
    context = allowed(info, STAFF)
    found = row_id("id", id, "WebhookDelivery")
    await webhooks_out.replay(context.office, context.viewer.workspace_id, found)
    return Written(delivery=found)


def webhook_roots(types: Types) -> list[Root]:
    """The webhooks' fields of `Query`; for those who manage connections."""
    one = by_id(types, "webhook", "Webhook", "The webhook with that id.")
    return [
        Root(one.field, one.expression, roles=STAFF),
        page_of(types, "webhooks", "Webhook", "Addresses of yours that are told of changes.", STAFF),
    ]


def webhook_mutations(types: Types) -> tuple[list[Any], dict[str, list[Root]]]:
    """The webhooks' fields of `Mutation`, and the planned fields of their payloads."""
    webhook = payload(types, "webhook", "Webhook", "The webhook as it is now; null if nothing was written.")
    delivery = payload(types, "delivery", "WebhookDelivery", "The message as it stands now.")
    secret = graphql_field(
        "secret", optional(str), "The new secret, by which messages are signed: it is shown only now."
    )
    changed = payload_type("WebhookPayload", "A webhook that was made or changed.", webhook.field, secret)
    replayed = payload_type("ReplayDeliveryPayload", "A message that is sent again.", delivery.field)
    by_id = ("id", "Webhook")
    return [
        act(_create, "createWebhook", changed, "Tell an address of yours of changes that come from now on."),
        act(
            _rotate,
            "rotateWebhookSecret",
            changed,
            "Give a webhook a new secret; both sign until the overlap is over.",
            of=by_id,
        ),
        act(_pause, "pauseWebhook", changed, "Tell it nothing until it is resumed; nothing is lost.", of=by_id),
        act(
            _resume,
            "resumeWebhook",
            changed,
            "Go on where it was, after a pause or after it was disabled.",
            of=by_id,
            tells=True,
        ),
        act(_remove, "removeWebhook", REMOVAL, "Remove a webhook with its log."),
        act(
            _replay,
            "replayDelivery",
            replayed,
            "Send a message again: the same bytes under the same id.",
            of=("id", "WebhookDelivery"),
            tells=True,
        ),
    ], {"WebhookPayload": [webhook], "ReplayDeliveryPayload": [delivery]}
