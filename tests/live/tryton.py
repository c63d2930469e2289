"""A real Tryton: its environment, its database and its server."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.live.running import ROOT, Command, Databases, digest, environment, free_port, own_python, run, running

FURNISHED = "1"  # to be raised when what stands in the first database changes
LOCK = ROOT / "requirements-tryton.lock"
MODULES = ("sale_opportunity", "marketing_campaign", "party_relationship")
ROLE, PASSWORD = "tryton", "live-admin"


@dataclass(frozen=True)
class Tryton:
    """A running server with a company, two employees, and the key of an administrator."""

    url: str
    database: str
    key: str

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """What a person does there, over REST; the answer's JSON."""
        answer = httpx.request(
            method,
            f"{self.url}/{self.database}/rest/model/{path}",
            json=body,
            params=query or None,
            headers={"Authorization": f"Bearer {self.key}", "X-Tryton-Context": _CONTEXT},
            timeout=60,
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def make(self, model: str, **values: Any) -> int:
        number: int = self.ask("POST", model, values)["id"]
        return number

    def all(self, model: str, *fields: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ask("GET", model, f=list(fields))
        return rows


_CONTEXT = b64encode(b'{"company":1,"employee":1}').decode()


def prepared() -> Path:
    """Tryton's programs, installed if they weren't. Raises Missing."""
    return environment(".venv-tryton", LOCK, own_python())


@contextmanager
def tryton(databases: Databases, folder: Path) -> Iterator[Tryton]:
    """A server over a fresh database. The template it is made of is built once: that takes a minute."""
    programs = prepared()
    databases.role(ROLE)
    template = f"tryton_{digest(LOCK.read_bytes(), FURNISHED)}"
    if not databases.has(template):
        _build(databases, programs, folder, template)
    name = "tryton_live"
    databases.create(name, ROLE, template=template)
    try:
        with _served(databases, programs, folder, name) as url:
            key = databases.execute(name, "select key from res_user_application order by id limit 1")[0][0]
            yield Tryton(url, name, str(key))
    finally:
        databases.drop(name)


@contextmanager
def _served(databases: Databases, programs: Path, folder: Path, database: str) -> Iterator[str]:
    port = free_port()
    config = folder / "trytond.conf"
    config.write_text(f"[database]\nuri = postgresql://\n[web]\nlisten = 127.0.0.1:{port}\n")
    url = f"http://127.0.0.1:{port}"
    command: Command = [programs / "trytond", "-c", config, "-d", database]
    with running(command, _surroundings(databases), folder / "trytond.log", f"{url}/{database}/"):
        yield url


def _surroundings(databases: Databases) -> dict[str, str]:
    return {"PGHOST": str(databases.sockets), "PGUSER": ROLE}


def _build(databases: Databases, programs: Path, folder: Path, template: str) -> None:
    print("Building Tryton's first database, once ...", flush=True)
    name = f"{template}_unfinished"
    databases.create(name, ROLE)
    config, password = folder / "build.conf", folder / "password"
    config.write_text("[database]\nuri = postgresql://\n")
    password.write_text(PASSWORD)
    command: Command = [programs / "trytond-admin", "-c", config, "-d", name, "--all", "--email", "a@example.test"]
    surroundings = {**_surroundings(databases), "TRYTONPASSFILE": str(password)}
    run([*command, "-u", *MODULES, "--activate-dependencies"], surroundings)
    with _served(databases, programs, folder, name) as url:
        _furnish(_Client(f"{url}/{name}/rpc/"))
    databases.keep(name, template)


class _Client:
    """JSON-RPC as an administrator: a key for REST can only be had by it."""

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(timeout=60)
        self._address = address
        self.user, token = self._post("common.db.login", ["admin", {"password": PASSWORD}, "en"])[:2]
        self._http.headers["Authorization"] = f"Session {b64encode(f'admin:{self.user}:{token}'.encode()).decode()}"

    def call(self, method: str, *params: Any) -> Any:
        return self._post(f"model.{method}", [*params, {}])

    def make(self, model: str, **values: Any) -> int:
        number: int = self.call(f"{model}.create", [values])[0]
        return number

    def _post(self, method: str, params: Sequence[Any]) -> Any:
        answer = self._http.post(self._address, json={"id": 1, "method": method, "params": list(params)})
        told = answer.raise_for_status().json()
        assert "error" not in told, told
        return told["result"]


def _furnish(client: _Client) -> None:
    """A currency, a company, two employees and a key: without them no opportunity can be made."""
    cent = {"__class__": "Decimal", "decimal": "0.01"}
    currency = client.make("currency.currency", name="Rouble", code="RUB", symbol="₽", digits=2, rounding=cent)
    firm = client.make("party.party", name="Live agency")
    company = client.make("company.company", party=firm, currency=currency)
    client.call("res.user.write", [client.user], {"companies": [["add", [company]]], "company": company})
    employees = []
    for name in ("Мария Орлова", "Олег Лебедев"):
        party = client.make("party.party", name=name)
        employees.append(client.make("company.employee", party=party, company=company))
    client.call("res.user.write", [client.user], {"employees": [["add", employees]], "employee": employees[0]})
    client.make("res.user.application", application="rest", user=client.user)
