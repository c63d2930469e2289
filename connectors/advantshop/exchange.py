"""The shop's exchange with 1C: XML in UTF-16, of which only what the other methods lack is taken [14]."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

import msgspec

from connectors.advantshop.values import present
from connectors.advantshop.wire import Extra
from connectors.errors import VendorChanged

_PIECE = 64 * 1024
_NO = ("", "0", "false", "False")


class _Reader:
    """Orders by id, each with its extras, out of a document that is never held as a tree."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, str]] = {}
        self.root: str | None = None
        self._order: dict[str, str] = {}
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EntityDeclHandler = _refuse

    def read(self, content: bytes) -> None:
        view = memoryview(content)
        for begin in range(0, len(view), _PIECE):
            self._parser.Parse(view[begin : begin + _PIECE].tobytes(), False)
        self._parser.Parse(b"", True)

    def _start(self, tag: str, told: dict[str, str]) -> None:
        self.root = self.root or tag
        match tag:
            case "Order" if told.get("OrderID"):
                self._order = self.found.setdefault(told["OrderID"], {})
                paid = told.get("IsPaid", "").strip() not in _NO
                self._order |= _kept(
                    paid_at=told.get("PaymentDate") if paid else None,
                    changed_at=told.get("ModifiedDate"),
                    status_comment=told.get("OrderStatusComment"),
                )
            case "Customer":
                self._order |= _kept(google_id=told.get("GoogleClientID"), yandex_id=told.get("YandexClientID"))
            case "PaymentDetails":
                self._order |= _kept(tax_id=told.get("INN"))


def _kept(**texts: str | None) -> dict[str, str]:
    return {name: text for name, told in texts.items() if (text := present(told)) is not None}


def _refuse(*_: Any) -> None:
    raise VendorChanged("ADVANTSHOP's exchange with 1C declares entities, which it never did.")


def read_exchange(content: bytes) -> dict[str, dict[str, str]]:
    """What the exchange tells of its orders, by their ids. Raises VendorChanged where it is no such document."""
    reader = _Reader()
    try:
        reader.read(_with_mark(content))
    except expat.ExpatError as error:
        raise VendorChanged(f"ADVANTSHOP's exchange with 1C sent no readable XML: {error}.") from None
    if reader.root != "Orders":
        raise VendorChanged("ADVANTSHOP's exchange with 1C doesn't begin with Orders.")
    return reader.found


def _with_mark(content: bytes) -> bytes:
    """[14] UTF-16 without its mark of the order of bytes can't be told from anything else by a parser."""
    return b"\xff\xfe" + content if content[:2] == b"<\x00" else content


def with_extra(body: bytes, told: dict[str, str] | None) -> bytes:
    """An order with what the exchange tells of it, as one record."""
    if not told:
        return body
    extra = msgspec.json.encode(msgspec.convert(told, Extra))
    return body.rstrip()[:-1] + b',"SkvozExchange":' + extra + b"}"
