"""Programs beside the tests: environments of their own, databases out of templates, servers on loopback."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
from psycopg import sql

from core import embedded

ROOT = Path(__file__).parents[2]
STARTS_WITHIN = 60.0
Command = list[str | Path]


class Missing(Exception):
    """What a system needs can't be had here; the sentence says what."""


def cache() -> Path:
    """Where databases that take a minute to make are kept from run to run: outside of the checkout."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skvoz-live"


def digest(*parts: str | bytes) -> str:
    told = hashlib.sha256()
    for part in parts:
        told.update(part.encode() if isinstance(part, str) else part)
    return told.hexdigest()[:12]


def environment(name: str, lock: Path, python: str) -> Path:
    """A virtual environment that holds what ``lock`` names; its folder of programs. Raises Missing."""
    folder = ROOT / name
    stamp = folder / "installed.lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        print(f"Installing what {lock.name} names ...", flush=True)
        try:
            subprocess.run([python, "-m", "venv", folder], check=True, capture_output=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
            options = ["--require-hashes", "--no-deps", "-r", str(lock)]
            subprocess.run([*pip, "install", *options], check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            last = error.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it doesn't say why"]
            raise Missing(f"{lock.name} couldn't be installed ({last[0]})") from None
        stamp.write_bytes(lock.read_bytes())
    return folder / "bin"


class Databases:
    """The embedded server of the live systems, kept with its templates from run to run."""

    def __init__(self) -> None:
        home = cache()
        home.parent.mkdir(parents=True, exist_ok=True)
        self._server = embedded.acquire(home, durable=False)
        self.sockets = self._server.sockets

    def close(self) -> None:
        self._server.release()

    def role(self, name: str) -> None:
        """A role that is no superuser: row-level security holds for it."""
        with self._connect() as connection:
            if connection.execute("select from pg_roles where rolname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))

    def has(self, name: str) -> bool:
        with self._connect() as connection:
            return connection.execute("select from pg_database where datname = %s", [name]).fetchone() is not None

    def create(self, name: str, owner: str, *, template: str = "template1") -> None:
        self.drop(name)
        self._execute("create database {} owner {} template {}", name, owner, template)

    def drop(self, name: str) -> None:
        self._execute("drop database if exists {} with (force)", name)

    def keep(self, name: str, template: str) -> None:
        """Let a database be the template of that name, in place of those of former versions."""
        with self._connect() as connection:
            former = connection.execute(
                "select datname from pg_database where starts_with(datname, %s) and datname <> %s",
                [template.partition("_")[0] + "_", name],
            ).fetchall()
        for (each,) in former:
            self.drop(str(each))
        self._execute("alter database {} rename to {}", name, template)

    def execute(self, database: str, statement: str) -> list[tuple[object, ...]]:
        """A statement in one of the databases, as its superuser."""
        with psycopg.connect(self._server.conninfo(user=embedded.SUPERUSER, dbname=database)) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _execute(self, statement: str, *names: str) -> None:
        with self._connect() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        conninfo = self._server.conninfo(user=embedded.SUPERUSER, dbname="postgres")
        return psycopg.connect(conninfo, autocommit=True)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def run(command: Sequence[str | Path], surroundings: Mapping[str, str], **options: object) -> str:
    """Run a program to its end; its output. Raises RuntimeError with the end of what it said."""
    done = subprocess.run(
        list(map(str, command)),
        env={**_plain(), **surroundings},
        capture_output=True,
        check=False,
        cwd="/",
        **options,  # type: ignore[call-overload]  # input only
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return str(done.stdout.decode(errors="replace"))


@contextmanager
def running(
    command: Sequence[str | Path], surroundings: Mapping[str, str], log: Path, url: str | None
) -> Iterator[None]:
    """A server that runs until the end of the block; with ``url`` it is waited for until it answers there."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(map(str, command)), env={**_plain(), **surroundings}, stdout=output, stderr=output, cwd="/"
        )
    try:
        if url is not None:
            _wait(process, url, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    ends = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        try:
            httpx.get(url, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"Nothing answers at {url}: {log.read_text(errors='replace')[-2000:]}")


def _plain() -> dict[str, str]:
    """The surroundings of a program that isn't ours: no settings of the developer's."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


def own_python() -> str:
    return sys.executable
