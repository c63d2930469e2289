"""The embedded server's life: these tests start servers of their own, which don't wait for the disk."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core import embedded
from core.errors import DatabaseError

HEARS_CTRL_C = """
import signal  # what runs in the background ignores Ctrl-C, and so do its children
signal.signal(signal.SIGINT, signal.default_int_handler)
"""

HOLDER = (
    HEARS_CTRL_C
    + """
import sys, time
from pathlib import Path
from core import embedded
server = embedded.acquire(Path(sys.argv[1]), durable=False)
print("held", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    with_server = __import__("psycopg").connect(server.conninfo(user="postgres", dbname="postgres"))
    print(with_server.execute("select 'alive'").fetchone()[0], flush=True)
    with_server.close()
    server.release()
"""
)


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path, as a home in a checkout has."""
    folder = Path(tempfile.mkdtemp(prefix="skvoz-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def pid(home: Path) -> int | None:
    """The process id of the server that runs in this home."""
    try:
        return int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return None


def ask(server: embedded.Embedded, question: str) -> object:
    with psycopg.connect(
        server.conninfo(user=embedded.SUPERUSER, dbname="postgres"), autocommit=True
    ) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def keep_a_row(server: embedded.Embedded) -> None:
    with psycopg.connect(server.conninfo(user=embedded.SUPERUSER, dbname="postgres")) as connection:
        connection.execute("create table kept as select 42 as n")


def hold_in_another_process(home: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_settings_of_its_own(home: Path) -> None:
    server = embedded.acquire(home)
    try:
        asked = {
            name: ask(server, f"show {name}")
            for name in (
                "jit",
                "max_wal_size",
                "work_mem",
                "synchronous_commit",
                "fsync",
                "wal_compression",
                "timezone",
            )
        }
        assert ask(server, "show listen_addresses") == ""
    finally:
        server.release()
    assert asked == {
        "jit": "off",
        "max_wal_size": "4GB",
        "work_mem": "32MB",
        "synchronous_commit": "on",
        "fsync": "on",
        "wal_compression": "pglz",
        "timezone": "UTC",
    }


def test_the_last_one_stops_it(home: Path) -> None:
    first, second = embedded.acquire(home, durable=False), embedded.acquire(home, durable=False)
    first.release()
    first.release()
    assert ask(second, "select 1") == 1
    second.release()
    assert pid(home) is None


def test_what_was_written_is_there_after_a_restart(home: Path) -> None:
    server = embedded.acquire(home)
    keep_a_row(server)
    server.release()
    server = embedded.acquire(home)
    try:
        assert ask(server, "select n from kept") == 42
    finally:
        server.release()


def test_processes_share_one_server_and_ctrl_c_ends_it_in_order(home: Path) -> None:
    other = hold_in_another_process(home)
    server = embedded.acquire(home, durable=False)
    running = pid(home)
    server.release()
    assert running is not None
    assert pid(home) == running
    os.killpg(other.pid, signal.SIGINT)  # as a terminal does: to the whole group
    output, _ = other.communicate(timeout=20)
    assert output == "alive\n"
    assert pid(home) is None


OPENER = (
    HEARS_CTRL_C
    + """
import asyncio, sys
from pathlib import Path
from core.database import open_database
from core.settings import Settings
async def main():
    async with open_database(Settings(home=Path(sys.argv[1])), durable=False) as database:
        async with database.alone("test"):
            print("opened", flush=True)
        await asyncio.sleep(float(sys.argv[2]))
asyncio.run(main())
"""
)


def test_processes_that_begin_at_the_same_moment(home: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", OPENER, str(home / "new"), "0"], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["opened\n"] * 3
    assert pid(home / "new") is None


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.3, 0.45, 0.6])
def test_ctrl_c_at_any_moment_leaves_no_server(home: Path, delay: float) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            OPENER.replace("async def", "print('ready', flush=True)\nasync def"),
            str(home),
            "30",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert pid(home) is None


def test_a_killed_user_holds_nothing(home: Path) -> None:
    other = hold_in_another_process(home)
    server = embedded.acquire(home, durable=False)
    other.kill()
    other.communicate()
    server.release()
    assert pid(home) is None


def test_it_recovers_after_kill_9(home: Path) -> None:
    server = embedded.acquire(home)
    keep_a_row(server)
    killed = pid(home)
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    again = embedded.acquire(home)
    try:
        assert ask(again, "select n from kept") == 42
        assert pid(home) != killed
    finally:
        again.release()
        server.release()


def test_a_pid_file_whose_id_belongs_to_another_process_now(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the restart of a container, where ids begin anew."""
    embedded.acquire(home, durable=False).release()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        data = home / "postgres"
        pid_file = data / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{data}\n{int(time.time())}\n5432\n{data}\n\n 0 0\nready   \n")
        if os.geteuid() == 0:
            os.chown(pid_file, data.stat().st_uid, -1)
        monkeypatch.setattr(embedded, "_STALE_AFTER", 0.3)
        server = embedded.acquire(home, durable=False)
        assert ask(server, "select 1") == 1
        server.release()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_deep_home_with_strange_letters(home: Path) -> None:
    deep = home / ("очень глубокая папка, " * 3) / ("x" * 100)
    server = embedded.acquire(deep, durable=False)
    try:
        assert ask(server, "select 1") == 1
        assert len(os.fsencode(server.sockets)) < 90
        assert server.sockets.stat().st_mode & 0o077 == 0
    finally:
        server.release()
    assert not server.sockets.exists()


def test_an_interrupted_initdb_leaves_nothing_that_hinders(home: Path) -> None:
    (home / "postgres.new").mkdir()
    (home / "postgres.new" / "PG_VERSION").write_text("18\n")
    server = embedded.acquire(home, durable=False)
    assert ask(server, "select 1") == 1
    server.release()


def test_a_home_that_cannot_be_made_gets_a_sentence(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(DatabaseError, match="SKVOZ_HOME"):
        embedded.acquire(home / "file" / "home")


def test_a_broken_configuration_names_its_reason(home: Path) -> None:
    embedded.acquire(home, durable=False).release()
    with (home / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write("shared_buffers = 'plenty'\n")
    with pytest.raises(DatabaseError, match=r"shared_buffers.*server\.log"):
        embedded.acquire(home, durable=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_needs_no_root(home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    program = (  # becomes the user after the imports: root's interpreter may lie where others can't read
        "import os, psycopg, sys; from pathlib import Path; from core import embedded\n"
        "os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1]))\n"
        "server = embedded.acquire(Path(sys.argv[3]), durable=False)\n"
        "psycopg.connect(server.conninfo(user='postgres', dbname='postgres')).close()\n"
        "server.release(); print('done')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(nobody.pw_uid), str(nobody.pw_gid), str(home)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr
    assert (home / "postgres").stat().st_uid == nobody.pw_uid
    with pytest.raises(DatabaseError, match="SKVOZ_HOME"):
        raise_for_another_user(home)


def raise_for_another_user(home: Path) -> None:
    """Ask as somebody who doesn't own the data, without becoming them in this process."""
    program = (
        "import os, psycopg, sys; from pathlib import Path; from core import embedded; from core.errors import *\n"
        "os.chmod(sys.argv[1], 0o777); os.setgroups([]); os.setuid(54321)\n"
        "try: embedded.acquire(Path(sys.argv[1]), durable=False)\n"
        "except DatabaseError as error: print(error, end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(home)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    raise DatabaseError(done.stdout or done.stderr)
