"""Where uploaded files lie: each under the hash of its content, which is its reference.

The reference is the right to read the file: nobody can guess it, and it is kept as a secret of the connection.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from tempfile import NamedTemporaryFile

from connectors.errors import BadSettings
from connectors.file.table import LARGEST_FILE

_REFERENCE = re.compile(r"[0-9a-f]{64}")


def keep(folder: Path, content: bytes) -> str:
    """Store a file and give its reference; the same content again has the same one. Raises BadSettings where it is
    too large."""
    if len(content) > LARGEST_FILE:
        raise BadSettings(f"The file is larger than {LARGEST_FILE // 2**20} MB: split it.", "file")
    reference = hashlib.sha256(content).hexdigest()
    path = folder / reference
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, delete=False) as file:  # readable by its owner only
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    return reference


def path_of(folder: Path, reference: str) -> Path:
    """Where a file lies. Raises BadSettings where there is none."""
    path = folder / reference
    if not _REFERENCE.fullmatch(reference) or not path.is_file():
        raise BadSettings("The uploaded file isn't here (any more): upload it again.", "file")
    return path
