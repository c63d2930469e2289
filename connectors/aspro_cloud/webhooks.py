"""What a portal tells by itself. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

import msgspec

from connectors.aspro_cloud.settings import AsproCloudSettings
from connectors.contract import Delivery, Touched, Webhooks
from connectors.errors import BadRecord

SECRET_HEADER = "X-Aspro-Secret"  # noqa: S105 - the header's name
_STREAMS: Mapping[tuple[str, str], str] = {  # [15] models by their names in hooks
    ("crm", "account"): "accounts",
    ("client", "account"): "accounts",
    ("crm", "lead"): "leads",
    ("crm", "deal"): "leads",
    ("task", "tasks"): "tasks",
    ("task", "task"): "tasks",
    ("fin", "invoice"): "invoices",
    ("fin", "act"): "acts",
    ("fin", "customer_payment"): "payments",
    ("crm", "pipeline"): "pipelines",
    ("crm", "pipeline_stage"): "stages",
    ("core", "user"): "users",
}


class _Meta(msgspec.Struct):
    module: str
    model: str
    action: str


class _Named(msgspec.Struct):
    id: int | str


class _Hook(msgspec.Struct):
    meta: _Meta
    current: _Named | None = None
    previous: _Named | None = None


def read(_settings: AsproCloudSettings, delivery: Delivery) -> Sequence[Touched]:
    """The record that a hook names. Its body is left aside: fields may stand there under aliases [15]."""
    try:
        hook = msgspec.json.decode(delivery.content, type=_Hook)
    except msgspec.MsgspecError as error:
        raise BadRecord(f"The webhook has another shape than documented: {error}.") from None
    stream = _STREAMS.get((hook.meta.module, hook.meta.model))
    named = hook.current or hook.previous
    if stream is None:
        return []
    if named is None:
        raise BadRecord("The webhook names no record.")
    return [Touched(stream, str(named.id), deleted=hook.meta.action == "delete")]


def genuine(settings: AsproCloudSettings, delivery: Delivery) -> bool:
    """Whether the delivery carries the secret that the user made up; without one, the address alone vouches."""
    if settings.webhook_secret is None:
        return True
    told = delivery.headers.get(SECRET_HEADER, "")
    return hmac.compare_digest(told.encode(), settings.webhook_secret.get_secret_value().encode())


WEBHOOKS: Webhooks[AsproCloudSettings] = Webhooks(
    events=("crm/account", "crm/lead", "task/tasks", "fin/invoice", "fin/act", "fin/customer_payment"),
    setup=(
        "In the portal, open System settings → Webhooks (Настройки системы → Вебхуки) and add a webhook for each "
        "of the models account, lead, tasks, invoice, act and customer_payment, with the actions create, update "
        "and delete. Paste this address as its URL. If the settings hold a secret, add the header X-Aspro-Secret "
        "with it."
    ),
    read=read,
    genuine=genuine,
)
