"""Which set of a base holds what: every 1C is customised, so names are data and not code.

A profile (``profiles/*.toml``) names, for each *role* (partners, deals, …), the entity set and the property behind
each of our words; the user's overrides change single names, or leave some out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "profiles"
PROFILES = ("ut11", "crm3")
NONE = "-"
SET = "set"
_LINE = re.compile(r"(?P<role>\w+)\.(?P<word>\w+)\s*=\s*(?P<name>\S+)")

_PARTY = "name full_name kind folder client supplier tax_id first_name middle_name last_name partner position "
_PARTY += "birthday created responsible comment contacts extra utm"
WORDS: Mapping[str, frozenset[str]] = {
    role: frozenset(words.split())
    for role, words in {
        "users": "name inactive service contacts",
        "partners": _PARTY,
        "counterparties": "name kind tax_id partner contacts extra",
        "contacts": _PARTY,
        "prospects": _PARTY,
        "leads": "title name phone email party party_type status responsible comment extra utm",
        "pipelines": "name sort",
        "stages": "name pipeline finished lost sort",
        "deals": "title partner contact responsible status finished amount currency created closed expected "
        "pipeline stage lost_reason base base_type comment extra utm",
        "orders": "number partner contact deal amount currency status responsible comment items cancelled paid_at "
        "base base_type extra utm",
        "invoices": "number partner contact amount paid currency base base_type cancelled status responsible "
        "stages "
        "payments due extra",
        **dict.fromkeys(
            ("bank_payments", "cash_payments", "card_payments"),
            "number partner operation currency amount invoice order at rows row_partner row_amount row_base "
            "row_base_type row_invoice extra",
        ),
        "calls": "inbound phone name party party_type subject text base base_type responsible comment duration "
        "state "
        "recording extra utm",
        "events": "kind partner contact base base_type at finished_at subject text responsible extra",
    }.items()
}
"""Our words, by role: what a profile or an override may name."""


@dataclass(frozen=True, slots=True)
class Role:
    """One entity set, and its properties by our words."""

    name: str
    set: str
    properties: Mapping[str, str]

    @property
    def is_document(self) -> bool:
        """Documents have a date, a number and can be posted; what isn't a document is a catalog."""
        return self.set.startswith("Document_")

    def selected(self) -> tuple[str, ...]:
        """The properties to ask for, each once. Rows of a section come whole with it."""
        standard = ("Ref_Key", "DataVersion", "DeletionMark")
        own = (name for word, name in self.properties.items() if not word.startswith("row_"))
        dated = ("Number", "Date", "Posted") if self.is_document else ()
        shown = tuple(
            presentation(name) for word in _SHOWN if (name := self.properties.get(word, "")).endswith(_KEY)
        )
        return tuple(dict.fromkeys((*standard, *dated, *own, *shown)))


_KEY = "_Key"
_SHOWN = ("currency", "lost_reason", "kind", "position")
"""References of which the presentation is enough: it saves a look into another set [9]."""


def presentation(reference: str) -> str:
    """The property that says what a reference is called. It stands in no metadata."""
    return f"{reference.removesuffix(_KEY)}____Presentation"


@dataclass(frozen=True, slots=True)
class Profile:
    """All roles that a base has."""

    roles: Mapping[str, Role]

    def role(self, name: str) -> Role | None:
        return self.roles.get(name)

    def role_of_set(self, set_name: str) -> Role | None:
        return next((role for role in self.roles.values() if role.set == set_name), None)


@cache
def profile(name: str, overrides: str) -> Profile:
    """A profile with the user's overrides. Raises ValueError with a sentence for what can't be understood."""
    told: dict[str, dict[str, str]] = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    for role, word, wanted in parse(overrides):
        words = told.setdefault(role, {})
        if wanted == NONE and word == SET:
            del told[role]
        elif wanted == NONE:
            words.pop(word, None)
        else:
            words[word] = wanted
    nameless = [role for role, words in told.items() if SET not in words]
    if nameless:
        raise ValueError(f"{nameless[0]!r} has names of properties and no set: add {nameless[0]}.set=….")
    return Profile({role: Role(role, words.pop(SET), words) for role, words in told.items()})


def parse(overrides: str) -> list[tuple[str, str, str]]:
    """Overrides as (role, word, name). Raises ValueError with a sentence."""
    found = []
    for line in filter(None, (each.strip() for each in re.split(r"[;\n]", overrides))):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(
                f"{line!r} is no override. Write it like deals.amount=СуммаСделки, one after the other."
            )
        role, word, name = match.group("role", "word", "name")
        if role not in WORDS:
            raise ValueError(f"There is no role {role!r}.{near(role, WORDS)}")
        if word != SET and word not in WORDS[role]:
            raise ValueError(f"{role!r} has no {word!r}.{near(word, WORDS[role] | {SET})}")
        found.append((role, word, name))
    return found


def near(name: str, known: Collection[str], most: int = 3) -> str:
    """A sentence that lists the names that look like this one; nothing where none does, all where few are."""
    lowered = {each.casefold(): each for each in known}
    close = [lowered[each] for each in get_close_matches(name.casefold(), lowered, n=most, cutoff=0.55)]
    part = name.casefold().rpartition("_")[2].removesuffix("_key")
    close += [each for low, each in lowered.items() if len(part) > 3 and part in low and each not in close]
    if not close:
        return f" There are: {', '.join(sorted(known))}." if len(known) <= 20 else ""
    return f" Near names: {', '.join(close[:most])}."
