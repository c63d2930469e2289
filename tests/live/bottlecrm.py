"""A real BottleCRM: its environment, its database, its queue and its server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.live.running import ROOT, Command, Databases, Missing, digest, environment, free_port, run, running

FURNISHED = "1"  # to be raised when what stands in the first database changes
LOCK = ROOT / "requirements-bottlecrm.lock"
ROLE = "bottlecrm"
EMAIL = "admin@example.test"
_SEED = ("--seed", "7", "--leads", "30", "--accounts", "15", "--contacts", "25", "--opportunities", "20")
_SECRET = "only-for-tests-only-for-tests-only-for-tests"
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


@dataclass(frozen=True)
class BottleCrm:
    """A running server with the records that it makes itself to show around, and a personal token."""

    url: str
    token: str

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """What a person does there; the answer's JSON."""
        answer = httpx.request(
            method,
            f"{self.url}/api/{path}",
            json=body,
            params=query or None,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


def prepared() -> Path:
    """BottleCRM's programs, installed if they weren't. Raises Missing."""
    if shutil.which("redis-server") is None:
        raise Missing("it needs redis-server (on Debian: apt-get install redis-server)")
    return environment(".venv-bottlecrm", LOCK, _python())


def _python() -> str:
    """Python 3.12 or newer: by name, or as pyenv keeps it."""
    pyenv = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.12*/bin/python3.12"))
    for each in ("python3.12", *map(str, pyenv), "python3.13"):
        try:
            subprocess.run([each, "-c", "import venv"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return each
    raise Missing("it needs Python 3.12, and there is none")


@contextmanager
def bottlecrm(databases: Databases, folder: Path) -> Iterator[BottleCrm]:
    """A server over a fresh database. The template it is made of is built once: that takes two minutes."""
    programs = prepared()
    databases.role(ROLE)
    port = free_port()
    queue: Command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with running(queue, {}, folder / "redis.log", None):
        template = f"bottlecrm_{digest(LOCK.read_bytes(), FURNISHED)}"
        if not databases.has(template):
            _build(databases, programs, template, port)
        name = "bottlecrm_live"
        databases.create(name, ROLE, template=template)
        try:
            with _served(databases, programs, folder, name, port) as url:
                yield BottleCrm(url, _token(databases, programs, url, name, port))
        finally:
            databases.drop(name)


@contextmanager
def _served(databases: Databases, programs: Path, folder: Path, database: str, queue: int) -> Iterator[str]:
    url = f"http://127.0.0.1:{free_port()}"
    command: Command = [programs / "gunicorn", "crm.wsgi:application", "-b", url.removeprefix("http://"), "-w", "2"]
    surroundings = _surroundings(databases, database, queue)
    with running(command, surroundings, folder / "bottlecrm.log", f"{url}/api/profile/"):
        yield url


def _surroundings(databases: Databases, database: str, queue: int) -> dict[str, str]:
    broker = f"redis://127.0.0.1:{queue}/0"
    return {
        "SECRET_KEY": _SECRET,
        "ENV_TYPE": "dev",
        "DEBUG": "True",
        "DJANGO_SETTINGS_MODULE": "crm.settings",
        "DBNAME": database,
        "DBUSER": ROLE,
        "DBPASSWORD": "none",
        "DBHOST": str(databases.sockets),
        "DBPORT": "5432",
        "CELERY_BROKER_URL": broker,
        "CELERY_RESULT_BACKEND": broker,
    }


def _build(databases: Databases, programs: Path, template: str, queue: int) -> None:
    print("Building BottleCRM's first database, once ...", flush=True)
    name = f"{template}_unfinished"
    databases.create(name, ROLE)
    surroundings = _surroundings(databases, name, queue)
    run([programs / "django-admin", "migrate"], surroundings)
    seed = ["seed_data", "--email", EMAIL, *_SEED, "--invoices", "5", "--no-input"]
    run([programs / "django-admin", *seed], surroundings)
    databases.keep(name, template)


def _token(databases: Databases, programs: Path, url: str, database: str, queue: int) -> str:
    """A personal token without bounds, asked for as its owner would."""
    org = str(databases.execute(database, "select id from organization limit 1")[0][0])
    command: Command = [programs / "django-admin", "devlogin", EMAIL, "--org", org]
    told = _TOKEN.search(run(command, _surroundings(databases, database, queue)))
    assert told is not None
    answer = httpx.post(
        f"{url}/api/profile/tokens/",
        json={"name": "skvoz", "scopes": []},
        headers={"Authorization": f"Bearer {told[0]}"},
        timeout=60,
    )
    token: str = answer.raise_for_status().json()["token"]
    return token
