"""The JSON services of the cabinet: campaigns, groups, ads, keywords, the client, and what changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sandbox.vendors.contract import World
from sandbox.vendors.yandex_direct.errors import DirectError
from sandbox.vendors.yandex_direct.report import VAT
from sandbox.vendors.yandex_direct.store import GOAL_CALL, GOAL_FORM

PAGE_LIMIT = 10_000
CAMPAIGN_IDS_LIMIT = 10  # in criteria of groups, ads and keywords
CHECK_LIMIT = 3000
TIME = "%Y-%m-%dT%H:%M:%SZ"
Row = dict[str, Any]


class Cabinet:
    """Answers the methods. ``unified``: whether unified campaigns are shown (API version 501, not 5)."""

    def __init__(self, world: World, login: str, unified: bool) -> None:
        self._world = world
        self._login = login
        self._unified = unified

    def call(self, service: str, method: str, params: Row) -> tuple[Row, int]:
        """The result of a method and how many objects it holds. `DirectError` 55 for one that isn't there."""
        found = _METHODS.get((service, method))
        if found is None:
            raise DirectError(55, f"Метод {service}.{method} не поддерживается")
        return found(self, params)

    # --- get ----------------------------------------------------------------------------------

    def campaigns(self, params: Row) -> tuple[Row, int]:
        totals = {
            campaign: (shows, clicks, cost)
            for campaign, shows, clicks, cost in self._world.db.execute(
                "SELECT campaign, sum(impressions), sum(clicks), sum(cost) FROM yandex_direct_stat GROUP BY 1"
            )
        }
        rows = [
            _campaign(number, name, kind, started, totals.get(number, (0, 0, 0)))
            for number, name, kind, started in self._world.db.execute(
                "SELECT id, name, type, started FROM yandex_direct_campaign ORDER BY id"
            )
            if self._unified or kind != "UNIFIED_CAMPAIGN"
        ]
        return self._page("Campaigns", rows, params, {"Ids": "Id", "Types": "Type", "States": "State"}, False)

    def ad_groups(self, params: Row) -> tuple[Row, int]:
        unified = self._unified_ids()
        rows = [
            {
                "Id": group.id,
                "CampaignId": group.campaign,
                "Name": group.name,
                "Status": "ACCEPTED",
                "ServingStatus": "ELIGIBLE",
                "Type": "UNIFIED_AD_GROUP" if group.campaign in unified else "TEXT_AD_GROUP",
                "Subtype": "NONE",
                "RegionIds": [213],
                "RestrictedRegionIds": None,
                "NegativeKeywords": None,
                "TrackingParams": "",
            }
            for group in self._world.market.ad_groups
        ]
        return self._page("AdGroups", rows, params, {"Ids": "Id", "CampaignIds": "CampaignId"}, True)

    def ads(self, params: Row) -> tuple[Row, int]:
        rows = [
            {
                "Id": ad.id,
                "CampaignId": ad.campaign,
                "AdGroupId": ad.ad_group,
                "Status": "ACCEPTED",
                "State": "ON",
                "StatusClarification": "",
                "Type": "TEXT_AD",
                "Subtype": "NONE",
                "AgeLabel": None,
                "AdCategories": None,
                "TextAd": {
                    "Title": ad.title,
                    "Title2": "Чистота",
                    "Text": ad.text,
                    "Href": ad.href,
                    "Mobile": "NO",
                    "DisplayUrlPath": None,
                    "AdImageHash": None,
                },
            }
            for ad in self._world.market.ads
        ]
        keys = {"Ids": "Id", "CampaignIds": "CampaignId", "AdGroupIds": "AdGroupId"}
        return self._page("Ads", rows, params, keys, True)

    def keywords(self, params: Row) -> tuple[Row, int]:
        rows = [
            {
                "Id": keyword.id,
                "Keyword": keyword.phrase,
                "CampaignId": keyword.campaign,
                "AdGroupId": keyword.ad_group,
                "State": "ON",
                "Status": "ACCEPTED",
                "ServingStatus": "ELIGIBLE",
                "Bid": 45_000_000,
                "ContextBid": 0,
                "StrategyPriority": "NORMAL",
                "UserParam1": None,
                "UserParam2": None,
            }
            for keyword in self._world.market.keywords
        ]
        keys = {"Ids": "Id", "CampaignIds": "CampaignId", "AdGroupIds": "AdGroupId"}
        return self._page("Keywords", rows, params, keys, True)

    def clients(self, params: Row) -> tuple[Row, int]:
        client = {
            "Login": self._login,
            "ClientId": 1_000_000 + self._world.seed % 1_000_000,
            "ClientInfo": "Чистота",
            "Currency": "RUB",
            "VatRate": int(VAT * 100),
            "AccountQuality": 7.5,
            "Archived": "NO",
            "CountryId": 225,
            "CreatedAt": "2020-02-03",
            "Type": "CLIENT",
        }
        return {"Clients": [_only(client, params)]}, 1

    def _page(
        self, key: str, rows: list[Row], params: Row, criteria_keys: dict[str, str], needs: bool
    ) -> tuple[Row, int]:
        """The rows that fit the criteria, one page of them; an empty list isn't named at all."""
        criteria = params.get("SelectionCriteria")
        if criteria is None:
            raise DirectError(4002, "Отсутствует обязательный параметр SelectionCriteria")
        if "FieldNames" not in params:
            raise DirectError(4002, "Отсутствует обязательный параметр FieldNames")
        if needs and not any(name in criteria for name in criteria_keys):
            raise DirectError(4001, f"Нужен один из параметров {', '.join(criteria_keys)}")
        if needs and len(criteria.get("CampaignIds", [])) > CAMPAIGN_IDS_LIMIT:
            raise DirectError(4001, f"Массив CampaignIds не может содержать более {CAMPAIGN_IDS_LIMIT} элементов")
        for name, column in criteria_keys.items():
            if name in criteria:
                wanted = set(criteria[name])
                rows = [row for row in rows if row[column] in wanted]
        page = params.get("Page", {})
        limit, offset = int(page.get("Limit", PAGE_LIMIT)), int(page.get("Offset", 0))
        if not 1 <= limit <= PAGE_LIMIT or offset < 0:
            raise DirectError(4002, f"Page.Limit должен быть от 1 до {PAGE_LIMIT}")
        shown = rows[offset : offset + limit]
        result: Row = {key: [_only(row, params) for row in shown]} if shown else {}
        if offset + limit < len(rows):
            result["LimitedBy"] = offset + limit
        return result, len(shown)

    def _unified_ids(self) -> set[int]:
        query = "SELECT id FROM yandex_direct_campaign WHERE type = 'UNIFIED_CAMPAIGN'"
        return {number for (number,) in self._world.db.execute(query)}

    # --- changes ------------------------------------------------------------------------------

    def check_dictionaries(self, params: Row) -> tuple[Row, int]:
        changed = dict.fromkeys(("TimeZonesChanged", "RegionsChanged", "InterestsChanged"), "NO")
        return {**(changed if "Timestamp" in params else {}), "Timestamp": self._stamp()}, 0

    def check_campaigns(self, params: Row) -> tuple[Row, int]:
        since = _since(params)
        found = []
        for number, changed_at, told_at in self._world.db.execute(
            "SELECT c.id, c.changed_at, max(s.told_at) FROM yandex_direct_campaign c"
            " LEFT JOIN yandex_direct_stat s ON s.campaign = c.id GROUP BY c.id"
        ):
            changes = ["SELF"] if changed_at >= since else []
            if (told_at or 0) >= since:
                changes.append("STAT")
            if changes:
                found.append({"CampaignId": number, "ChangesIn": changes})
        return {"Campaigns": found, "Timestamp": self._stamp()}, len(found)

    def check(self, params: Row) -> tuple[Row, int]:
        since, wanted = _since(params), params.get("CampaignIds")
        if wanted is None:
            raise DirectError(4002, "Здесь проверяются только CampaignIds")
        if not 1 <= len(wanted) <= CHECK_LIMIT:
            raise DirectError(4002, f"CampaignIds: от 1 до {CHECK_LIMIT} элементов")
        db = self._world.db
        known = dict(db.execute("SELECT id, changed_at FROM yandex_direct_campaign"))
        modified: Row = {}
        names = params.get("FieldNames", [])
        if "CampaignIds" in names:
            modified["CampaignIds"] = [number for number in wanted if known.get(number, 0) >= since]
        for name in ("AdGroupIds", "AdIds"):
            if name in names:
                modified[name] = []
        if "CampaignsStat" in names:
            borders = db.execute(
                "SELECT campaign, min(day) FROM yandex_direct_stat WHERE told_at >= ? GROUP BY 1", (since,)
            )
            modified["CampaignsStat"] = [
                {"CampaignId": number, "BorderDate": day} for number, day in borders if number in set(wanted)
            ]
        missing = [number for number in wanted if number not in known]
        not_found = {"CampaignIds": missing} if missing else {}
        return {
            "Modified": modified,
            "NotFound": not_found,
            "Unprocessed": {},
            "Timestamp": self._stamp(),
        }, len(wanted)

    def _stamp(self) -> str:
        return self._world.now().strftime(TIME)


