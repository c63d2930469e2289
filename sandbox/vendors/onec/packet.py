"""A packet of changes: an Atom feed of records, and of what was deleted for good (RFC 6721)."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0"'
    ' xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices"'
    ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
)


def feed(address: str, changes: Iterable[tuple[str, str, bool]]) -> bytes:
    """Changes as (set, key, whether it is gone)."""
    told = []
    for name, ref, gone in changes:
        entity = f"{address}/{name}(guid'{ref}')"
        if gone:
            told.append(f"<at:deleted-entry ref={quoteattr(entity)}/>")
        else:
            told.append(
                f"<entry><id>{escape(entity)}</id><category term={quoteattr(f'StandardODATA.{name}')}/>"
                f'<content type="application/xml"><m:properties><d:Ref_Key>{ref}</d:Ref_Key></m:properties>'
                "</content></entry>"
            )
    return (_HEAD + "".join(told) + "</feed>").encode()
