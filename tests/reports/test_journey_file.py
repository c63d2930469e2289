"""A file of touches becomes journeys, and its conversions are credited exactly."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from reports.comparison import DEFINITIONS, with_settings
from reports.journey_file import NO_TOUCHES, Attribution, JourneyFileError, attribute, read

HEADER = "journey,time,channel,conversion,value"
SHOP = f"""{HEADER}
a,2026-03-01T10:00,paid_search,0,
a,2026-03-03T10:00,email,0,
a,2026-03-04T10:00,direct,0,
a,2026-03-05T10:00,,1,100.01
b,2026-03-01T10:00,organic,1,50
c,2026-03-01T11:00,organic,0,
d,2026-03-01T11:00,,1,7
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journeys.csv"


def credited(result: Attribution, model: str) -> dict[str, tuple[str, str]]:
    return {
        credit.channel: (f"{credit.conversions:f}", f"{credit.value:f}")
        for credit in result.credits
        if credit.model == model and (credit.conversions or credit.value)
    }


def test_a_shop_by_hand(file: Path) -> None:
    file.write_text(SHOP)
    result = attribute(file, ["all"])
    assert result.models == list(DEFINITIONS)
    assert (result.journeys, result.converted, result.touches) == (4, 3, 5)
    alone = {"organic": ("1.000000", "50.00"), NO_TOUCHES: ("1.000000", "7.00")}
    assert credited(result, "first_touch") == alone | {"paid_search": ("1.000000", "100.01")}
    assert credited(result, "last_touch") == alone | {"direct": ("1.000000", "100.01")}
    assert credited(result, "last_non_direct") == alone | {"email": ("1.000000", "100.01")}
    assert credited(result, "linear") == alone | {
        "paid_search": ("0.333333", "33.33"),
        "email": ("0.333333", "33.34"),
        "direct": ("0.333334", "33.34"),
    }
    assert credited(result, "position_based") == alone | {
        "paid_search": ("0.400000", "40.00"),
        "email": ("0.200000", "20.00"),
        "direct": ("0.400000", "40.01"),
    }
    # Of 3 journeys with touches 1 goes over three channels, any of which is enough to lose it, and 2 over organic,
    # of which 1 converts: every channel's removal loses half of the conversions.
    assert {conversions for conversions, _ in credited(result, "markov").values()} == {"0.500000", "1.000000"}


def test_every_model_gives_all_conversions_and_all_value_to_the_hundredth(file: Path) -> None:
    chance = random.Random(4)  # noqa: S311 - the same at every run
    lines, value, won = [HEADER], Decimal(0), 0
    for journey in range(300):
        touches = chance.choices(["a", "b", "c", "direct"], k=chance.randrange(7))
        lines += [f"j{journey},2026-03-{1 + day:02},{channel},0," for day, channel in enumerate(touches)]
        if chance.random() < 0.4:
            amount = Decimal(chance.randrange(-(10**6), 10**7)) / 100
            lines.append(f"j{journey},2026-03-09,,1,{amount}")
            value, won = value + amount, won + 1
    file.write_text("\n".join(lines))
    result = attribute(file, ["all"])
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for credit in result.credits:
        sums[credit.model][0] += credit.conversions
        sums[credit.model][1] += credit.value
    assert sums == {key: [won, value] for key in DEFINITIONS}
    assert result.value == value


def test_campaigns_of_a_channel(file: Path) -> None:
    file.write_text(
        "client;time;channel;campaign;converted_at\n"
        "a;2026-03-01;ads;spring;2026-03-04\na;2026-03-02;ads;summer;2026-03-04\na;2026-03-05;ads;late;2026-03-04\n"
    )
    result = attribute(file, ["linear"], by_campaign=True)
    assert [(c.channel, c.campaign, str(c.conversions)) for c in result.credits] == [
        ("ads", "spring", "0.500000"),
        ("ads", "summer", "0.500000"),
    ]
    assert result.after == 1


