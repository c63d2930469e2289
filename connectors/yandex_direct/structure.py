"""What campaigns consist of: groups, ads and keywords, read again only where a campaign has changed.

They can be asked for by ten campaigns at a time, and each object costs a point of the day's budget, so a run
begins with Direct's own list of changes (BEHAVIOR.md [29]-[31]). The steps of a run::

    clock → campaigns … → objects …      the first run: every campaign there is
    changes → objects …                  later runs: the campaigns that changed since the last run's clock
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.contract import Page, Position, RawRecord, Start, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from connectors.yandex_direct.reads import ask_campaign_ids, read_campaigns, service
from connectors.yandex_direct.settings import DirectSettings
from connectors.yandex_direct.wire import ChangesAnswer, ChangesResult, ObjectKey, ObjectsAnswer

CAMPAIGNS_AT_ONCE = 10
OBJECTS_LIMIT = 10_000
CHILDREN_CHANGED = frozenset({"SELF", "CHILDREN"})  # SELF too: a campaign may be new

_CHANGES = msgspec.json.Decoder(ChangesAnswer)
_OBJECTS = msgspec.json.Decoder(ObjectsAnswer)
_KEY = msgspec.json.Decoder(ObjectKey)


@dataclass(frozen=True, slots=True)
class Objects:
    """One service that lists the objects of campaigns: its name, the key of its answer, and the fields asked."""

    service: str
    key: str
    fields: dict[str, list[str]]

    def start(self, _settings: DirectSettings, start: Start) -> Position | None:
        if start.cursor is None:
            return {"step": "clock"}
        return {"step": "changes", "since": start.cursor["timestamp"]}

    def ask(self, settings: DirectSettings, position: Position) -> VendorRequest:
        match position["step"]:
            case "clock":
                return service(settings, "changes", {}, method="checkDictionaries")
            case "changes":
                params: dict[str, Any] = {"Timestamp": position["since"]}
                return service(settings, "changes", params, method="checkCampaigns")
            case "campaigns":
                return ask_campaign_ids(settings, position)
        params = {
            "SelectionCriteria": {"CampaignIds": position["campaigns"][:CAMPAIGNS_AT_ONCE]},
            "Page": {"Limit": OBJECTS_LIMIT, "Offset": position["offset"]},
        }
        return service(settings, self.service, params | self.fields)

    def read(self, settings: DirectSettings, position: Position, response: VendorResponse) -> Page:
        """One step's answer. Raises VendorChanged where it has another shape than the step expects."""
        match position["step"]:
            case "clock":
                listing = {"step": "campaigns", "offset": 0, "campaigns": []}
                return Page([], {**listing, "timestamp": _changes(response).timestamp}, done=0.0)
            case "changes":
                told = _changes(response)
                changed = [each.campaign_id for each in told.campaigns if CHILDREN_CHANGED & set(each.changes_in)]
                return _go_on([], changed, told.timestamp, len(changed))
            case "campaigns":
                page = read_campaigns(settings, position, response)
                found = [*position["campaigns"], *(int(record.external_id) for record in page.records)]
                if page.next is not None:
                    return Page([], {**position, **page.next, "campaigns": found}, done=0.0)
                return _go_on([], found, position["timestamp"], len(found))
        return self._objects(position, response)

    def _objects(self, position: Position, response: VendorResponse) -> Page:
        try:
            result = _OBJECTS.decode(response.content).result
            limited_by = msgspec.json.decode(result.get("LimitedBy", b"null"), type=int | None)
            raws = msgspec.json.decode(result.get(self.key, b"[]"), type=list[msgspec.Raw])
            records = [RawRecord(str(_KEY.decode(raw).id), bytes(raw)) for raw in raws]
        except msgspec.MsgspecError as error:
            raise VendorChanged(f"Direct's list {self.key} has an unknown shape: {error}.") from error
        if limited_by is None:
            rest = position["campaigns"][CAMPAIGNS_AT_ONCE:]
            return _go_on(records, rest, position["timestamp"], position["of"])
        if limited_by <= position["offset"]:
            raise VendorChanged(f"Direct's list {self.key} doesn't go on after offset {position['offset']}.")
        return Page(records, {**position, "offset": limited_by}, done=_done(position["campaigns"], position["of"]))


AD_GROUPS = Objects("adgroups", "AdGroups", {"FieldNames": ["Id", "CampaignId", "Name"]})
ADS = Objects(
    "ads",
    "Ads",
    {
        "FieldNames": ["Id", "CampaignId", "AdGroupId", "Type"],
        "TextAdFieldNames": ["Title", "Href"],
        "ResponsiveAdFieldNames": ["Titles", "Href"],
    },
)
KEYWORDS = Objects("keywords", "Keywords", {"FieldNames": ["Id", "CampaignId", "AdGroupId", "Keyword"]})


def lists_everything(position: Position) -> bool:
    """Whether a run that starts here asks for the objects of all campaigns there are."""
    return bool(position["step"] == "clock")


def _go_on(records: list[RawRecord], campaigns: list[int], timestamp: str, of: int) -> Page:
    """On to the next campaigns, or to the end, where the vendor's clock of the beginning is the new cursor."""
    if not campaigns:
        return Page(records, None, {"timestamp": timestamp}, 1.0)
    position = {"step": "objects", "campaigns": campaigns, "offset": 0, "timestamp": timestamp, "of": of}
    return Page(records, position, done=_done(campaigns, of))


def _done(campaigns: list[int], of: int) -> float:
    return 1 - len(campaigns) / of


def _changes(response: VendorResponse) -> ChangesResult:
    try:
        return _CHANGES.decode(response.content).result
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Direct's list of changes has an unknown shape: {error}.") from error
