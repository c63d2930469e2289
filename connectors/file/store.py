"""Where uploaded files lie: each under the hash of its content, which is its reference.

The reference is the right to read the file: nobody can guess it, and it is kept as a secret of the connection.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from connectors.errors import BadSettings
from connectors.file.table import LARGEST_FILE
from core import clock

_REFERENCE = re.compile(r"[0-9a-f]{64}")


class Incoming:
    """A file on its way in. It takes no more than fits, however much is sent."""

    def __init__(self, folder: Path, file: IO[bytes]) -> None:
        self._folder, self._file = folder, file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, part: bytes) -> None:
        """Take the next part. Raises BadSettings where the file is too large."""
        self.size += len(part)
        if self.size > LARGEST_FILE:
            raise BadSettings(f"The file is larger than {LARGEST_FILE // 2**20} MB: split it.", "file")
        self._hash.update(part)
        self._file.write(part)

    def content(self) -> bytes:
        """What has come so far."""
        self._file.flush()
        return Path(self._file.name).read_bytes()

    def keep(self) -> str:
        """Store what has come for good, and give its reference; the same content again has the same one."""
        self._file.flush()
        os.fsync(self._file.fileno())
        reference = self._hash.hexdigest()
        Path(self._file.name).replace(self._folder / reference)  # young again, if it was there
        return reference


@contextmanager
def incoming(folder: Path) -> Iterator[Incoming]:
    """A file that comes in part by part; nothing is left of one that isn't kept."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder, delete=False) as file:  # readable by its owner only
        try:
            yield Incoming(folder, file)
        finally:
            Path(file.name).unlink(missing_ok=True)


def keep(folder: Path, content: bytes) -> str:
    """Store a file and give its reference. Raises BadSettings where it is too large."""
    with incoming(folder) as file:
        file.write(content)
        return file.keep()


def path_of(folder: Path, reference: str) -> Path:
    """Where a file lies. Raises BadSettings where there is none."""
    path = folder / reference
    if not _REFERENCE.fullmatch(reference) or not path.is_file():
        raise BadSettings("The uploaded file isn't here (any more): upload it again.", "file")
    return path


def forget(folder: Path, reference: str) -> None:
    """Remove a file, if it is there."""
    if _REFERENCE.fullmatch(reference):
        (folder / reference).unlink(missing_ok=True)


def forget_older(folder: Path, age: timedelta, but: Container[str]) -> int:
    """Remove what came longer ago, and what a killed process left half; say how many files that were."""
    before = (clock.now() - age).timestamp()
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in but and path.is_file() and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
            removed += 1
    return removed
