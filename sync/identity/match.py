"""Matching on a file: which rows of a table of contacts are one client. No database; the same keys and guards.

The table is CSV (comma, semicolon, tab or bar; UTF-8, UTF-16 or Windows-1251) or JSON Lines. It needs a column
``id`` and at least one of phones, e-mails and visitor ids; a name guards against shared phones.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

from core.errors import SkvozError
from schema.enums import ClientKind, IdentifierKind, RecordKind
from sync.identity.clusters import UNLIMITED, Member, NodeKey, carriers_of, name_several_people
from sync.identity.grouping import partition
from sync.identity.keys import Key, is_placeholder, keys_in
from sync.identity.learning import LEAST, learn
from sync.identity.likely import is_probable, proposals, score_of
from sync.identity.names import comparable
from sync.identity.probable import Match, all_matches
from sync.identity.traits import Traits, traits_of
from sync.identity.weights import SHIPPED

_DELIMITERS = ",;\t|"
_SPACE = re.compile(r"[\s_\-./]+")
_COUNTED = re.compile(r"\s*\(?[№#]?\d+\)?$")
_SEVERAL = re.compile(r"[;,|\s]+")
_ID = ("id", "ид", "идентификатор", "contact id", "record id", "uid", "guid", "uuid", "код")
_NAME_PARTS: tuple[frozenset[str], ...] = (
    frozenset({"last name", "lastname", "surname", "family name", "фамилия"}),
    frozenset({"first name", "firstname", "given name", "имя"}),
    frozenset({"middle name", "second name", "patronymic", "отчество"}),
)
_NAME = frozenset(
    {"name", "full name", "fullname", "fio", "фио", "ф и о", "клиент", "контакт", "полное имя", "contact", "client"}
    | {"имя клиента", "contact name", "client name", "имя и фамилия", "фамилия имя отчество", "название"}
)
_PHONE = re.compile(r"phone|^tel\b|телефон|^тел\b|mobile|мобильный|моб\b|сотовый|whatsapp|^факс|^fax|номер тел")
_EMAIL = re.compile(r"e ?mail|почта|емейл|имейл|эл адрес|^mail|^мейл")
_TRAITS: Mapping[str, frozenset[str]] = {
    "birthday": frozenset(
        {"birthday", "birthdate", "birth date", "date of birth", "дата рождения", "день рождения"}
    ),
    "address": frozenset({"address", "city", "town", "адрес", "город", "населенный пункт", "населённый пункт"}),
    "firm": frozenset({"company", "firm", "organization", "organisation", "компания", "фирма", "организация"}),
}
_DATE = re.compile(r"^(\d{4})-(\d\d)-(\d\d)|^(\d\d)[./](\d\d)[./](\d{4})")
_VISITOR = re.compile(r"visitor|^ym uid|ym client|client ?id$|посетител|cookie|^cid$|^roistat|^ga$")


_UNKNOWN_TIME = datetime.fromtimestamp(0, UTC)


class MatchFileError(SkvozError):
    """The file can't be matched; the sentence says what is wrong with it."""

    code = "MATCH_FILE"


@dataclass(frozen=True, slots=True)
class MatchRow:
    """A row of the file: ``client`` is the id of the first row of the same client; ``evidence`` says by which keys
    it belongs to other rows, and which of its keys are shared and therefore say nothing."""

    id: str
    client: str
    evidence: str


@dataclass(frozen=True, slots=True)
class MatchProposal:
    """Two rows that are probably one client's, for a person to look at: the weight in bits, and what makes it."""

    id: str
    other: str
    score: float
    reasons: str

    @property
    def probability(self) -> float:
        return 1 / (1 + 2**-self.score)


@dataclass(frozen=True, slots=True)
class MatchResult:
    """The rows in the order of the file, and what was understood of it."""

    rows: tuple[MatchRow, ...]
    columns: Mapping[str, str]
    shared: tuple[str, ...]
    placeholders: tuple[str, ...] = ()
    """What stands where a key might, and is what people type to get past a form."""
    proposals: tuple[MatchProposal, ...] = ()

    @property
    def clients(self) -> int:
        return len({row.client for row in self.rows})

    def write_csv(self, out: TextIO) -> None:
        """Write ``id,client,evidence`` rows under a header."""
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("id", "client", "evidence"))
        writer.writerows((row.id, row.client, row.evidence) for row in self.rows)

    def write_proposals(self, out: TextIO) -> None:
        """Write ``id,other,probability,bits,reasons`` rows under a header, the likeliest first."""
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("id", "other", "probability", "bits", "reasons"))
        writer.writerows(
            (each.id, each.other, f"{each.probability:.4f}", each.score, each.reasons) for each in self.proposals
        )


