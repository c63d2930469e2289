"""Named places at which a test can end the process as `kill -9` would.

`SKVOZ_CRASH_AT=sync.page.before_commit` ends it when that point is passed, `...:3` when it is passed for the
third time. A test walks over `registered()`, so a new point is tested without being added to a list.
"""

import ast
import os
from pathlib import Path

_ROOMS = ("api", "sync", "reports", "connectors", "schema", "core")
_KILLED = 137  # what a shell reports for a process ended by SIGKILL


class _Armed:
    """The point at which this process ends, and the passes that are left until then."""

    def __init__(self, wish: str) -> None:
        self.name, _, count = wish.partition(":")
        self.passes_left = int(count) if count else 1


_armed = _Armed(os.environ["SKVOZ_CRASH_AT"]) if os.environ.get("SKVOZ_CRASH_AT") else None


def crash_point(name: str) -> None:
    """End this process here if it was told so. `name` must be a literal, so that `registered` finds it.

    Nothing is flushed, closed or rolled back.
    """
    if _armed is not None and _armed.name == name:
        _armed.passes_left -= 1
        if _armed.passes_left == 0:
            os._exit(_KILLED)


def registered() -> list[str]:
    """The names of all crash points in the source, sorted. Raises ValueError for a name that isn't a literal."""
    return points_in(*(Path(__file__).parent.parent / room for room in _ROOMS))


def points_in(*folders: Path) -> list[str]:
    """The names of the crash points in the Python files below these folders."""
    names: set[str] = set()
    for path in (path for folder in folders for path in sorted(folder.rglob("*.py"))):
        source = path.read_text(encoding="utf-8")
        if "crash_point(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and _called(node) == "crash_point":
                names.add(_literal(node, path))
    return sorted(names)


def _called(node: ast.Call) -> str | None:
    function = node.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", None)


def _literal(node: ast.Call, path: Path) -> str:
    match node.args:
        case [ast.Constant(value=str(name))]:
            return name
    raise ValueError(f"{path}:{node.lineno}: the name of a crash point must be a literal.")
