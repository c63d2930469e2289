"""How Direct's campaigns and daily costs are asked for and read (BEHAVIOR.md [5]-[12])."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from connectors.contract import Page, Position, RawRecord, Start, VendorRequest, VendorResponse
from connectors.errors import BadSettings, VendorChanged
from connectors.windows import Window
from connectors.yandex_direct.mapping import currency_of
from connectors.yandex_direct.report import HEADERS, report_lines, report_params
from connectors.yandex_direct.settings import DirectSettings
from connectors.yandex_direct.wire import CampaignsAnswer, Client, ClientsAnswer, ObjectKey

SERVICES = "/json/v501"  # [5] v5 hides unified campaigns
CAMPAIGNS_LIMIT = 10_000
CAMPAIGN_FIELDS = ("Id", "Name", "Type", "Status", "State", "Currency", "StartDate")
CLIENT_FIELDS = ("Login", "Currency", "Archived")
REPORT_DAYS = 30
KEPT_YEARS = 3  # [11] counted from the first day of the month
DAYS_OF = ZoneInfo("Europe/Moscow")  # [12] where a report's day begins and ends

_CAMPAIGNS = msgspec.json.Decoder(CampaignsAnswer)
_KEY = msgspec.json.Decoder(ObjectKey)
_CLIENTS = msgspec.json.Decoder(ClientsAnswer)


def start_campaigns(_settings: DirectSettings, _start: Start) -> Position | None:
    return {"offset": 0}


def ask_campaigns(settings: DirectSettings, position: Position) -> VendorRequest:
    return _list_campaigns(settings, CAMPAIGN_FIELDS, position)


def ask_campaign_ids(settings: DirectSettings, position: Position) -> VendorRequest:
    return _list_campaigns(settings, ("Id",), position)


def read_campaigns(_settings: DirectSettings, position: Position, response: VendorResponse) -> Page:
    """One page of all campaigns, archived ones too. Raises VendorChanged where it has another shape."""
    try:
        result = _CAMPAIGNS.decode(response.content).result
        records = [RawRecord(str(_KEY.decode(raw).id), bytes(raw)) for raw in result.campaigns]
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Direct's list of campaigns has an unknown shape: {error}.") from error
    if result.limited_by is None:
        return Page(records, None, done=1.0)
    if result.limited_by <= position["offset"]:
        raise VendorChanged(f"Direct's list of campaigns doesn't go on after offset {position['offset']}.")
    return Page(records, {"offset": result.limited_by})


def start_ad_spend(settings: DirectSettings, start: Start) -> Position | None:
    """The first window of days. Its first request asks for the account's currency, which reports don't tell."""
    today = start.now.astimezone(DAYS_OF).date()
    window = Window.opening(
        start,
        days=REPORT_DAYS,
        reread_days=settings.reread_days,
        zone=DAYS_OF,
        earliest=date(today.year - KEPT_YEARS, today.month, 1),
    )
    if window is None:
        return None
    return {**window.position(), "run": str(start.run_id), "currency": None}


def ask_ad_spend(settings: DirectSettings, position: Position) -> VendorRequest:
    if position["currency"] is None:
        return ask_client(settings)
    window = Window.at(position)
    return VendorRequest(
        path=f"{SERVICES}/reports",
        method="POST",
        json=report_params(settings, window.first, window.last, position["run"]),
        headers={**_headers(settings), **HEADERS},
    )


def read_ad_spend(settings: DirectSettings, position: Position, response: VendorResponse) -> Page:
    """The account's currency first, then a report a window."""
    if position["currency"] is None:
        return Page([], {**position, "currency": _currency(read_client(response))}, done=0.0)
    window = Window.at(position)
    records = report_lines(response.content, currency=position["currency"], vat=settings.include_vat)
    following = window.following(REPORT_DAYS)
    next_position = None if following is None else {**position, **following.position()}
    return Page(records, next_position, window.cursor(), window.done())


def ask_client(settings: DirectSettings) -> VendorRequest:
    return service(settings, "clients", {"FieldNames": list(CLIENT_FIELDS)})


def read_client(response: VendorResponse) -> Client:
    """The advertiser whose cabinet this is. Raises VendorChanged where none is told."""
    clients = read_clients(response)
    if not clients:
        raise VendorChanged("Direct names no advertiser for this token.")
    return clients[0]


def read_clients(response: VendorResponse) -> list[Client]:
    try:
        return _CLIENTS.decode(response.content).result.clients
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Direct's list of clients has an unknown shape: {error}.") from error


def service(settings: DirectSettings, name: str, params: dict[str, Any], *, method: str = "get") -> VendorRequest:
    """A request to one of Direct's JSON services."""
    return VendorRequest(
        path=f"{SERVICES}/{name}",
        method="POST",
        json={"method": method, "params": params},
        headers=_headers(settings),
    )


def _list_campaigns(settings: DirectSettings, fields: tuple[str, ...], position: Position) -> VendorRequest:
    page = {"Limit": CAMPAIGNS_LIMIT, "Offset": position["offset"]}
    return service(settings, "campaigns", {"SelectionCriteria": {}, "FieldNames": list(fields), "Page": page})


def _headers(settings: DirectSettings) -> dict[str, str]:
    headers = {"Accept-Language": "en"}
    if settings.login is not None:
        headers["Client-Login"] = settings.login
    return headers


def _currency(client: Client) -> str:
    currency = currency_of(client.currency)
    if currency is None:
        raise BadSettings(
            "This cabinet counts in Direct's own units, not in a currency: move it to a currency in Direct first."
        )
    return currency
