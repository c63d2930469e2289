"""What an opportunity's comment keeps of a request: Tryton has no field for it there [12].

A request that became an opportunity has a phone before it has a party, and a campaign before there is a record of
that campaign. Skvoz writes them as lines that a person can read, and reads the same lines again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_NAME, _PHONE, _EMAIL = "Name", "Phone", "E-mail"
TAGS = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")


@dataclass(frozen=True, slots=True)
class Note:
    """The lines of a comment that mean something, and the rest of its text."""

    text: str = ""
    name: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, comment: str | None) -> Note:
        rest: list[str] = []
        found: dict[str, list[str]] = {}
        for line in (comment or "").splitlines():
            label, _, value = line.partition(": ")
            if label in (_NAME, _PHONE, _EMAIL, *TAGS) and value.strip():
                found.setdefault(label, []).append(value.strip())
            else:
                rest.append(line)
        return cls(
            text="\n".join(rest).strip(),
            name=next(iter(found.get(_NAME, ())), None),
            phones=tuple(found.get(_PHONE, ())),
            emails=tuple(found.get(_EMAIL, ())),
            tags={tag: found[tag][0] for tag in TAGS if tag in found},
        )

    def comment(self) -> str:
        """The comment that says this. Line breaks within a value would make lines of their own."""
        lines: list[tuple[str, Sequence[str]]] = [
            (_NAME, () if self.name is None else (self.name,)),
            (_PHONE, self.phones),
            (_EMAIL, self.emails),
            *((tag, (value,)) for tag, value in self.tags.items()),
        ]
        told = [f"{label}: {' '.join(str(value).split())}" for label, values in lines for value in values]
        return "\n".join([*filter(None, (self.text,)), *told])