_METHODS: dict[tuple[str, str], Callable[[Cabinet, Row], tuple[Row, int]]] = {
    ("campaigns", "get"): Cabinet.campaigns,
    ("adgroups", "get"): Cabinet.ad_groups,
    ("ads", "get"): Cabinet.ads,
    ("keywords", "get"): Cabinet.keywords,
    ("clients", "get"): Cabinet.clients,
    ("changes", "check"): Cabinet.check,
    ("changes", "checkCampaigns"): Cabinet.check_campaigns,
    ("changes", "checkDictionaries"): Cabinet.check_dictionaries,
}


def _campaign(number: int, name: str, kind: str, started: str | None, totals: tuple[int, int, int]) -> Row:
    shows, clicks, kopecks = totals
    strategy = {
        "Search": {
            "BiddingStrategyType": "WB_MAXIMUM_CLICKS",
            "WbMaximumClicks": {"WeeklySpendLimit": 30_000_000_000, "BidCeiling": None},
        },
        "Network": {"BiddingStrategyType": "NETWORK_DEFAULT"},
    }
    own: Row = {
        "BiddingStrategy": strategy,
        "CounterIds": {"Items": [12_345_678]},
        "PriorityGoals": {
            "Items": [
                {"GoalId": goal, "Value": 500_000_000, "IsMetrikaSourceOfValue": "NO"}
                for goal in (GOAL_CALL, GOAL_FORM)
            ]
        },
        "AttributionModel": "LSCCD",
        "TrackingParams": "",
        "Settings": [{"Option": "ADD_METRICA_TAG", "Value": "YES"}],
    }
    return {
        "Id": number,
        "Name": name,
        "ClientInfo": "Чистота",
        "StartDate": started,
        "EndDate": None,
        "Type": kind,
        "Status": "ACCEPTED",
        "State": "ON",
        "StatusPayment": "ALLOWED",
        "StatusClarification": "Идут показы",
        "SourceId": None,
        "Currency": "RUB",
        "Funds": {
            "Mode": "SHARED_ACCOUNT_FUNDS",
            "SharedAccountFunds": {"Refund": 0, "Spend": kopecks * 10_000},
        },
        "DailyBudget": None,
        "Statistics": {"Impressions": shows, "Clicks": clicks},
        "TimeZone": "Europe/Moscow",
        "NegativeKeywords": None,
        "UnifiedCampaign" if kind == "UNIFIED_CAMPAIGN" else "TextCampaign": own,
    }


def _only(row: Row, params: Row) -> Row:
    """The fields that were asked for; nested objects have field lists of their own."""
    shown = {name: row[name] for name in params.get("FieldNames", []) if name in row}
    for nested in ("TextCampaign", "UnifiedCampaign", "TextAd"):
        wanted = params.get(f"{nested}FieldNames")
        if wanted and nested in row:
            shown[nested] = {name: row[nested][name] for name in wanted if name in row[nested]}
    return shown


def _since(params: Row) -> int:
    """The second from which changes count, itself included: what happened in the second of a Timestamp may have
    come after it was given."""
    try:
        return int(datetime.strptime(params["Timestamp"], TIME).replace(tzinfo=UTC).timestamp())
    except (KeyError, TypeError, ValueError) as error:
        raise DirectError(4002, "Timestamp нужен в формате YYYY-MM-DDThh:mm:ssZ") from error
