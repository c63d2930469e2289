"""What is written into Aspro.Cloud."""

from __future__ import annotations

from dataclasses import replace

from connectors.aspro_cloud.finding import BY_CARD, OPEN_DEAL, by_id, by_mark
from connectors.aspro_cloud.settings import AsproCloudSettings
from connectors.aspro_cloud.writing import (
    ACCOUNT,
    CONTACT,
    DEAL,
    DEAL_LISTS,
    DEALS,
    LEAD,
    TASK_FIELDS,
    TASKS,
    create,
    delete,
    gone_id,
    named_id,
    update,
)
from connectors.contract import Write
from schema.enums import RecordKind

_CARD_FIELDS = ("first_name", "middle_name", "last_name", "responsible", "phones", "emails")
_DEAL_CREATE = Write[AsproCloudSettings](
    name="deal.create",
    title="Make a deal",
    entity=RecordKind.DEAL,
    operation="create",
    idempotency="marker",
    fields=(*DEAL, "first_name", "last_name", *DEAL_LISTS),
    request=create(DEALS),
    result=named_id,
    by_marker=by_mark(DEALS),
    by_party=BY_CARD,
    card="contact.create",
    by_match=OPEN_DEAL,
    read=by_id(DEALS),
    undo="deal.delete",
    replaces_lists=True,
)

WRITES: tuple[Write[AsproCloudSettings], ...] = (
    Write(
        name="contact.create",
        title="Make a contact",
        entity=RecordKind.CONTACT,
        operation="create",
        idempotency="marker",
        fields=_CARD_FIELDS,
        request=create(CONTACT),
        result=named_id,
        by_marker=by_mark(CONTACT),
        by_match=BY_CARD[0],
        also_by_match=BY_CARD[1:],
        read=by_id(CONTACT),
        replaces_lists=True,
    ),
    Write(
        name="contact.update",
        title="Change a contact",
        entity=RecordKind.CONTACT,
        operation="update",
        idempotency="absolute",
        fields=_CARD_FIELDS,
        request=update(CONTACT),
        result=named_id,
        read=by_id(CONTACT),
        replaces_lists=True,
    ),
    Write(
        name="contact.delete",
        title="Remove a contact",
        entity=RecordKind.CONTACT,
        operation="delete",
        idempotency="absolute",
        fields=(),
        request=delete(ACCOUNT),
        result=gone_id,
        read=by_id(CONTACT),
    ),
    replace(_DEAL_CREATE, name="lead.create", title="Make a deal out of a request"),
    _DEAL_CREATE,
    Write(
        name="deal.update",
        title="Change a deal, or close it",
        entity=RecordKind.DEAL,
        operation="update",
        idempotency="absolute",
        fields=tuple(DEAL),
        request=update(DEALS),
        result=named_id,
        read=by_id(DEALS),
    ),
    Write(
        name="deal.delete",
        title="Remove a deal",
        entity=RecordKind.DEAL,
        operation="delete",
        idempotency="absolute",
        fields=(),
        request=delete(LEAD),
        result=gone_id,
        read=by_id(DEALS),
    ),
    Write(
        name="task.create",
        title="Make a task",
        entity=RecordKind.TASK,
        operation="create",
        idempotency="marker",
        fields=tuple(TASK_FIELDS),
        request=create(TASKS),
        result=named_id,
        by_marker=by_mark(TASKS),
        read=by_id(TASKS),
    ),
    Write(
        name="task.update",
        title="Change a task, or mark it done",
        entity=RecordKind.TASK,
        operation="update",
        idempotency="absolute",
        fields=tuple(TASK_FIELDS),
        request=update(TASKS),
        result=named_id,
        read=by_id(TASKS),
    ),
)
