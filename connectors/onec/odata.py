"""The grammar of the platform's OData: literals, questions, and answers cut into rows. The numbers in brackets are
facts in BEHAVIOR.md."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import httpx
import msgspec
from pydantic import SecretStr

from connectors.contract import RawRecord, VendorRequest, VendorResponse
from connectors.errors import VendorChanged

BOM = b"\xef\xbb\xbf"
JSON = "application/json;odata=nometadata"  # [8] half the size of the default
T = TypeVar("T")
NO_KEY = "00000000-0000-0000-0000-000000000000"


class ODataAuth(httpx.Auth):
    """HTTP Basic in UTF-8 (logins are Russian), and spaces of the query as %20: the platform doesn't promise to
    read a plus as one [4]."""

    def __init__(self, login: str, password: SecretStr) -> None:
        self._login = login
        self._password = password

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        pair = f"{self._login}:{self._password.get_secret_value()}".encode()
        request.headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        request.url = request.url.copy_with(query=request.url.query.replace(b"+", b"%20"))
        yield request


class _Named(msgspec.Struct):
    ref: str = msgspec.field(name="Ref_Key")


class _List(msgspec.Struct):
    value: list[msgspec.Raw]


def text(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("'", "''") + "'"


def guid(value: str) -> str:
    return f"guid'{value}'"


def moment(value: datetime) -> str:
    """A literal of a local time; the zone is the caller's."""
    return f"datetime'{value.strftime('%Y-%m-%dT%H:%M:%S')}'"


def any_of(refs: Iterable[str]) -> str:
    """A filter for records by their keys: ``eq`` works on keys, comparisons of order don't [6]."""
    return " or ".join(f"Ref_Key eq {guid(ref)}" for ref in refs)


def ask(
    entity_set: str,
    *,
    select: Sequence[str] = (),
    where: str = "",
    orderby: str = "",
    top: int | None = None,
    skip: int = 0,
    allowed_only: bool = False,
    accept: frozenset[int] = frozenset(),
) -> VendorRequest:
    """A question for a list. ``$inlinecount`` is never asked for: it makes the server forget ``$top`` [5]."""
    query: dict[str, str | int] = {"$format": JSON}
    if select:
        query["$select"] = ",".join(select)
    if where:
        query["$filter"] = where
    if orderby:
        query["$orderby"] = orderby
    if top is not None:
        query["$top"] = top
    if skip:
        query["$skip"] = skip
    if allowed_only:
        query["allowedOnly"] = "true"
    return VendorRequest(f"/{entity_set}", query=query, accept=accept)


def rows(response: VendorResponse) -> list[RawRecord]:
    """The rows of a list, each as its own bytes. Raises VendorChanged."""
    try:
        found = msgspec.json.decode(response.content.removeprefix(BOM), type=_List).value
        return [RawRecord(msgspec.json.decode(raw, type=_Named).ref, bytes(raw)) for raw in found]
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"1C's list isn't the known envelope: {error}.") from None


def listed(response: VendorResponse, row: type[T]) -> list[T]:
    """The rows of a list, decoded. Raises VendorChanged."""
    try:
        values = msgspec.json.decode(response.content.removeprefix(BOM), type=_List).value
        return [msgspec.json.decode(raw, type=row) for raw in values]
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"1C's list isn't the known envelope: {error}.") from None


def decoded(content: bytes) -> Any:
    """JSON with exact decimals: money comes as a Double."""
    return _DECODER.decode(content.removeprefix(BOM))


_DECODER = msgspec.json.Decoder(Any, float_hook=Decimal)
