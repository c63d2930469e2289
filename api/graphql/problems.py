"""What is wrong with an input: on which field, with a code for programs and a sentence in the caller's language.

Sentences of external systems and of their connectors come as they are. A resolver of a mutation raises what it
can't take, and `api.graphql.written.act` gives it back among the `problems` of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import strawberry

from api import russian
from api.graphql.ids import parse_id
from api.graphql.sentences import SENTENCES
from api.language import spoken
from core.errors import SkvozError
from sync.errors import Refused, SettingsProblem

_REFUSALS = (
    ("one client already", "ONE_ALREADY"),
    ("A person and a company", "DIFFERENT_KINDS"),
    ("Name some of the client's records", "SOME_RECORDS"),
    ("There is no client", "NO_RECORDS"),
)
"""How the decisions of ``sync.identity`` refuse: by the beginning of their sentences."""


@strawberry.type(description="One thing that is wrong with the input.")
class InputProblem:
    field: str | None = strawberry.field(
        description="The setting or argument; null where no single one is to blame."
    )
    code: str = strawberry.field(description="What is wrong, for programs: stable, like `TOO_LONG`.")
    message: str = strawberry.field(
        description="What is wrong and what to do, in one sentence, in the language of `Accept-Language` (English "
        "or Russian); of an external system as it says it."
    )


class InputRefused(SkvozError):
    """The input of a mutation can't be taken; ``problems`` say why, field by field."""

    code = "BAD_USER_INPUT"

    def __init__(self, *problems: InputProblem) -> None:
        super().__init__(" ".join(each.message for each in problems))
        self.problems = list(problems)


def problem(field: str | None, code: str, **values: object) -> InputProblem:
    return InputProblem(field=field, code=code, message=said(code, **values))


def said(code: str, **values: object) -> str:
    """The sentence of that code in the caller's language."""
    return SENTENCES[code][spoken()].format(**values)


def of_refusal(refused: Refused) -> list[InputProblem]:
    """What the engine refused, in the caller's language where the problem says by a code what it is."""
    return [
        InputProblem(field=each.field, code=each.code or refused.code, message=_said(each))
        for each in refused.problems
    ]


def _said(told: SettingsProblem) -> str:
    sentence = SENTENCES.get(told.code or "", {}).get(spoken())
    return told.sentence if sentence is None else sentence.format(**_in_their_words(told))


def _in_their_words(told: SettingsProblem) -> Mapping[str, object]:
    """What the sentence names, in the caller's language: of a connector's setting its title, what it is, and why it
    can't be used."""
    values = dict(told.values)
    if spoken() != "ru" or "connector" not in values:
        return values
    known = None if told.field is None else russian.setting(str(values["connector"]), told.field)
    if known is not None:
        values |= {"label": known[0], "where": f" {known[1]}" if values.get("where") else ""}
    if "reason" in values:
        values["reason"] = russian.reason(str(values["reason"])).rstrip(".")
    return values


def of_decision(field: str | None, refused: SkvozError) -> InputProblem:
    """What a refused decision about clients is in the caller's words."""
    said = str(refused)
    code = next((code for part, code in _REFUSALS if part in said), None)
    return InputProblem(field=field, code=refused.code, message=said) if code is None else problem(field, code)


def row_id(field: str, id: str, *types: str) -> UUID:
    """The uuid of a global id of one of the types. Raises `InputRefused`."""
    found = parse_id(id)
    if found is None or found[0] not in types:
        raise InputRefused(problem(field, "WRONG_ID", type=", ".join(types)))
    return found[1]


def short_text(field: str, value: str | None, most: int) -> str | None:
    """A text that may be left out, and isn't too long. Raises `InputRefused`."""
    if value is not None and len(value) > most:
        raise InputRefused(problem(field, "TOO_LONG", most=most))
    return value


def written_text(field: str, value: str, most: int) -> str:
    """A text that isn't empty nor too long, without the blanks around it. Raises `InputRefused`."""
    text = value.strip()
    if not text:
        raise InputRefused(problem(field, "EMPTY"))
    if len(text) > most:
        raise InputRefused(problem(field, "TOO_LONG", most=most))
    return text
