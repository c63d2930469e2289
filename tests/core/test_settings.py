from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from core.errors import SettingsError
from core.settings import Settings, load_settings


def test_nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.home == tmp_path / ".skvoz"
    assert settings.keys_path == tmp_path / ".skvoz" / "master.key"
    assert (settings.host, settings.port, settings.role_prefix) == ("127.0.0.1", 8000, "skvoz")
    assert settings.database_url is None
    assert settings.master_key is None
    assert settings.allow_private_hosts == ()
    assert (settings.log_level, settings.log_format) == ("info", "console")


def test_everything_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "SKVOZ_HOME": str(tmp_path),
        "SKVOZ_PORT": "9000",
        "DATABASE_URL": "postgresql://owner:hush@db/skvoz",
        "SKVOZ_MASTER_KEY": "hush",
        "SKVOZ_LOG_FORMAT": "JSON",
        "SKVOZ_ALLOW_PRIVATE_HOSTS": "CRM.local, 10.0.0.0/8,,",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.database_url == SecretStr("postgresql://owner:hush@db/skvoz")
    assert settings.allow_private_hosts == ("crm.local", "10.0.0.0/8")
    assert (settings.home, settings.port, settings.log_format) == (tmp_path, 9000, "json")
    assert "hush" not in repr(settings)


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("SKVOZ_PORT", "")
    assert load_settings().database_url is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SKVOZ_PORT", "eighty"),
        ("SKVOZ_PORT", "99999"),
        ("SKVOZ_LOG_LEVEL", "loud"),
        ("SKVOZ_ROLE_PREFIX", 'a"; drop role b'),
        ("SKVOZ_ALLOW_PRIVATE_HOSTS", "10.0.0.0/99"),
        ("SKVOZ_CORS_ORIGINS", "https://app.example.com/"),
        ("SKVOZ_CORS_ORIGINS", "app.example.com"),
        ("DATABASE_URL", "mysql://root:hush@db/skvoz"),
    ],
)
def test_one_plain_sentence_for_a_bad_one(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    sentence = str(caught.value)
    assert sentence.startswith(f"{name} can't be used: ")
    assert sentence.endswith(".")
    assert "hush" not in sentence
    assert caught.value.code == "BAD_SETTINGS"


def test_two_bad_ones_get_a_sentence_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKVOZ_PORT", "x")
    monkeypatch.setenv("SKVOZ_LOG_LEVEL", "x")
    with pytest.raises(SettingsError, match=r"SKVOZ_PORT.*SKVOZ_LOG_LEVEL"):
        load_settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]  # the point of the test
