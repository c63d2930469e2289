"""How the lists and statistics of VK Ads are asked for and read (BEHAVIOR.md [7]-[14])."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import msgspec

from connectors.contract import Page, Position, RawRecord, Start, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from connectors.vk_ads.errors import told
from connectors.vk_ads.mapping import DELETED, LOCAL
from connectors.vk_ads.settings import VkAdsSettings
from connectors.vk_ads.wire import Base, Key, ListAnswer, Plan, SpendLine, Statistics
from connectors.windows import Window

# Not confirmed by a live cabinet, each to be mended here: the size of a page [8], and that a list holds deleted
# objects when their status is asked for [13].
PAGE = 250
LEADS_PAGE = 50
EVERY_STATUS = "active,blocked,deleted"

STATISTICS_DAYS = 30
STATISTICS_IDS = 200  # [12]
METRICS = "base"
CLOCK_SLACK = timedelta(minutes=10)  # read again, for what was written while the former run read
LEADS_SLACK = timedelta(days=1)

_LIST = msgspec.json.Decoder(ListAnswer)
_KEY = msgspec.json.Decoder(Key)
_PLAN = msgspec.json.Decoder(Plan)
_STATISTICS = msgspec.json.Decoder(Statistics)


@dataclass(frozen=True, slots=True)
class Objects:
    """A list of objects: its path, the fields to ask for (else only ids and names come [7]), and whether it can be
    asked for what changed."""

    path: str
    fields: tuple[str, ...]
    by_change: bool = False

    def start(self, _settings: VkAdsSettings, start: Start) -> Position | None:
        since = start.cursor["read_at"] if self.by_change and start.cursor is not None else None
        return {"offset": 0, "since": since, "read_at": local(start.now - CLOCK_SLACK)}

    def ask(self, _settings: VkAdsSettings, position: Position) -> VendorRequest:
        query: dict[str, str | int] = {
            "fields": ",".join(self.fields),
            "_status__in": EVERY_STATUS,
            "sorting": "id",
            "limit": PAGE,
            "offset": position["offset"],
        }
        if position["since"] is not None:
            query["_updated__gte"] = position["since"]
        return VendorRequest(self.path, query=query)

    def read(self, _settings: VkAdsSettings, position: Position, response: VendorResponse) -> Page:
        count, items = listed(response)
        records = [RawRecord(str(_KEY.decode(item).id), bytes(item)) for item in items]
        reached = position["offset"] + len(items)
        if not items or reached >= count:
            return Page(records, None, {"read_at": position["read_at"]}, 1.0)
        return Page(records, {**position, "offset": reached}, done=reached / count)


PLANS = Objects(
    "/api/v2/ad_plans.json",
    ("id", "name", "status", "vkads_status", "objective", "date_start", "date_end", "updated"),
)
GROUPS = Objects(
    "/api/v2/ad_groups.json",
    ("id", "name", "ad_plan_id", "status", "utm", "enable_utm", "updated"),
)
BANNERS = Objects(
    "/api/v2/banners.json",
    ("id", "name", "ad_group_id", "status", "urls", "updated"),
    by_change=True,
)


def start_spend(settings: VkAdsSettings, start: Start) -> Position | None:
    """The first window of days. It begins with the ids of all campaigns, deleted ones too: statistics are asked by
    id, and what was spent stays spent [13]."""
    window = Window.opening(start, days=STATISTICS_DAYS, reread_days=settings.reread_days, zone=LOCAL)
    if window is None:
        return None
    first_told = window.run_first if start.cursor is not None else window.run_last - timedelta(settings.reread_days)
    return {**window.position(), "offset": 0, "plans": [], "left": None, "zeros_from": first_told.isoformat()}


def ask_spend(_settings: VkAdsSettings, position: Position) -> VendorRequest:
    if position["left"] is None:
        query: dict[str, str | int] = {
            "fields": "id,status,updated",
            "_status__in": EVERY_STATUS,
            "sorting": "id",
            "limit": PAGE,
            "offset": position["offset"],
        }
        return VendorRequest(PLANS.path, query=query)
    window = Window.at(position)
    return VendorRequest(
        "/api/v2/statistics/ad_plans/day.json",  # v3 has no rows by day [10]
        query={
            "id": ",".join(position["left"][0]),
            "date_from": window.first.isoformat(),
            "date_to": window.last.isoformat(),
            "metrics": METRICS,
        },
        accept=frozenset({400, 404}),
    )


def read_spend(settings: VkAdsSettings, position: Position, response: VendorResponse) -> Page:
    """A page of ids first; then a batch of campaigns at a time, window after window."""
    if position["left"] is None:
        return _ids(position, response)
    first, rest = position["left"][0], position["left"][1:]
    if response.status != 200:
        return _apart(position, first, rest, response)
    window = Window.at(position)
    records = _lines(settings, window, first, response, date.fromisoformat(position["zeros_from"]))
    if rest:
        batches = -(-len(position["plans"]) // STATISTICS_IDS)
        return Page(records, {**position, "left": rest}, done=window.done(max(0.0, 1 - len(rest) / batches)))
    return _after(position, window, records)


def _after(position: Position, window: Window, records: Sequence[RawRecord]) -> Page:
    """The window is read: on to the next one."""
    following = window.following(STATISTICS_DAYS)
    if following is None:
        return Page(records, None, window.cursor(), 1.0)
    onward = {**position, **following.position(), "left": _batches(position["plans"])}
    return Page(records, onward, window.cursor(), window.done())


def _ids(position: Position, response: VendorResponse) -> Page:
    count, items = listed(response)
    plans = [*position["plans"], *(str(plan.id) for plan in map(_PLAN.decode, items) if _may_cost(plan, position))]
    reached = position["offset"] + len(items)
    if items and reached < count:
        return Page([], {**position, "offset": reached, "plans": plans}, done=0.0)
    if not plans:
        return Page([], None, {"read_to": position["run_last"], "since": position["since"]}, 1.0)
    return Page([], {**position, "plans": plans, "left": _batches(plans)}, done=0.0)


def _may_cost(plan: Plan, position: Position) -> bool:
    """Whether the run's days may hold something of a campaign: not, if it was deleted before they began."""
    return plan.status != DELETED or plan.updated is None or plan.updated[:10] >= position["run_first"]