def match_file(path: Path, region: str) -> MatchResult:
    """Match the rows of a file with each other, phones without a country code read in ``region`` (ISO 3166).

    Raises MatchFileError when the file can't be read, has no ids or nothing to match by.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MatchFileError(f"The file {path.name} can't be read: {error.strerror}.") from error
    rows = _rows(_decode(content), path.name)
    if not rows:
        raise MatchFileError(f"The file {path.name} has no rows.")
    columns = _understand(rows)
    return _match(rows, columns, region)


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1251", errors="replace")


def _rows(text: str, name: str) -> list[dict[str, Any]]:
    start = text.lstrip()[:1]
    if start in ("{", "["):
        return _json_rows(text, name, whole=start == "[")
    lines = text.lstrip("\r\n")
    if not lines.strip():
        return []
    delimiter = max(_DELIMITERS, key=lambda one: len(next(csv.reader(io.StringIO(lines), delimiter=one))))
    try:
        reader = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter, strict=True)
        header, *body = [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise MatchFileError(f"The file {name} isn't proper CSV: {error}.") from error
    return [dict(zip(header, row, strict=False)) for row in body]


def _json_rows(text: str, name: str, *, whole: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    chunks = [(1, text)] if whole else list(enumerate(text.splitlines(), 1))
    for number, chunk in chunks:
        if not chunk.strip():
            continue
        try:
            value = json.loads(chunk)
        except ValueError as error:
            raise MatchFileError(f"Line {number} of {name} isn't JSON.") from error
        rows += value if whole else [value]
    if not all(isinstance(row, dict) for row in rows):
        raise MatchFileError(f"Each record in {name} must be a JSON object with an id.")
    return rows


def _understand(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What each column of the file holds: id, name, a part of the name, phone, email or visitor."""
    meaning: dict[str, str] = {}
    names = list(dict.fromkeys(column for row in rows for column in row))
    plain = {column: _SPACE.sub(" ", column.strip().casefold()).strip() for column in names}
    ids = [column for spelling in _ID for column in names if plain[column] == spelling]
    if not ids:
        raise MatchFileError(
            f"The file has no column 'id'. Its columns are: {', '.join(names)}. If none of them tells the rows"
            " apart, number them."
        )
    meaning[ids[0]] = "id"
    for column in names:
        spelling = _COUNTED.sub("", plain[column])
        if column in meaning:
            continue
        if _EMAIL.search(spelling):
            meaning[column] = IdentifierKind.EMAIL
        elif _PHONE.search(spelling):
            meaning[column] = IdentifierKind.PHONE
        elif _VISITOR.search(spelling):
            meaning[column] = IdentifierKind.VISITOR
        elif spelling in _NAME:
            meaning[column] = "name"
        else:
            part = next((str(place) for place, words in enumerate(_NAME_PARTS) if spelling in words), None)
            part = part or next((trait for trait, words in _TRAITS.items() if spelling in words), None)
            if part is not None:
                meaning[column] = part
    if not {IdentifierKind.EMAIL, IdentifierKind.PHONE, IdentifierKind.VISITOR} & set(meaning.values()):
        raise MatchFileError(
            f"No column holds phones, e-mails or visitor ids. The columns are: {', '.join(names)}."
            " Name one 'phone', 'email' or 'visitor_id'."
        )
    return meaning


def _match(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], region: str) -> MatchResult:
    id_column = next(column for column, meaning in columns.items() if meaning == "id")
    ids: dict[str, int] = {}
    members = []
    for number, row in enumerate(rows):
        id = _text(row.get(id_column))
        if not id:
            raise MatchFileError(f"Row {number + 1} has no id.")
        if id in ids:
            raise MatchFileError(f"The id {id} stands on rows {ids[id] + 1} and {number + 1}; ids must differ.")
        ids[id] = number
        members.append(_member(number, row, columns, region))
    weighed = [_traits(row, columns, member) for row, member in zip(rows, members, strict=True)]
    members, matches = _with_matches(members, weighed)
    carriers = carriers_of(members)
    shared = {
        key
        for key, who in carriers.items()
        if key.kind not in UNLIMITED and name_several_people({m.name for m in who if m.name}, key.client_kind)
    }
    spelled = list(ids)
    client: dict[int, str] = {}
    groups = partition(members, shared, (), carriers)
    for group in groups:
        numbers = sorted(member.record_id.int for member in group)
        client |= dict.fromkeys(numbers, spelled[numbers[0]])
    found = [
        MatchRow(id, client[number], _evidence(members[number], carriers, shared, client, spelled))
        for id, number in ids.items()
    ]
    asked = [
        MatchProposal(spelled[each.one.record_id.int], spelled[each.other.record_id.int], each.score, reasons)
        for each in proposals(groups, carriers, shared, ())
        for reasons in (_reasons(matches[each.key.value]),)
    ]
    return MatchResult(
        tuple(found),
        dict(columns),
        tuple(sorted(f"{key.kind} {key.value}" for key in shared)),
        tuple(sorted(_placeholders(rows, columns, region))),
        tuple(sorted(asked, key=lambda each: (-each.score, ids[each.id]))),
    )


