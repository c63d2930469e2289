"""Documents that are asked for by an id: those that an operator trusts, and those that callers register themselves.

- *Trusted documents* come out of the build of a frontend, as a JSON object from id to text (GraphQL Code
  Generator and Relay's compiler write it). A request names one by ``documentId``. Where only they are taken,
  nobody can make the server run anything else.
- *Automatic persisted queries* (Apollo's protocol): a request bears the SHA-256 of its text in
  ``extensions.persistedQuery``; a text that isn't known is sent once with its hash, then by the hash alone.

What callers register is forgotten when a process ends, or to make room, and other processes don't know it: the
protocol lets the client send it again. Trusted documents are known to all, always.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from core.errors import SettingsError, SkvozError

_MOST_REGISTERED = 2000
_LONGEST_REGISTERED = 20_000
_VERSION = 1


class NotStored(SkvozError):
    """No document is known by that hash: the client is to send it with its text."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class NotTrusted(SkvozError):
    """The server takes trusted documents only, and this isn't one."""

    code = "DOCUMENT_NOT_TRUSTED"


class WrongHash(SkvozError):
    """The hash isn't that of the text, or not made as the protocol says."""

    code = "BAD_USER_INPUT"


class StoredDocuments:
    """What can be asked for by an id. ``only`` refuses every text that isn't trusted."""

    def __init__(self, trusted: Mapping[str, str] | None = None, *, only: bool = False) -> None:
        self._trusted = {_bare(id): text for id, text in (trusted or {}).items()}
        self._trusted_texts = frozenset(self._trusted.values())
        self._trusted |= {_hash(text): text for text in self._trusted_texts}
        self._registered: OrderedDict[str, str] = OrderedDict()
        self._only = only

    def complete(self, request: dict[str, Any]) -> None:
        """Put the text into a request that names a document by its id.

        Raises `NotStored`, `NotTrusted` or `WrongHash`. A request with neither stays as it is.
        """
        query, id = request.get("query"), request.get("documentId")
        if id is not None and query is None:
            request["query"] = self._by_id(id)
            return
        extensions = request.get("extensions")
        asked = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
        if asked is None:
            return
        digest = _digest(asked)
        if query is None:
            request["query"] = self._by_hash(digest)
        elif isinstance(query, str):
            self._register(digest, query)

    def check(self, text: str) -> None:
        """Raises `NotTrusted` for a text that may not be run."""
        if self._only and text not in self._trusted_texts:
            raise NotTrusted("This server takes registered documents only: send the documentId of one.")

    def _by_id(self, id: object) -> str:
        found = self._trusted.get(_bare(id)) if isinstance(id, str) else None
        if found is None:
            raise NotTrusted("No trusted document has that documentId.")
        return found

    def _by_hash(self, digest: str) -> str:
        found = self._trusted.get(digest)
        if found is None and not self._only:
            found = self._registered.get(digest)
        if found is None:
            raise NotStored("PersistedQueryNotFound")
        if digest in self._registered:
            self._registered.move_to_end(digest)
        return found

    def _register(self, digest: str, text: str) -> None:
        if digest != _hash(text):
            raise WrongHash("provided sha does not match query")
        if self._only or len(text) > _LONGEST_REGISTERED:
            return
        self._registered[digest] = text
        self._registered.move_to_end(digest)
        if len(self._registered) > _MOST_REGISTERED:
            self._registered.popitem(last=False)


def read_trusted(path: Path) -> dict[str, str]:
    """The documents of a file, by their ids. Raises `SettingsError` with a sentence that says what is wrong."""
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"SKVOZ_TRUSTED_DOCUMENTS: {path} can't be read ({error.strerror}).") from None
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"SKVOZ_TRUSTED_DOCUMENTS: {path} isn't valid JSON ({error}).") from None
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise SettingsError(f"SKVOZ_TRUSTED_DOCUMENTS: {path} must be a JSON object from id to document.")
    return found


def _digest(asked: object) -> str:
    if isinstance(asked, dict) and asked.get("version") == _VERSION and isinstance(asked.get("sha256Hash"), str):
        digest: str = asked["sha256Hash"]
        return digest.lower()
    raise WrongHash("extensions.persistedQuery needs the version 1 and a sha256Hash.")


def _bare(id: str) -> str:
    return id.removeprefix("sha256:")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