def _batches(plans: Sequence[str]) -> list[list[str]]:
    return [list(plans[at : at + STATISTICS_IDS]) for at in range(0, len(plans), STATISTICS_IDS)]


def _apart(position: Position, batch: list[str], rest: list[list[str]], response: VendorResponse) -> Page:
    """One id that isn't known fails all of a request [19]: halves of it are asked until that id is alone."""
    code, said = told(response)
    if not code.startswith("ERR_WRONG_") or code in ("ERR_WRONG_DATE", "ERR_WRONG_PARAMETER", "ERR_WRONG_RESOURCE"):
        raise VendorChanged(
            f"VK Ads refuses the statistics: {said or 'no reason given'} ({code or response.status})"
        )
    if len(batch) > 1:
        middle = len(batch) // 2
        return Page([], {**position, "left": [batch[:middle], batch[middle:], *rest]})
    if rest:
        return Page([], {**position, "left": rest})
    return _after(position, Window.at(position), [])


def _lines(
    settings: VkAdsSettings, window: Window, batch: Sequence[str], response: VendorResponse, zeros_from: date
) -> list[RawRecord]:
    """The days of a batch. A day that is read again may have come to nothing since, and is then told as nothing;
    older days without a show are left out [14]."""
    try:
        items = _STATISTICS.decode(response.content).items
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"The statistics of VK Ads have an unknown shape: {error}.") from error
    told_days = {(str(item.id), row.date): row.base for item in items for row in item.rows}
    days = [window.first + timedelta(days=number) for number in range(window.days)]
    again = [(plan, day.isoformat()) for plan in batch for day in days if day >= zeros_from]
    shown = [key for key, base in told_days.items() if any(map(_counts, (base.shows, base.clicks, base.spent)))]
    return [
        _line(settings, plan, day, told_days.get((plan, day), Base()))
        for plan, day in dict.fromkeys((*shown, *again))
    ]


def _line(settings: VkAdsSettings, plan: str, day: str, base: Base) -> RawRecord:
    line = SpendLine(
        plan=plan,
        date=day,
        shows=base.shows,
        clicks=base.clicks,
        spent=base.spent,
        goals=base.goals if base.vk is None else base.vk.goals,
        currency=settings.currency,
        vat=settings.vat_included,
    )
    return RawRecord(f"{day}|{plan}", msgspec.json.encode(line))


def _counts(told: object) -> bool:
    return str(told).strip("0.") not in ("", "None")


def start_leads(_settings: VkAdsSettings, start: Start) -> Position | None:
    since = start.since
    if start.cursor is not None:
        since = max(since, datetime.fromisoformat(start.cursor["read_to"]) - LEADS_SLACK)
    return {"since": local(since), "offset": 0, "read_to": start.now.astimezone(UTC).isoformat()}


def ask_leads(_settings: VkAdsSettings, position: Position) -> VendorRequest:
    return VendorRequest(
        "/api/v1/lead_ads/leads.json",
        query={
            "_created_at__gte": position["since"],
            "sorting": "created_at,id",
            "limit": LEADS_PAGE,
            "offset": position["offset"],
        },
    )


def read_leads(_settings: VkAdsSettings, position: Position, response: VendorResponse) -> Page:
    count, items = listed(response)
    records = [RawRecord(str(_KEY.decode(item).id), bytes(item)) for item in items]
    reached = position["offset"] + len(items)
    if not items or reached >= count:
        return Page(records, None, {"read_to": position["read_to"]}, 1.0)
    return Page(records, {**position, "offset": reached}, done=reached / count)


def listed(response: VendorResponse) -> tuple[int, list[msgspec.Raw]]:
    """How many there are, and those of this page. Raises VendorChanged where the answer has another shape."""
    try:
        found = _LIST.decode(response.content)
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"A list of VK Ads has an unknown shape: {error}.") from error
    return found.count, found.items


def local(at: datetime) -> str:
    """A moment as filters take it: in Moscow's time, without a zone [11]."""
    return at.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S")
