"""What a user gave as settings: understood, or refused with a plain sentence for each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from connectors.contract import Connector, ConnectorSettings
from sync.errors import SettingsProblem, SettingsRefused

_LONGEST_TEXT = 100_000
REASONS = {
    "string_type": "it is a text",
    "string_too_short": "it is empty",
    "string_too_long": "it has more than {max_length} characters",
    "int_type": "it is a whole number",
    "int_parsing": "it is a whole number",
    "int_parsing_size": "the number is too large",
    "int_from_float": "it is a whole number",
    "bool_type": "it is true or false",
    "bool_parsing": "it is true or false",
    "literal_error": "it is one of {expected}",
    "enum": "it is one of {expected}",
    "greater_than_equal": "it is {ge} or more",
    "less_than_equal": "it is {le} or less",
    "date_type": "it is a day like 2026-01-31",
    "date_parsing": "it is a day like 2026-01-31",
    "date_from_datetime_parsing": "it is a day like 2026-01-31",
    "date_from_datetime_inexact": "it is a day like 2026-01-31",
    "dict_type": "it is a JSON object",
}
"""What pydantic's errors mean to somebody who fills in a form, by their type."""
UNKNOWN_REASON = "it doesn't look as it must"


def parse_settings(found: Connector[Any], values: Mapping[str, Any]) -> ConnectorSettings:
    """Settings out of what a user gave. Raises SettingsRefused with a sentence for each wrong field."""
    long = [name for name, value in values.items() if isinstance(value, str) and len(value) > _LONGEST_TEXT]
    if long:
        raise SettingsRefused(
            [_unfit(found, name, f"it has more than {_LONGEST_TEXT:,} characters") for name in long]
        )
    try:
        settings: ConnectorSettings = found.settings.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsRefused(
            [_problem(found, each) for each in error.errors(include_input=False, include_url=False)]
        ) from None
    return settings


def _problem(found: Connector[Any], error: ErrorDetails) -> SettingsProblem:
    name = str(error["loc"][0]) if error["loc"] else None
    field = found.settings.model_fields.get(name or "")
    if error["type"] == "missing":
        label, where = _label(name, field), _where(field)
        values = {"label": label, "where": where, "connector": found.key}
        return SettingsProblem(name, f"«{label}» is needed.{where}", "MISSING", values)
    if error["type"] == "extra_forbidden":
        known = ", ".join(found.settings.model_fields)
        sentence = f"{found.title} has no setting {name!r}; it has {known}."
        return SettingsProblem(
            name, sentence, "NO_SUCH_SETTING", {"system": found.title, "name": name, "known": known}
        )
    if error["type"] == "value_error":  # a connector's own words
        return _unfit(found, name, str(error["ctx"]["error"]))
    if error["type"] in REASONS:
        told = {key: _listed(value) for key, value in error.get("ctx", {}).items()}
        reason = REASONS[error["type"]].format_map(told)
        return _unfit(found, name, reason, _where(field))
    return _unfit(found, name, UNKNOWN_REASON, _where(field))


def _unfit(found: Connector[Any], name: str | None, reason: str, where: str = "") -> SettingsProblem:
    told = reason.rstrip(".")
    values: dict[str, object] = {"reason": reason, "where": where, "connector": found.key}
    if name is None:
        return SettingsProblem(None, f"{told}.", "UNFIT_TOGETHER", values)
    label = _label(name, found.settings.model_fields.get(name))
    return SettingsProblem(name, f"«{label}» can't be used: {told}.{where}", "UNFIT", values | {"label": label})


def _listed(value: object) -> object:
    """The last of several choices is told like the others."""
    return value.replace(" or ", ", ") if isinstance(value, str) else value


def _label(name: str | None, field: FieldInfo | None) -> str | None:
    return field.title if field is not None and field.title else name


def _where(field: FieldInfo | None) -> str:
    return f" {field.description}" if field is not None and field.description else ""
