"""What connectors say to people is there in Russian, all of it and nothing else."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import connectors
from api import russian
from api.graphql.catalogue import connectors as catalogue
from api.graphql.problems import of_refusal
from api.language import _spoken
from connectors.registry import all_connectors, connector
from sync.errors import SettingsRefused
from sync.parsing import REASONS, UNKNOWN_REASON, parse_settings

_TABLES = Path(russian.__file__).parent
_ROOT = Path(connectors.__file__).parent


def _table(name: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((_TABLES / f"{name}.toml").read_text(encoding="utf-8"))


def _sentences() -> Iterator[str]:
    """What the settings of connectors refuse values with, {} for what is put in."""
    paths = [
        *_ROOT.glob("*/settings.py"),
        _ROOT / "onec" / "profile.py",
        _ROOT / "addresses.py",
        _ROOT / "zones.py",
    ]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ValueError":
                yield _template(node.args[0])
    for pattern in (*REASONS.values(), UNKNOWN_REASON):
        yield "{}".join(part.partition("}")[2] if place else part for place, part in enumerate(pattern.split("{")))


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]  # an f-string's constants are texts
    assert isinstance(node, ast.Constant)
    return str(node.value)


def test_every_setting_is_there_in_russian_and_no_other() -> None:
    settings = {(key, name) for key, each in all_connectors().items() for name in each.settings.model_fields}
    assert {each for each in settings if russian.setting(*each) is None} == set()
    told = {(key, name) for key, names in _table("settings").items() for name in names if key != "*"}
    assert told - settings == set()


def test_every_reason_is_there_in_russian_and_no_other() -> None:
    said = set(_sentences())
    assert said - _table("reasons").keys() == set()
    assert _table("reasons").keys() - said == {"There are: {}.", "Near names: {}."}  # they end others


def test_a_refused_setting_is_told_in_one_language() -> None:
    token = _spoken.set("ru")
    try:
        told = {}
        for settings in ({"base_url": "nowhere", "since": "soon"}, {"base_url": "a.amocrm.ru"}):
            try:
                parse_settings(connector("amocrm"), settings)
            except SettingsRefused as refused:
                told |= {each.field: each.message for each in of_refusal(refused)}
        shown = next(each for each in catalogue() if each.key == "amocrm").settings[1]
    finally:
        _spoken.reset(token)
    assert told["base_url"].startswith(
        "«Адрес аккаунта» не подходит: это не адрес. Он должен выглядеть как https://"
    )
    assert told["since"].startswith("«Читать историю с» не подходит: это день вида 2026-01-31. Первый день")
    assert told[None] == "Укажите токен доступа или код авторизации, за который его получить."
    assert shown.title == "Адрес аккаунта"
    assert shown.description.startswith("Адрес в строке браузера")
