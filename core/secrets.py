"""Secrets at rest: envelope encryption, and a type that doesn't show what it holds.

Every connection has a data key of its own. Secrets are sealed with the data key; the data key is stored beside
them, wrapped by a master key that only the operator has. Rotating the master key re-wraps data keys and touches no
secret.

A sealed value reads `v1.<key id>.<nonce>.<ciphertext>`. It is AES-256-GCM with a random 96-bit nonce (NIST SP
800-38D); the workspace, the connection and the field's name are its associated data, so a value that was copied
to another row, field or workspace doesn't open.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from typing import NoReturn
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import KeyringError
from core.settings import Settings

_KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "v1"
_CANARY = "skvoz canary"


class Secret:
    """A string that shows itself to `reveal` only: not to repr, str, format, logs or pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself. Keep it out of variables that live long and of all messages."""
        return self._value

    @property
    def last_four(self) -> str:
        """What a person may see to tell secrets apart: the last four characters of a long one, else nothing."""
        return self._value[-4:] if len(self._value) >= 16 else ""

    def __repr__(self) -> str:
        return "Secret('********')"

    def __str__(self) -> str:
        return "********"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret isn't pickled or copied into job arguments.")


class _Key:
    """One AES-256 key and its id: eight hex digits of a hash, so that an id can't name the wrong key."""

    __slots__ = ("_aead", "_bytes", "id")

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise KeyringError(f"A key must have {_KEY_BYTES} bytes, this one has {len(key)}.")
        self.id = hashlib.sha256(b"skvoz key id" + key).hexdigest()[:8]
        self._bytes = key
        self._aead = AESGCM(key)

    def __repr__(self) -> str:
        return f"<key {self.id}>"

    def seal(self, plaintext: bytes, context: bytes) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._aead.encrypt(nonce, plaintext, context)
        return ".".join((_VERSION, self.id, _encode(nonce), _encode(ciphertext)))

    def open(self, sealed: str, context: bytes) -> bytes:
        _, nonce, ciphertext = _parse(sealed)
        try:
            return self._aead.decrypt(nonce, ciphertext, context)
        except InvalidTag:
            raise KeyringError(
                "A sealed secret doesn't open: it was altered, or it belongs to another connection or field."
            ) from None

    def derive(self, purpose: str) -> str:
        return _encode(hmac.digest(self._bytes, purpose.encode(), "sha256"))


class Keyring:
    """The operator's master keys. The first one wraps, all of them unwrap."""

    def __init__(self, *keys: bytes) -> None:
        if not keys:
            raise KeyringError("There is no master key.")
        self._keys = {key.id: key for key in map(_Key, keys)}
        self._present = _Key(keys[0])

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    @property
    def key_id(self) -> str:
        """The id of the key that wraps; ids of retired keys still stand in what they wrapped."""
        return self._present.id

    def new_data_key(self, *, workspace: UUID, connection: UUID) -> str:
        """A fresh data key for a connection, wrapped; store it on the connection's row."""
        return self._present.seal(os.urandom(_KEY_BYTES), _context("data key", workspace, connection))

    def unwrap(self, wrapped: str, *, workspace: UUID, connection: UUID) -> "DataKey":
        """The data key of a connection. Raises `KeyringError` when it isn't this connection's."""
        key = self._key_of(wrapped).open(wrapped, _context("data key", workspace, connection))
        return DataKey(workspace, connection, _Key(key))

    def rotate(self, wrapped: str, *, workspace: UUID, connection: UUID) -> str:
        """The same data key wrapped by the present master key; unchanged when it is so already."""
        if _parse(wrapped)[0] == self.key_id:
            return wrapped
        context = _context("data key", workspace, connection)
        return self._present.seal(self._key_of(wrapped).open(wrapped, context), context)

    def make_canary(self) -> str:
        """A value to store once, by which a later start can tell that its master key is the right one."""
        return self._present.seal(_CANARY.encode(), _context("canary"))

    def check_canary(self, canary: str) -> None:
        """Raise `KeyringError` when the key that made the canary is missing or isn't the same key."""
        if self._key_of(canary).open(canary, _context("canary")) != _CANARY.encode():
            raise KeyringError("The canary in the database isn't one of ours.")

    def derive(self, purpose: str) -> list[str]:
        """A password for one purpose by each master key (HMAC-SHA-256), the present key's first."""
        return [key.derive(purpose) for key in self._keys.values()]

    def _key_of(self, sealed: str) -> _Key:
        key_id = _parse(sealed)[0]
        if key_id not in self._keys:
            raise KeyringError(
                f"The master key {key_id} is missing; add it to SKVOZ_MASTER_KEY or to the file of master keys."
            )
        return self._keys[key_id]


