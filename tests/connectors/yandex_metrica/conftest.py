"""Lines of the table of visits, as the Logs API writes them."""

from __future__ import annotations

from connectors.yandex_metrica.table import FIELDS, PREFIX

USUAL = {
    "visitID": "9007199254740993001",
    "date": "2026-04-03",
    "dateTime": "2026-04-03 10:02:11",
    "isNewUser": "1",
    "bounce": "0",
    "startURL": "https://example.com/?yclid=12345678901234567890",
    "referer": "https://yandex.ru/",
    "pageViews": "4",
    "visitDuration": "125",
    "regionCity": "Москва",
    "clientID": "1775109228651162001",
    "goalsID": "[123,456]",
    "deviceCategory": "2",
    "lastTrafficSource": "ad",
    "lastAdvEngine": "ya_direct",
    "lastDirectClickOrder": "101234567",
    "lastDirectBannerGroup": "5001",
    "lastDirectClickBanner": "777",
    "lastDirectPhraseOrCond": "уборка квартир",
    "lastUTMSource": "yandex",
    "lastUTMMedium": "cpc",
    "lastUTMCampaign": "brand|101234567",
}


def table(*lines: dict[str, str], columns: tuple[str, ...] = FIELDS) -> bytes:
    """A part: header and lines; a field that isn't given stands as in ``USUAL``."""
    rows = ["\t".join(PREFIX + name for name in columns)]
    rows += ["\t".join((USUAL | line).get(name, "") for name in columns) for line in lines]
    return ("\n".join(rows) + "\n").encode()
