"""The contract that every connector follows: data and small pure functions, no base class to inherit.

A connector says what the account's settings are, which streams it reads, how one page is asked for and read,
and how one vendor record maps to unified records. It does no I/O of its own: the engine (``sync``) owns HTTP,
retries, rate limits, the paging loop, checkpoints and loading. ``CONTRIBUTING.md`` walks through a new one.

The reading of a stream is a loop over *positions*, plain JSON that fits a checkpoint::

    position = saved or stream.start(settings, Start(...))
    while position is not None:
        response = send(stream.request(settings, position))
        page = stream.read(settings, position, response)
        # one transaction: page.records loaded, page.next and page.cursor stored
        position = page.next
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args
from uuid import UUID

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.errors import BadRecord, VendorError
from schema.enums import CustomFieldType, RecordKind
from schema.records import Record

Position = dict[str, Any]
"""Where reading stands within a run: plain JSON, enough to ask for the page again after a crash."""
Cursor = dict[str, Any]
"""How far a stream is read for good: plain JSON, the start of the next run."""


class ConnectorSettings(BaseModel):
    """What a user must tell to connect an account. Forms, prompts and docs are made from the fields:
    give each a ``title`` and a ``description`` that says where to find it; secrets are ``SecretStr``."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        str_strip_whitespace=True,
        hide_input_in_errors=True,  # what was typed may be a secret
    )

    since: date | None = Field(
        default=None,
        title="Read history from",
        description="The first day to read on the first sync. Empty: one year back.",
    )

    @classmethod
    def is_secret(cls, name: str) -> bool:
        """Whether a setting is a secret: asked for without echo, sealed at rest, never shown again."""
        annotation = cls.model_fields[name].annotation
        return annotation is SecretStr or SecretStr in get_args(annotation)


S = TypeVar("S", bound=ConnectorSettings)


@dataclass(frozen=True, slots=True)
class Start:
    """What a stream knows when a run begins. ``now`` is the vendor's clock, never ours; ``since`` the first
    moment that the user wants; ``cursor`` what the last finished run left."""

    cursor: Cursor | None
    now: datetime
    since: datetime
    run_id: UUID


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that goes with a request as a part of its form: the part's name, the file's, its text and its type."""

    part: str
    name: str
    text: str
    type: str = "text/csv"


@dataclass(frozen=True, slots=True)
class VendorRequest:
    """One HTTP request, relative to the connector's base address. ``upload`` makes it a form of several parts, with
    the fields of ``form`` beside the file. ``accept`` names statuses beside the successful
    ones that are answers to it and no errors (404 where a thing may be gone): ``read`` sees them."""

    path: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    query: Mapping[str, str | int | Sequence[str]] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] | None = None
    upload: Upload | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    accept: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class VendorResponse:
    """A successful answer: what counts as one is decided by the status, the request's ``accept`` and the
    connector's ``error_of``."""

    status: int
    headers: httpx.Headers
    content: bytes


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record as the vendor's own bytes; unchanged bytes are never decoded again."""

    external_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """One page read. ``next`` is None at the end. ``cursor``, when set, becomes durable with this page: set it
    only when nothing older can still come. ``done`` is the share of the run behind us (0..1), if known.

    ``present`` names records that are there without telling them anew (a list of ids and versions): they count as
    seen. ``touched`` are records of other streams, told by a list of changes. With ``commit_first`` the next
    request is only sent when this page is committed: for one that makes the vendor forget what it told.
    """

    records: Sequence[RawRecord]
    next: Position | None
    cursor: Cursor | None = None
    done: float | None = None
    present: Sequence[str] = ()
    touched: Sequence[Touched] = ()
    commit_first: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """A record that is understood and left out on purpose (the vendor's own company, a template of a deal)."""

    reason: str


Mapped = Sequence[Record] | Skip


@dataclass(frozen=True, slots=True)
class Fetch(Generic[S]):
    """How one record of a stream is asked for by its id, in the shape in which the stream's pages hold it.
    ``read`` gives None when there is no such record (any more)."""

    request: Callable[[S, str], VendorRequest]
    read: Callable[[S, str, VendorResponse], RawRecord | None]


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a stream: what stands at ``since`` or later and before ``until``. None: no bound."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A record as an audit's list tells it, or as it was told when we read it; only what both tell is compared.

    ``moment`` is the time by which it stands in a span, ``version`` a text that changes with the record, ``links``
    a text of the records that it hangs on, ``body`` all of it, as a page of the stream would hold it. ``gone``: it
    says of itself that it was deleted, so that a list need not name it.
    """

    external_id: str
    moment: datetime | None = None
    version: str | None = None
    links: str | None = None
    body: bytes | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of an audit's list. ``total``: how many records the vendor says there are; the totals of the pages
    of a span add up."""

    listed: Sequence[Listed]
    next: Position | None
    total: int | None = None


