"""What is written into a portal."""

from __future__ import annotations

from connectors.bitrix24.deals import DEAL_WRITES
from connectors.bitrix24.follow_ups import FOLLOW_UPS
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.bitrix24.writing import (
    CODES,
    COMPANY_CODES,
    MULTIFIELDS,
    UTM,
    add,
    by_id,
    by_origin,
    change,
    described,
    duplicate,
    found_by,
    listing,
    made_id,
    remove,
    same_id,
)
from connectors.contract import Lookup, Write
from schema.enums import RecordKind

WRITES: tuple[Write[Bitrix24Settings], ...] = (
    Write(
        name="lead.create",
        title="Make a lead",
        entity=RecordKind.LEAD,
        operation="create",
        idempotency="marker",
        fields=(*CODES, *MULTIFIELDS),
        request=add("crm.lead.add"),
        result=made_id,
        by_marker=listing("crm.lead.list", by_origin),
        by_match=Lookup(found_by("PHONE"), duplicate),
        read=listing("crm.lead.list", by_id),
        described=described("lead"),
        origin=UTM,
        undo="lead.delete",
    ),
    Write(
        name="lead.delete",
        title="Remove a lead",
        entity=RecordKind.LEAD,
        operation="delete",
        idempotency="absolute",
        fields=(),
        request=remove("crm.lead.delete"),
        result=same_id,
        read=listing("crm.lead.list", by_id),
    ),
    Write(
        name="contact.update",
        title="Change a contact",
        entity=RecordKind.CONTACT,
        operation="update",
        idempotency="absolute",
        fields=("first_name", "middle_name", "last_name", "responsible", *MULTIFIELDS),
        request=change("crm.contact.update"),
        result=same_id,
        read=listing("crm.contact.list", by_id),
        described=described("contact"),
    ),
    Write(
        name="company.update",
        title="Change an organisation",
        entity=RecordKind.COMPANY,
        operation="update",
        idempotency="absolute",
        fields=(*COMPANY_CODES, *MULTIFIELDS),
        request=change("crm.company.update", COMPANY_CODES),
        result=same_id,
        read=listing("crm.company.list", by_id, COMPANY_CODES),
        described=described("company"),
    ),
    Write(
        name="contact.delete",
        title="Remove a contact",
        entity=RecordKind.CONTACT,
        operation="delete",
        idempotency="absolute",
        fields=(),
        request=remove("crm.contact.delete"),
        result=same_id,
        read=listing("crm.contact.list", by_id),
    ),
    *DEAL_WRITES,
    *FOLLOW_UPS,
)
