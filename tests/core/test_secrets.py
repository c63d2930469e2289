import base64
import copy
import json
import os
import pickle
import string
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from core.errors import KeyringError
from core.secrets import Keyring, Secret, create_master_key, key_id, load_keyring
from core.settings import Settings

OLD, NEW = bytes(32), bytes(range(32))
WORKSPACE, CONNECTION = uuid4(), uuid4()
KEYRING = Keyring(OLD)
WRAPPED = KEYRING.new_data_key(workspace=WORKSPACE, connection=CONNECTION)
DATA_KEY = KEYRING.unwrap(WRAPPED, workspace=WORKSPACE, connection=CONNECTION)

SECRETS = st.text(st.characters(codec="utf-8"))
PLACES = st.tuples(st.uuids(), st.uuids(), st.text(st.characters(codec="utf-8"), max_size=20))


@given(SECRETS, st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens(secret: str, field: str) -> None:
    sealed = DATA_KEY.seal(secret, field=field)
    assert DATA_KEY.open(sealed, field=field).reveal() == secret
    version, identity, nonce, ciphertext = sealed.split(".")
    assert (version, identity) == ("v1", key_id(sealed))
    assert nonce
    assert ciphertext


@given(SECRETS)
def test_the_same_secret_never_looks_the_same(secret: str) -> None:
    assert DATA_KEY.seal(secret, field="token") != DATA_KEY.seal(secret, field="token")


@given(PLACES, PLACES, SECRETS)
def test_a_value_that_was_moved_does_not_open(
    here: tuple[UUID, UUID, str], there: tuple[UUID, UUID, str], secret: str
) -> None:
    """Neither in another field with the same data key, nor with its data key on another row."""
    if here == there:
        return
    workspace, connection, field = here
    wrapped = KEYRING.new_data_key(workspace=workspace, connection=connection)
    sealed = KEYRING.unwrap(wrapped, workspace=workspace, connection=connection).seal(secret, field=field)
    with pytest.raises(KeyringError):
        KEYRING.unwrap(wrapped, workspace=there[0], connection=there[1]).open(sealed, field=there[2])


def test_rows_that_were_swapped_do_not_open() -> None:
    other = uuid4()
    other_key = KEYRING.unwrap(
        KEYRING.new_data_key(workspace=WORKSPACE, connection=other), workspace=WORKSPACE, connection=other
    )
    with pytest.raises(KeyringError, match="doesn't open"):
        other_key.open(DATA_KEY.seal("secret", field="token"), field="token")


@given(SECRETS, st.integers(0, 15), st.integers(1, 63))
def test_an_altered_value_does_not_open(secret: str, at: int, shift: int) -> None:
    """One letter of the nonce is another one; its 96 bits fill sixteen letters exactly."""
    letters = string.ascii_letters + string.digits + "-_"
    version, identity, nonce, ciphertext = DATA_KEY.seal(secret, field="token").split(".")
    letter = letters[(letters.index(nonce[at]) + shift) % 64]
    with pytest.raises(KeyringError):
        DATA_KEY.open(f"{version}.{identity}.{nonce[:at]}{letter}{nonce[at + 1 :]}.{ciphertext}", field="token")


@given(st.text())
def test_what_is_no_sealed_value_gets_a_sentence(text: str) -> None:
    with pytest.raises(KeyringError):
        DATA_KEY.open(text, field="token")


def test_rotation_wraps_anew_and_touches_no_secret() -> None:
    sealed = DATA_KEY.seal("secret", field="token")
    both = Keyring(NEW, OLD)
    rotated = both.rotate(WRAPPED, workspace=WORKSPACE, connection=CONNECTION)
    assert key_id(WRAPPED) == KEYRING.key_id
    assert key_id(rotated) == both.key_id != KEYRING.key_id
    assert both.rotate(rotated, workspace=WORKSPACE, connection=CONNECTION) == rotated
    only_new = Keyring(NEW)
    assert only_new.unwrap(rotated, workspace=WORKSPACE, connection=CONNECTION).open(
        sealed, field="token"
    ) == Secret("secret")
    with pytest.raises(KeyringError, match=f"master key {KEYRING.key_id} is missing"):
        only_new.unwrap(WRAPPED, workspace=WORKSPACE, connection=CONNECTION)
    with pytest.raises(KeyringError, match="doesn't open"):
        both.rotate(WRAPPED, workspace=WORKSPACE, connection=uuid4())


def test_the_canary_tells_a_missing_and_a_false_key() -> None:
    canary = KEYRING.make_canary()
    KEYRING.check_canary(canary)
    Keyring(NEW, OLD).check_canary(canary)
    with pytest.raises(KeyringError, match="is missing"):
        Keyring(NEW).check_canary(canary)
    disguised = canary.replace(KEYRING.key_id, Keyring(NEW).key_id)
    with pytest.raises(KeyringError, match="doesn't open"):
        Keyring(NEW).check_canary(disguised)


def test_derived_passwords_differ_by_key_and_purpose() -> None:
    both = Keyring(NEW, OLD)
    assert both.derive("a") == [*Keyring(NEW).derive("a"), *KEYRING.derive("a")]
    assert len({*both.derive("a"), *both.derive("b")}) == 4


class TestSecret:
    secret = Secret("sk-live-0123456789abcdef")

    def test_shows_itself_to_nobody(self) -> None:
        shown = [
            repr(self.secret),
            str(self.secret),
            f"{self.secret}",
            f"{self.secret!r:>40}",
            repr({"a": self.secret}),
        ]
        assert not any("0123" in text for text in shown)
        with pytest.raises(TypeError):
            json.dumps(self.secret)
        for leak in (pickle.dumps, copy.copy):
            with pytest.raises(TypeError):
                leak(self.secret)

    def test_last_four_only_of_a_long_one(self) -> None:
        assert self.secret.last_four == "cdef"
        assert Secret("short").last_four == ""

    def test_equality(self) -> None:
        assert self.secret == Secret(self.secret.reveal())
        assert self.secret != Secret("пароль")
        assert self.secret != self.secret.reveal()
        assert not Secret("")

    def test_keys_show_their_ids_only(self) -> None:
        keyring = Keyring(NEW)
        data_key = keyring.unwrap(
            keyring.new_data_key(workspace=WORKSPACE, connection=CONNECTION),
            workspace=WORKSPACE,
            connection=CONNECTION,
        )
        assert repr(keyring) == f"Keyring({keyring.key_id})"
        assert repr(data_key) == f"DataKey(workspace={WORKSPACE!r}, connection={CONNECTION!r})"


class TestLoading:
    def settings(self, home: Path, **values: object) -> Settings:
        return Settings.model_validate({"home": home, **values})

    def test_the_first_key_of_the_environment_wraps(self, tmp_path: Path) -> None:
        written = f"{_base64(NEW)}, {_base64(OLD)}"
        keyring = load_keyring(self.settings(tmp_path, master_key=SecretStr(written)))
        assert keyring.key_id == Keyring(NEW).key_id
        keyring.check_canary(KEYRING.make_canary())

    def test_a_file_with_comments(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        path.write_text(f"# since spring\n{_base64(NEW)}\n\n{_base64(OLD)}\n")
        assert load_keyring(self.settings(tmp_path, master_key_file=path)).key_id == Keyring(NEW).key_id

    def test_no_key_is_made_by_reading(self, tmp_path: Path) -> None:
        with pytest.raises(KeyringError, match="openssl rand -base64 32"):
            load_keyring(self.settings(tmp_path))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("written", ["short", "not base64 at all!", "AAAA" * 20, "", "#"])
    def test_a_bad_key_gets_a_sentence_that_does_not_repeat_it(self, tmp_path: Path, written: str) -> None:
        (tmp_path / "master.key").write_text(written)
        with pytest.raises(KeyringError) as caught:
            load_keyring(self.settings(tmp_path))
        assert not written or written == "#" or written not in str(caught.value)

    def test_the_demo_makes_one_once(self, tmp_path: Path) -> None:
        settings = self.settings(tmp_path / "home")
        made = create_master_key(settings)
        assert create_master_key(settings).key_id == made.key_id == load_keyring(settings).key_id
        assert settings.keys_path.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in settings.keys_path.parent.iterdir()] == ["master.key"]

    def test_the_demo_makes_none_beside_one_in_the_environment(self, tmp_path: Path) -> None:
        keyring = create_master_key(self.settings(tmp_path, master_key=SecretStr(_base64(OLD))))
        assert keyring.key_id == KEYRING.key_id
        assert list(tmp_path.iterdir()) == []


def _base64(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_random_keys_differ() -> None:
    assert Keyring(os.urandom(32)).key_id != Keyring(os.urandom(32)).key_id