def listing_of(page: Page, moment: Callable[[bytes], datetime | None], total: int | None = None) -> Listing:
    """A page of a stream as an audit's list: its records whole, and those that it only names. Of one of another
    shape no moment can be told: whether it is here is told by its id, what is wrong with it by mapping it."""

    def told(body: bytes) -> datetime | None:
        try:
            return moment(body)
        except (msgspec.MsgspecError, BadRecord):
            return None

    whole = [Listed(record.external_id, told(record.body), body=record.body) for record in page.records]
    return Listing([*whole, *map(Listed, page.present)], page.next, total)


@dataclass(frozen=True, kw_only=True)
class Audit(Generic[S]):
    """How it is proven that a stream is here completely: the cheapest list of what there is in a span.

    ``zone`` is the one whose days and months spans are made of; ``stored`` tells of a record that we have what the
    list would tell of it, above all its moment. ``start`` gets the id of the verification, for vendors that want a
    name for what they prepare. ``names`` is False where the vendor gives totals only. ``longest_days``: what is
    older isn't compared unless asked for; ``kept_since`` False: the first span has no lower bound, since the stream
    reads everything, however old. ``settles``: records so young may differ from ours without fault.
    ``cut``: into what periods are cut; ``as_asked`` is days for a short period that somebody named, else months.
    """

    zone: Callable[[S], tzinfo]
    start: Callable[[S, Span, UUID], Position | None]
    request: Callable[[S, Position], VendorRequest]
    read: Callable[[S, Position, VendorResponse], Listing]
    stored: Callable[[S, RawRecord], Listed]
    names: bool = True
    kept_since: bool = True
    longest_days: int | None = None
    settles: timedelta = timedelta(0)
    cut: Literal["as_asked", "days", "months"] = "as_asked"


@dataclass(frozen=True, kw_only=True)
class Stream(Generic[S]):
    """One list of records that a system offers.

    ``map`` is pure: it gets the settings and the record's bytes and returns unified records, or ``Skip``; what
    it can't understand it raises as ``BadRecord`` (or lets msgspec's ValidationError through): the record goes
    to quarantine and the page goes on. ``sweeps`` says that each run lists every record there is, so that what
    is absent from a complete run was deleted; ``whole`` tells, where only some runs do, whether the one that starts
    at a position does. ``volatile`` names top-level fields to leave out of the hash. ``takes_back``: a record that
    changes may tell of less than before (an order isn't paid after all); what it tells no more counts as deleted.
    ``one`` fetches a single record, where the vendor has a way to. ``audit`` compares the stream with the vendor;
    without it, its pages are read once more for that.
    """

    name: str
    title: str
    makes: tuple[RecordKind, ...]
    start: Callable[[S, Start], Position | None]
    request: Callable[[S, Position], VendorRequest]
    read: Callable[[S, Position, VendorResponse], Page]
    map: Callable[[S, bytes], Mapped]
    sweeps: bool = False
    whole: Callable[[Position], bool] | None = None
    volatile: frozenset[str] = frozenset()
    takes_back: bool = False
    one: Fetch[S] | None = None
    audit: Audit[S] | None = None