def test_stages_of_the_deal_come_from_their_times(file: Path) -> None:
    file.write_text(
        "journey,time,channel,conversion,lead_time,opened_time\n"
        "a,2026-03-01,one,0,2026-03-02T12:00,2026-03-04\na,2026-03-02,two,0,,\na,2026-03-04,three,0,,\n"
        "a,2026-03-05,four,0,,\na,2026-03-06,,1,,\n"
    )
    result = attribute(file, ["w_shaped"])
    assert {c.channel: str(c.conversions) for c in result.credits} == {
        "one": "0.300000",
        "two": "0.300000",
        "three": "0.300000",
        "four": "0.100000",
    }


def test_settings_change_their_models(file: Path) -> None:
    file.write_text(SHOP)
    settings = with_settings(position=(1, 0, 3), half_life_days=1)
    result = attribute(file, ["position_based", "time_decay"], settings=settings)
    assert credited(result, "position_based")["direct"] == ("0.750000", "75.01")
    assert credited(result, "time_decay")["direct"] == ("0.615385", "61.55")  # 8 of 1 + 4 + 8


def test_json_lines_and_unix_times(file: Path) -> None:
    rows = [
        {"client_id": 7, "timestamp": 1772355600, "channel": "ads", "converted": False, "value": None},
        {"client_id": 7, "timestamp": 1772442000, "channel": "", "converted": True, "value": 12.5},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    ((journey,), columns) = read(file)
    assert columns["journey"] == "client_id"
    assert journey.times == (datetime(2026, 3, 1, 9, tzinfo=UTC),)
    assert (journey.converted_at, journey.value) == (datetime(2026, 3, 2, 9, tzinfo=UTC), 1250)


def test_a_conversion_told_on_every_row_is_one(file: Path) -> None:
    file.write_text(f"{HEADER}\na,2026-03-01,ads,1,10\na,2026-03-02,mail,1,10\n")
    ((journey,), _) = read(file)
    assert (journey.value, len(journey.times)) == (1000, 2)
    assert journey.converted_at == datetime(2026, 3, 2, tzinfo=UTC)


def test_cyrillic_of_windows(file: Path) -> None:
    file.write_bytes(f"{HEADER}\na,2026-03-01,почта,да,10\n".encode("cp1251"))
    assert credited(attribute(file, ["linear"]), "linear") == {"почта": ("1.000000", "10.00")}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("journey,time,conversion\na,2026,1\n", "no column for channel"),
        ("journey,time,channel\na,2026-01-01,ads\n", "doesn't tell which journeys converted"),
        (f"{HEADER}\na,yesterday,ads,0,\n", "Line 2: time is no time: 'yesterday'"),
        (f"{HEADER}\na,2026-01-01,ads,maybe,\n", "must be 1 or 0"),
        (f"{HEADER}\na,2026-01-01,ads,1,ten\n", "Line 2: value is no amount"),
        (f"{HEADER}\na,2026-01-01,ads,1,1.005\n", "to the hundredth"),
        (f"{HEADER}\n,2026-01-01,ads,0,\n", "names no journey"),
        (f"{HEADER}\na,,ads,0,\n", "has no time"),
        (f"{HEADER}\na,2026-01-01,,0,\n", "neither a touch nor a conversion"),
        (f"{HEADER}\na,2026-01-01,ads,1,5\na,2026-01-02,ads,1,6\n", "converts more than once \\(lines 2, 3\\)"),
        (f"{HEADER}\na,2026-01-01,ads,1,1,000\n", "6 cells where the header has 5"),
        ('{"journey": 1\n', "Line 1 is no JSON"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(JourneyFileError, match=says):
        attribute(file, ["linear"])


def test_a_file_without_campaigns_can_not_be_grouped_by_them(file: Path) -> None:
    file.write_text(SHOP)
    with pytest.raises(JourneyFileError, match="no column for campaigns"):
        attribute(file, ["linear"], by_campaign=True)


def test_unknown_models_are_named(file: Path) -> None:
    file.write_text(SHOP)
    with pytest.raises(ValueError, match="no model best"):
        attribute(file, ["best"])
