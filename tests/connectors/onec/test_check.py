"""Settings that are wrong in every way, each answered by a plain sentence."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from pydantic import ValidationError

from connectors.errors import AuthFailed, BadSettings, NotPermitted, Transient, VendorChanged, WriteRejected
from connectors.onec import CONNECTOR, metadata
from connectors.onec.profile import near, profile
from connectors.onec.settings import OneCSettings
from tests.connectors.onec.conftest import GIVEN, SAMPLES

REAL = [json.loads(line) for line in (SAMPLES / "errors_real.jsonl").read_text().splitlines()]


def document(of: str = "ut11", **changes: str | None) -> bytes:
    """The metadata of a base that has just what a profile names, but for properties that are called otherwise."""
    types, sets = [], []
    for role in profile(of, "").roles.values():
        own = {name for word, name in role.properties.items() if not word.startswith("row_")}
        sections: dict[str, set[str]] = {}
        if "rows" in role.properties:
            lines = {name for word, name in role.properties.items() if word.startswith("row_")}
            sections[f"{role.set}_{role.properties['rows']}"] = lines
        for name, properties in {role.set: own, **sections}.items():
            called = changes.get(name, name)
            if called is None:
                continue
            shown = "".join(
                f'<Property Name="{changes.get(each, each)}" Type="Edm.String"/>' for each in sorted(properties)
            )
            types.append(f'<EntityType Name="{called}">{shown}</EntityType>')
            sets.append(f'<EntitySet Name="{called}"/>')
    body = f'<Schema xmlns="x">{"".join(types)}<EntityContainer>{"".join(sets)}</EntityContainer></Schema>'
    return f'<edmx:Edmx xmlns:edmx="y"><edmx:DataServices>{body}</edmx:DataServices></edmx:Edmx>'.encode()


def base(**answers: Any) -> Callable[[httpx.Request], httpx.Response]:
    """A base in which all is well, but for the sets that are named; ``metadata`` stands for $metadata."""
    answers.setdefault("metadata", httpx.Response(200, content=document()))

    def answer(request: httpx.Request) -> httpx.Response:
        name = unquote(request.url.path.rpartition("/")[2]).lstrip("$")
        return answers.get(name) or httpx.Response(200, json={"value": []})

    return answer


async def check(settings: OneCSettings, session_to: Any, **answers: Any) -> Any:
    return await CONNECTOR.check(session_to(CONNECTOR, settings, base(**answers)))


async def test_a_base_that_has_everything(settings: OneCSettings, session_to: Any) -> None:
    health = await check(settings, session_to)
    assert (health.ok, health.sentence, health.warnings) == (
        True,
        "Connected to srv/ut: 12 lists are published for it.",
        (),
    )
    crm = OneCSettings(**GIVEN, profile="crm3")
    assert (await check(crm, session_to, metadata=httpx.Response(200, content=document("crm3")))).ok


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(401), "doesn't accept the login or the password"),
        (httpx.Response(404, html="<html>"), "Публиковать стандартный интерфейс OData"),
        (httpx.Response(302, headers={"location": "https://other"}), "leads elsewhere"),
        (httpx.Response(200, html="<html>"), "page instead of data"),
        (httpx.Response(200, content=b"hello"), "no XML document"),
        (httpx.Response(200, content=b"<x/>"), "nothing is published"),
        (httpx.Response(503), "try again later"),
        (httpx.Response(200, content=document("crm3")), "has no НаименованиеПолное"),
    ],
)
async def test_what_is_wrong_is_said(
    settings: OneCSettings, session_to: Any, answer: httpx.Response, words: str
) -> None:
    health = await check(settings, session_to, metadata=answer)
    told = " ".join((health.sentence, *health.warnings))
    assert words in told
    assert health.ok == (words == "has no НаименованиеПолное")  # what isn't needed is a warning


async def test_a_name_that_is_not_there_lists_those_that_are_near(session_to: Any) -> None:
    wrong = OneCSettings(**GIVEN, overrides="deals.amount=ПотенциальнаяСумма")
    health = await check(wrong, session_to)
    assert not health.ok
    assert "has no ПотенциальнаяСумма (deals.amount). Near names: ПотенциальнаяСуммаПродажи" in health.sentence
    wrong = OneCSettings(**GIVEN, overrides="orders.set=Document_ЗаказПокупателя")
    assert "Near names: Document_Заказ" in (await check(wrong, session_to)).sentence


async def test_what_a_profile_names_may_be_missing_but_for_partners(
    settings: OneCSettings, session_to: Any
) -> None:
    lacking = document(Document_ЗаказКлиента=None, Статус="СтатусСделки")
    health = await check(settings, session_to, metadata=httpx.Response(200, content=lacking))
    assert health.ok
    assert any("publishes no Document_ЗаказКлиента" in told for told in health.warnings)
    assert any("Near names: СтатусСделки" in told for told in health.warnings)
    renamed = httpx.Response(200, content=document(Catalog_Партнеры="Catalog_Клиенты"))
    health = await check(settings, session_to, metadata=renamed)
    assert not health.ok
    assert "publishes no Catalog_Партнеры" in health.sentence


async def test_a_list_that_the_user_may_not_see_is_a_warning(settings: OneCSettings, session_to: Any) -> None:
    forbidden = httpx.Response(REAL[6]["http"], json=REAL[6]["body"])
    health = await check(settings, session_to, Document_ТелефонныйЗвонок=forbidden)
    assert health.ok
    assert "Document_ТелефонныйЗвонок isn't read: The 1C user may not see" in health.warnings[0]


async def test_a_plan_that_is_not_published(session_to: Any) -> None:
    planned = OneCSettings(**GIVEN, exchange_plan="Обмен", exchange_node="SK")
    health = await check(planned, session_to)
    assert (health.ok, "publishes no ExchangePlan_Обмен" in health.sentence) == (False, True)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"base_url": "ftp://srv/ut"}, "isn't an address"),
        ({"login": "a:b"}, "colon"),
        ({"timezone": "Moscow"}, "no time zone 'Moscow'"),
        ({"overrides": "deals=x"}, "no override"),
        ({"overrides": "deal.amount=x"}, "no role 'deal'. Near names: deals"),
        ({"overrides": "deals.amuont=x"}, "no 'amuont'. Near names: amount"),
        ({"overrides": "leads.title=x"}, "add leads.set="),
        ({"exchange_plan": "A"}, "give both or neither"),
        ({"exchange_plan": "A B", "exchange_node": "SK"}, "no name of an exchange plan"),
        ({"phone_kind": "Телефон"}, "is no key"),
        ({"defaults": "ВидСделки_Key"}, "is no value"),
        ({"profile": "ut10"}, "ut11"),
    ],
)
def test_settings_that_can_not_be(wrong: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        OneCSettings(**GIVEN | wrong)
    assert words in str(refusal.value)
    assert "p4ss" not in str(refusal.value)


@pytest.mark.parametrize("pasted", ["srv/ut", "https://srv/ut/", "https://SRV/ut/ru_RU/", "https://srv/ut/odata/x"])
def test_the_address_may_be_pasted_in_many_ways(pasted: str) -> None:
    assert CONNECTOR.base_url(OneCSettings(**GIVEN | {"base_url": pasted})) == "https://srv/ut/odata/standard.odata"


def test_large_metadata_is_never_a_tree() -> None:
    property_ = '<Property Name="Свойство" Type="Edm.String" Nullable="true"/>'
    names = [f"Catalog_Набор{number}" for number in range(800)]
    types = "".join(f'<EntityType Name="{name}">{property_ * 40}</EntityType>' for name in names)
    sets = "".join(f'<EntitySet Name="{name}"/>' for name in names)
    content = f"<Schema>{types}{sets}</Schema>".encode()
    assert len(content) > 1_500_000
    tracemalloc.start()
    found = metadata.read(content, {"Catalog_Набор7"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.properties == {"Catalog_Набор7": {"Свойство"}}
    assert len(found.sets) == 800
    assert peak < len(content) / 4


def test_metadata_that_would_blow_up_is_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Schema Name="&b;"/>'
    with pytest.raises(VendorChanged, match="declares entities"):
        metadata.read(bomb, set())


def test_near_names_ignore_prefixes() -> None:
    assert near("Catalog_Партнёры", {"Catalog_Партнеры", "Document_Встреча"}) == " Near names: Catalog_Партнеры."


@pytest.mark.parametrize(
    ("number", "method", "expected"),
    [
        (0, "GET", NotPermitted),
        (2, "GET", VendorChanged),
        (3, "GET", VendorChanged),
        (4, "GET", VendorChanged),
        (5, "GET", Transient),
        (5, "POST", WriteRejected),
        (6, "GET", NotPermitted),
    ],
)
def test_real_errors(number: int, method: str, expected: type[Exception]) -> None:
    assert CONNECTOR.error_of is not None
    request = httpx.Request(method, "https://srv/ut/odata/standard.odata/Catalog_X")
    told = REAL[number]
    assert isinstance(
        CONNECTOR.error_of(httpx.Response(told["http"], json=told["body"], request=request)), expected
    )
    error = told["body"]["odata.error"]
    xml = f"<m:error><m:code>{error['code']}</m:code><m:message xml:lang='ru'>x</m:message></m:error>"
    told_in_xml = httpx.Response(told["http"], content=f"\ufeff{xml}".encode(), request=request)
    assert isinstance(CONNECTOR.error_of(told_in_xml), expected)


@pytest.mark.parametrize(
    ("status", "expected"), [(401, AuthFailed), (404, BadSettings), (405, NotPermitted), (503, type(None))]
)
def test_errors_without_a_word(status: int, expected: type[Exception]) -> None:
    assert CONNECTOR.error_of is not None
    request = httpx.Request("PATCH", "https://srv/ut/odata/standard.odata/Catalog_X")
    assert isinstance(CONNECTOR.error_of(httpx.Response(status, request=request)), expected)