@dataclass(frozen=True, slots=True)
class CustomField:
    """A field that an account has of its own. ``key`` is the one under which mapping puts its values into
    ``custom``; ``options`` are labels by the value that stands there, of fields that offer a choice."""

    kind: RecordKind
    key: str
    label: str
    type: CustomFieldType = CustomFieldType.TEXT
    multiple: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CustomFields(Generic[S]):
    """How an account is asked for its own fields: positions lead from page to page, as in a stream, from ``start``
    on. Only fields whose values mapping keeps in ``custom`` belong here."""

    start: Position
    request: Callable[[S, Position], VendorRequest]
    read: Callable[[S, Position, VendorResponse], tuple[Sequence[CustomField], Position | None]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that came to a connection's door: the bytes as they were sent, and the query of its address."""

    content: bytes
    headers: httpx.Headers
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Touched:
    """A record that a webhook speaks of. With ``body`` it is told whole, as a page of the stream would hold it;
    without, the engine fetches it (``Stream.one``) or reads the stream anew. ``deleted``: it is there no more."""

    stream: str
    external_id: str
    body: bytes | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Subscription(Generic[S]):
    """How a system is told of the door's address over its API, and asked whether that still stands (some systems
    forget an address after failures). All functions are pure; ``make`` done twice has the effect of once."""

    make: Callable[[S, str], VendorRequest]
    ask: Callable[[S, str], VendorRequest]
    stands: Callable[[S, str, VendorResponse], bool]
    end: Callable[[S, str], VendorRequest]


@dataclass(frozen=True, kw_only=True)
class Webhooks(Generic[S]):
    """What a system tells by itself. All functions are pure.

    ``events`` are the vendor's names of what it tells, for people; ``setup`` says in sentences where the door's
    address is entered in the vendor's cabinet. ``genuine`` tells by the vendor's own means (a signature, a token of
    its own) whether a delivery is from there; None where it has none: then only the unguessable address vouches,
    and a body is a hint wherever the record can be fetched instead. ``read`` gives the records that a delivery
    speaks of; what it can't understand it raises as BadRecord, and the delivery is kept for a look.
    ``delivery_id``: the vendor's own id of the delivery, where it has one; else equal bytes are one delivery.
    ``subscription``: where the vendor can be told of the address over its API.
    """

    events: tuple[str, ...]
    setup: str
    read: Callable[[S, Delivery], Sequence[Touched]]
    genuine: Callable[[S, Delivery], bool] | None = None
    delivery_id: Callable[[S, Delivery], str | None] | None = None
    subscription: Subscription[S] | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One change that is meant for a record there. ``key`` is the same however often it is tried; ``values`` are
    by the write's own field names; ``external_id`` is None until the record's id there is known."""

    key: str
    values: Mapping[str, Any]
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A record as it stands there now: its id, what it is called, the values of the fields that a write owns, and
    the time of its last change, where the vendor tells one. ``kind``: what it is, where a look may find records of
    several kinds."""

    external_id: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)
    changed_at: datetime | None = None
    kind: RecordKind | None = None


@dataclass(frozen=True, slots=True)
class Lookup(Generic[S]):
    """How a record is looked for. ``request`` gives None where the command holds nothing to look by. Where one
    answer only names what to ask for next, ``follow`` asks for it, or gives None when there is nothing; ``found``
    reads the last answer."""

    request: Callable[[S, Command], VendorRequest | None]
    found: Callable[[S, Command, VendorResponse], Standing | None]
    follow: Callable[[S, Command, VendorResponse], VendorRequest | None] | None = None


