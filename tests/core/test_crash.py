import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import crash

PROGRAM = """
import atexit
from core.crash import crash_point
atexit.register(print, "cleaned up")
for number in range(4):
    print(number, flush=True)
    crash_point("page.before_commit")
    crash_point("page.after_commit")
"""


def run(crash_at: str | None) -> tuple[int, list[str]]:
    environment = {**os.environ, **({} if crash_at is None else {"SKVOZ_CRASH_AT": crash_at})}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("crash_at", "outcome"),
    [
        (None, (0, ["0", "1", "2", "3", "cleaned up"])),
        ("page.before_commit", (137, ["0"])),
        ("page.after_commit:3", (137, ["0", "1", "2"])),
        ("page.after_commit:5", (0, ["0", "1", "2", "3", "cleaned up"])),
        ("another.point", (0, ["0", "1", "2", "3", "cleaned up"])),
    ],
)
def test_it_ends_the_process_on_the_nth_pass(crash_at: str | None, outcome: tuple[int, list[str]]) -> None:
    assert run(crash_at) == outcome


def test_points_are_found_in_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("crash_point('b.two')\ncrash.crash_point('a.one')\n# crash_point('not.code')\n")
    (tmp_path / "b.py").write_text("def f():\n    crash_point('a.one')\n")
    assert crash.points_in(tmp_path) == ["a.one", "b.two"]


def test_a_name_that_cannot_be_found_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("crash_point(f'{a}.b')\n")
    with pytest.raises(ValueError, match="literal"):
        crash.points_in(tmp_path)


def test_every_name_in_our_own_source_is_a_literal() -> None:
    assert crash.registered() == sorted(set(crash.registered()))
