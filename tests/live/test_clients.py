"""Public clients of the vendors, unchanged, talk to the sandbox: only the vendor's host leads there.

They aren't among the project's dependencies (``tests/live/clients.in``); without them the module is skipped.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.server import Sandbox, start

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # what others' code warns of is theirs
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("amocrm", "fast_bitrix24", "tapi_yandex_metrika")),
        reason="The vendors' public clients aren't installed: pip install -r tests/live/clients.in",
    ),
]
SYSTEMS = ("bitrix24", "amocrm", "yandex_direct", "yandex_metrica")
HOSTS = {
    "https://chistota.amocrm.ru": "amocrm",
    "https://api.direct.yandex.com": "yandex_direct",
    "https://api-metrika.yandex.net": "yandex_metrica",
}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder: Path = tmp_path_factory.mktemp("clients")
    with start(folder, seed=5, calls=60, days=20, start=date(2026, 3, 2), limits=0, only=SYSTEMS) as market:
        yield market


@pytest.fixture(autouse=True)
def _led_here(market: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests to the vendors' hosts go to the sandbox."""
    requests: Any = importlib.import_module("requests")
    usual = requests.Session.request

    def led(session: Any, method: str, url: str, **more: Any) -> Any:
        for host, vendor in HOSTS.items():
            if url.startswith(host):
                url = market.credentials[vendor]["base_url"].rstrip("/") + url[len(host) :]
        return usual(session, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", led)


def test_fast_bitrix24_reads_everybody(market: Sandbox) -> None:
    module: Any = importlib.import_module("fast_bitrix24")
    portal = module.Bitrix(market.credentials["bitrix24"]["webhook_url"], verbose=False)
    contacts = portal.get_all("crm.contact.list", params={"select": ["ID", "PHONE"]})
    assert len({contact["ID"] for contact in contacts}) == len(contacts) > 0
    assert portal.call("user.current", raw=True)["result"]["ID"]


def test_amocrm_api_reads_contacts_and_companies(market: Sandbox) -> None:
    module: Any = importlib.import_module("amocrm.v2")
    tokens: Any = importlib.import_module("amocrm.v2.tokens")
    storage = tokens.MemoryTokensStorage()
    storage.save_tokens(market.credentials["amocrm"]["access_token"], "refresh")
    tokens.default_token_manager(
        client_id="id",
        client_secret="secret",
        subdomain="chistota",
        redirect_url="https://x.example",
        storage=storage,
    )
    tokens.default_token_manager.get_access_token = storage.get_access_token
    assert len(list(module.Contact.objects.all())) > 0
    assert isinstance(list(module.Company.objects.all()), list)


def test_tapi_metrika_orders_and_downloads_visits(market: Sandbox) -> None:
    module: Any = importlib.import_module("tapi_yandex_metrika")
    told = market.credentials["yandex_metrica"]
    goals = module.YandexMetrikaManagement(access_token=told["token"]).goals(counterId=told["counter_id"]).get()
    assert goals().data["goals"]
    logs = module.YandexMetrikaLogsapi(
        access_token=told["token"], default_url_params={"counterId": told["counter_id"]}, wait_report=True
    )
    last = market.now().date() - timedelta(days=2)
    ordered = logs.create().post(
        params={
            "fields": "ym:s:visitID,ym:s:date,ym:s:clientID",
            "source": "visits",
            "date1": str(last - timedelta(days=5)),
            "date2": str(last),
        }
    )
    request = ordered.data["log_request"]["request_id"]
    told_request = {}
    for _ in range(5):
        told_request = logs.info(requestId=request).get().data["log_request"]
    part = logs.download(requestId=request, partNumber=0).get()
    assert told_request["status"] == "processed"
    assert "ym:s:clientID" in str(part.data)


def test_tapi_direct_reads_campaigns(market: Sandbox) -> None:
    module: Any = importlib.import_module("tapi_yandex_direct")
    told = market.credentials["yandex_direct"]
    client = module.YandexDirect(access_token=told["token"], login=told["login"])
    body = {"method": "get", "params": {"SelectionCriteria": {}, "FieldNames": ["Id", "Name"]}}
    assert client.campaigns().post(data=body).data["result"]["Campaigns"]