@dataclass(frozen=True, slots=True)
class Described(Generic[S]):
    """How to ask which fields a record there has: the answer is the titles of the writable ones by name."""

    request: Callable[[S], VendorRequest]
    fields: Callable[[S, VendorResponse], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Preparation(Generic[S]):
    """What an account must have before a write can work, such as a field for our marker. ``missing`` gives the
    request that makes it, or None when it is there; both are done when a rule is switched on."""

    request: Callable[[S], VendorRequest]
    missing: Callable[[S, VendorResponse], VendorRequest | None]


Operation = Literal["create", "update", "delete"]
Idempotency = Literal["marker", "vendor_key", "absolute"]
"""Why a write that is sent again has no second effect. ``marker``: our key stands in a field of the record, by
which it is looked for first. ``vendor_key``: the vendor itself takes the key and adds nothing twice. ``absolute``:
it sets values, or removes; done twice it is done once."""


@dataclass(frozen=True, kw_only=True)
class Write(Generic[S]):
    """One kind of change that a system takes. All functions are pure; the engine sends.

    ``fields``: the names that a command's values may have, beside the vendor's own field codes, which go through
    as they are. ``by_marker`` finds what this very command made, ``by_match`` what somebody else made for the same
    person or thing, ``read`` the record of ``external_id``. ``result`` gives the id that the answer names; it
    raises WriteRejected when a 200 holds a refusal, and VendorChanged when nothing can be told from it.
    ``lag_seconds``: how long after a write the vendor's search may not show it yet. ``undo`` names the write that
    takes a create or delete back. ``origin``: the vendor's fields in which traffic is kept, by part of an origin.
    ``also_by_match``: further looks for the same, where one question can't ask for it. ``by_party``: looks for the
    client's card, to which the new record is tied: its id becomes the value ``contact`` (or ``company``) of the
    command, before ``by_match`` is asked. ``card``: the write that makes that card where there is none; it goes
    first, by itself, and the new record waits for it. ``prepare``: what must be there first. ``replaces_lists``:
    phones and e-mails are sent whole, else only those that are to be added. ``resent``: fields that the vendor
    empties unless they come along: what stands in them goes with every change, and with a delete (needs ``read``).
    The undo of a delete sets the field ``deleted``, which its ``read`` tells of what is removed, too.
    """

    name: str
    title: str
    entity: RecordKind
    operation: Operation
    idempotency: Idempotency
    fields: tuple[str, ...]
    request: Callable[[S, Command], VendorRequest]
    result: Callable[[S, Command, VendorResponse], str]
    by_marker: Lookup[S] | None = None
    by_match: Lookup[S] | None = None
    also_by_match: tuple[Lookup[S], ...] = ()
    by_party: tuple[Lookup[S], ...] = ()
    card: str | None = None
    prepare: Preparation[S] | None = None
    read: Lookup[S] | None = None
    described: Described[S] | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    undo: str | None = None
    replaces_lists: bool = False
    resent: tuple[str, ...] = ()
    lag_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Together(Generic[S]):
    """How a system takes several changes in one request, each with an outcome of its own. All functions are pure.

    ``kind`` names what a change may share a request with: those of one kind go together, ``most`` at most; None: it
    goes alone. ``pack`` makes one request of several. ``split`` tells them apart again: for each, in their order,
    the answer that it would have got alone, or the error that it met; NotSent where it certainly had no effect for
    no fault of its own, VendorChanged where the answer doesn't tell. It raises what befell all of them.
    """

    most: int
    kind: Callable[[VendorRequest], str | None]
    pack: Callable[[S, Sequence[VendorRequest]], VendorRequest]
    split: Callable[[S, Sequence[VendorRequest], VendorResponse], Sequence[VendorResponse | VendorError]]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``requests`` in any ``seconds``, counted per vendor account over all workers; ``burst`` of them
    may go at once where the vendor's limit is a leaky bucket. ``source``: where the vendor says so."""

    requests: int
    seconds: float
    burst: int = 1
    source: str = ""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair of OAuth tokens; ``refresh_token`` may be one-use: it is stored before the access token is used."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)


class TokenLease(Protocol):
    """The right to refresh: only one worker of a connection holds it at a time."""

    tokens: Tokens

    async def store(self, tokens: Tokens) -> None:
        """Commit the new pair before anyone uses it."""


class TokenStore(Protocol):
    """Where a connection's tokens live. The engine keeps them encrypted, behind one lock per connection."""

    async def current(self) -> Tokens: ...

    def lease(self) -> AbstractAsyncContextManager[TokenLease]: ...


class VendorSession(Protocol[S]):
    """What a connector may do over the wire outside of streams (``check``): send, with auth, limits and retries."""

    settings: S

    async def send(self, request: VendorRequest) -> VendorResponse: ...


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of a check: one sentence a user understands, the account's own name, and warnings."""

    ok: bool
    sentence: str
    account: str | None = None
    warnings: tuple[str, ...] = ()


VerifiedBy = Literal["live", "official specification", "recorded payloads", "documentation"]


@dataclass(frozen=True, kw_only=True)
class Connector(Generic[S]):
    """Everything Skvoz knows of one external system. Importable without network or database.

    ``account`` names the vendor's account that limits are counted for (two connections to one portal share
    them). ``auth`` makes the httpx.Auth that signs requests; ``tokens`` gives the first OAuth pair out of the
    settings, for systems that have one. ``error_of`` looks at an answer first and names the error that it is,
    if any; the engine's own table of statuses comes after it. ``source`` answers requests in place of HTTP, for
    what is no network service: it gets the settings, the request, and the installation's folder of uploaded files.
    ``custom_fields`` asks for the account's own fields; without it they are told from the records alone.
    ``recording`` asks for the sound of a call by the call's id, for systems whose addresses of recordings open only
    with the connection's own token; a recording that isn't there is an accepted 404. ``together``: how several
    changes go in one request; without it each goes alone.
    """

    key: str
    title: str
    description: str
    docs_url: str
    settings: type[S]
    streams: tuple[Stream[S], ...]
    base_url: Callable[[S], str]
    account: Callable[[S], str]
    check: Callable[[VendorSession[S]], Awaitable[Health]]
    auth: Callable[[S, TokenStore], httpx.Auth] | None = None
    tokens: Callable[[S], Tokens | None] | None = None
    error_of: Callable[[httpx.Response], VendorError | None] | None = None
    source: Callable[[S, VendorRequest, Path], Awaitable[VendorResponse]] | None = None
    limits: tuple[RateLimit, ...] = ()
    concurrency: int = 1
    writes: tuple[Write[S], ...] = ()
    together: Together[S] | None = None
    webhooks: Webhooks[S] | None = None
    custom_fields: CustomFields[S] | None = None
    recording: Callable[[S, str], VendorRequest] | None = None
    verified_by: VerifiedBy = "documentation"

    def stream(self, name: str) -> Stream[S]:
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise KeyError(f"{self.key} has no stream {name!r}")

    def write(self, name: str) -> Write[S]:
        for write in self.writes:
            if write.name == name:
                return write
        raise KeyError(f"{self.key} has no write {name!r}")