@dataclass(frozen=True)
class DataKey:
    """The unwrapped data key of one connection; seals and opens its secrets."""

    workspace: UUID
    connection: UUID
    _key: _Key = field(repr=False)

    def seal(self, secret: Secret | str, *, field: str) -> str:
        """The sealed form of a secret that stands in `field` of this connection."""
        plaintext = secret.reveal() if isinstance(secret, Secret) else secret
        return self._key.seal(plaintext.encode(), _context("secret", self.workspace, self.connection, field))

    def open(self, sealed: str, *, field: str) -> Secret:
        """The secret. Raises `KeyringError` when it was altered, or sealed for another field or connection."""
        context = _context("secret", self.workspace, self.connection, field)
        return Secret(self._key.open(sealed, context).decode())


def key_id(sealed: str) -> str:
    """The id of the key that made this sealed value: tells what a retired master key still wraps."""
    return _parse(sealed)[0]


def load_keyring(settings: Settings) -> Keyring:
    """The master keys of SKVOZ_MASTER_KEY, or else of the file. Raises `KeyringError` if there are none."""
    if settings.master_key is not None:
        source, written = "SKVOZ_MASTER_KEY", settings.master_key.get_secret_value().replace(",", "\n")
    else:
        source = str(settings.keys_path)
        try:
            written = settings.keys_path.read_text(encoding="ascii")
        except FileNotFoundError:
            raise KeyringError(
                f"There is no master key: set SKVOZ_MASTER_KEY, or put the output of `openssl rand -base64 32` "
                f"into {source}."
            ) from None
        except (OSError, UnicodeDecodeError):
            raise KeyringError(f"The file of master keys {source} can't be read.") from None
    lines = [line.strip() for line in written.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise KeyringError(f"There is no master key in {source}; make one with `openssl rand -base64 32`.")
    return Keyring(*(_read_key(line, source) for line in lines))


def create_master_key(settings: Settings) -> Keyring:
    """The keyring of these settings; makes `<home>/master.key` if there is no key at all.

    Only for a first try: whoever loses this file loses the secrets of all connections.
    """
    if settings.master_key is None and not settings.keys_path.exists():
        path = settings.keys_path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        making = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(base64.b64encode(os.urandom(_KEY_BYTES)).decode() + "\n")
        try:
            os.link(making, path)  # fails if another process was first, and its key holds
        except FileExistsError:
            pass
        finally:
            making.unlink()
    return load_keyring(settings)


def _read_key(line: str, source: str) -> bytes:
    try:
        key = base64.b64decode(line.replace("-", "+").replace("_", "/") + "=" * (-len(line) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise KeyringError(
            f"A master key in {source} isn't 32 bytes in base64; `openssl rand -base64 32` makes one."
        )
    return key


def _context(kind: str, *parts: object) -> bytes:
    """Associated data: JSON, because plain concatenation would make ('a', 'bc') and ('ab', 'c') alike."""
    return json.dumps(["skvoz", kind, *map(str, parts)]).encode()


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _parse(sealed: str) -> tuple[str, bytes, bytes]:
    try:
        version, identity, nonce, ciphertext = sealed.split(".")
        parts = [
            base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
            for part in (nonce, ciphertext)
        ]
    except (ValueError, binascii.Error):
        raise KeyringError("A sealed secret isn't of the form v1.<key id>.<nonce>.<ciphertext>.") from None
    if version != _VERSION or len(parts[0]) != _NONCE_BYTES:
        raise KeyringError(f"A sealed secret has the form {version[:8]!r}, which this version doesn't know.")
    return identity, parts[0], parts[1]