def _with_matches(
    members: Sequence[Member], weighed: Sequence[Traits | None]
) -> tuple[list[Member], dict[str, Match]]:
    """The rows with the keys of their probable matches, and those matches by key. A large file teaches its own
    weights."""
    told = {member.record_id: traits for member, traits in zip(members, weighed, strict=True) if traits is not None}
    weights = learn(list(told.values()), len(told), 1)[0] if len(told) >= LEAST else SHIPPED
    matches: dict[str, Match] = {}
    keys: dict[UUID, set[NodeKey]] = defaultdict(set)
    for match in all_matches(told, weights):
        key = match.key(weights.upper)
        matches[key.value] = match
        for id in (match.one, match.other):
            keys[id].add(NodeKey(ClientKind.PERSON.value, key.kind, key.value))
    return [replace(member, keys=member.keys | keys[member.record_id]) for member in members], matches


def _traits(row: Mapping[str, Any], columns: Mapping[str, str], member: Member) -> Traits | None:
    said: dict[str, list[str]] = defaultdict(list)
    for column, meaning in columns.items():
        said[meaning] += _texts(row.get(column))
    parts = " ".join(text for place in "012" for text in said[place])
    return traits_of(
        member.client_kind,
        RecordKind.LEAD.value,
        _UNKNOWN_TIME,
        [name for name in (parts, " ".join(said["name"])) if name.strip()],
        [Key(key.kind, key.value, "") for key in member.keys],
        birthday=next((day for text in said["birthday"] if (day := _day(text))), None),
        address=" ".join(said["address"]),
        firm=next((firm for text in said["firm"] if (firm := comparable(text, ClientKind.COMPANY))), None),
    )


def _day(text: str) -> str | None:
    """A date as ISO 8601, out of that or of the Russian way to write it."""
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day, russian_day, russian_month, russian_year = found.groups()
    return f"{year or russian_year}-{month or russian_month}-{day or russian_day}"


def _reasons(match: Match) -> str:
    """The weights of a match in words."""
    told = match.waterfall()
    return "; ".join(f"{name} {level} {bits:+.1f}" for name, (level, bits) in told.items() if level is not None)


def _placeholders(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], region: str) -> set[str]:
    return {
        text
        for column, meaning in columns.items()
        if meaning in (IdentifierKind.PHONE, IdentifierKind.EMAIL)
        for row in rows
        for text in _texts(row.get(column))
        if is_placeholder(IdentifierKind(meaning), text, region)
    }


def _member(number: int, row: Mapping[str, Any], columns: Mapping[str, str], region: str) -> Member:
    said: dict[str, list[str]] = defaultdict(list)
    for column, meaning in columns.items():
        for text in _texts(row.get(column)):
            if meaning == IdentifierKind.VISITOR:
                said[meaning] += [
                    one if ":" in one else f"{_SPACE.sub('_', column.strip())}:{one}"
                    for one in _SEVERAL.split(text)
                    if one
                ]
            else:
                said[meaning].append(text)
    parts = " ".join(text for place in "012" for text in said[place])
    names = (comparable(name, ClientKind.PERSON) for name in (parts, " ".join(said["name"])) if name)
    keys = {
        NodeKey(ClientKind.PERSON.value, key.kind, key.value)
        for kind in (IdentifierKind.PHONE, IdentifierKind.EMAIL, IdentifierKind.VISITOR)
        for text in said[kind]
        for key in keys_in(kind, text, region)
    }
    return Member(
        UUID(int=number),
        RecordKind.CONTACT.value,
        ClientKind.PERSON.value,
        datetime.fromtimestamp(number, UTC),
        next((name for name in names if name), None),
        frozenset(keys),
    )


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, dict):  # {"value": "+7…", "type": "work"}, as CRMs write it
        return _texts(value.get("value"))
    text = _text(value)
    return [text] if text else []


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _evidence(
    member: Member,
    carriers: Mapping[NodeKey, list[Member]],
    shared: set[NodeKey],
    client: Mapping[int, str],
    spelled: Sequence[str],
) -> str:
    own = client[member.record_id.int]
    said = []
    for key in sorted(member.keys):
        if is_probable(key):
            [other] = [other.record_id.int for other in carriers[key] if other is not member]
            if client[other] == own:
                said.append(f"probably the same as {spelled[other]} ({score_of(key)} bits)")
            continue
        others = [other.record_id.int for other in carriers[key] if other.record_id != member.record_id]
        if key in shared:
            said.append(f"{key.kind} {key.value} is shared by several people")
        elif same := [spelled[number] for number in sorted(others) if client[number] == own]:
            shown = ", ".join(same[:5]) + (f" and {len(same) - 5} more" if len(same) > 5 else "")
            said.append(f"{key.kind} {key.value} with {shown}")
        elif others:
            said.append(f"{key.kind} {key.value} also stands on rows of another person")
    return "; ".join(said)
