"""The hook that Calltouch sends when a call begins: a form of chosen names, all values texts, without signature."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Any
from urllib.parse import urlencode

from sandbox.vendors.calltouch.journal import Journal, rows

FORM = "application/x-www-form-urlencoded"


def call_form(db: Connection, call: int, now: int) -> bytes:
    """The form about one call, with names that receivers in the wild have chosen."""
    record = Journal(db, 0, set(), now, last_click=False).call(
        rows(db, "SELECT * FROM calltouch_call WHERE id = ?", (call,))[0]
    )
    form: dict[str, Any] = {
        "id": record["callId"],
        "ctCallerId": record["ctCallerId"],
        "callerphone": record["callerNumber"],
        "phonenumber": record["phoneNumber"],
        "timestamp": record["timestamp"],
        "calltime": record["date"],
        "duration": record["duration"],
        "status": "successful" if record["successful"] else "unsuccessful",
        "unique": str(record["uniqueCall"]).lower(),
        "targetcall": str(record["targetCall"]).lower(),
        "uniqtargetcall": str(record["uniqTargetCall"]).lower(),
        "source": record["source"],
        "medium": record["medium"],
        **{f"utm_{name.lower()}": record[f"utm{name}"] for name in ("Source", "Medium", "Campaign", "Term")},
        "utm_content": record["utmContent"],
        "gcid": record["clientId"] or "",
        "yaClientId": record["yaClientId"] or "",
        "url": record["url"] or "",
        "callUrl": record["callUrl"] or "",
        "ref": record["ref"] or "",
        "city": record["city"] or "",
        "ip": record["ip"] or "",
    }
    return urlencode(form).encode()
