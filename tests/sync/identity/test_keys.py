"""Keys and names: one spelling for each, and no key for what isn't one."""

from __future__ import annotations

import re
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schema.enums import ClientKind
from sync.identity import keys
from sync.identity.keys import (
    email_key,
    email_keys,
    is_landline,
    messenger_key,
    phone_key,
    phone_keys,
    tax_id_key,
    visitor_key,
)
from sync.identity.names import clearly_differ, comparable


@pytest.mark.parametrize(
    "text",
    [
        "+79161234560",
        "8 (916) 123-45-60",
        "8-916-123-45-60",
        "79161234560",
        "9161234560",
        " +7 916 123 45 60 ",
        "+8 916 123-45-60",
        "8 916 123 45 60 доб. 12",
        "+7 (916) 123-45-60, 101",
        "тел. 89161234560",
    ],
)
def test_russian_spellings_of_a_phone(text: str) -> None:
    assert phone_key(text, "RU") == "+79161234560"


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(
        st.sampled_from(["", "+7", "7", "8", "+8", "+ 7", "+7 7", "88", "0", "+", "(", " 8-", "+7 (", "8 10 7"]),
        st.sampled_from(["9", "93", "900", "930", "8", "7", " 9", "(9"]),
        st.lists(st.sampled_from("0123456789-() 5555"), min_size=6, max_size=14).map("".join),
        st.sampled_from(["", " ", ")", "-", " доб. 1", "+"]),
    ).map("".join)
)
@example("8 (916) 123-45-60")
@example("+79161234567")
@example("9999999999")
@example("8 930 005 99 99")
def test_ordinary_mobiles_are_read_as_the_library_reads_them(text: str) -> None:
    read = keys.phone_keys.__wrapped__
    with patch.object(keys, "_SPELT_MOBILE", re.compile(r"(?!)")):
        told = read(text, "RU")
    assert read(text, "RU") == told


def test_regions_and_foreign_numbers() -> None:
    assert phone_key("8 701 123 45 60", "KZ") == "+77011234560"
    assert phone_key("810 44 20 7946 0958", "RU") == phone_key("020 7946 0958", "GB") == "+442079460958"
    assert (is_landline("+74951234560"), is_landline("+78005553535"), is_landline("+79161234560")) == (
        True,
        True,
        False,
    )


@pytest.mark.parametrize(
    "text",
    ["", "123", "0000000", "+70000000000", "+79999999999", "8 916 000 00 00", "89161234567", "нет", "Anonymous"],
)
def test_what_nobody_has_is_no_phone(text: str) -> None:
    assert phone_keys(text, "RU") == ()


def test_several_phones_in_one_field() -> None:
    assert phone_keys("8 916 111 22 01 / 8(495)111-22-00, +79161112201", "RU") == ("+79161112201", "+74951112200")
    assert phone_key("89161112201; 89161112202", "RU") is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (" Ivan.Petrov@Mail.RU ", "ivan.petrov@mail.ru"),
        ("ivan+zakaz@mail.ru", "ivan@mail.ru"),
        ("mailto:ivan@ya.ru", "ivan@yandex.ru"),
        ("иван@почта.рф", "иван@xn--80a1acny.xn--p1ai"),
        ("test@test.ru", None),
        ("no@mail.ru", None),
        ("123@mail.ru", None),
        ("ivan@mail", None),
        ("ivan petrov@mail.ru", None),
        ("a@b@mail.ru", None),
        ("ivan@-mail.ru", None),
    ],
)
def test_emails(text: str, key: str | None) -> None:
    assert email_key(text) == key


def test_email_settings_and_several_in_one_field() -> None:
    assert email_key("i.van+x@gmail.com", plus_tags=True, dots=False) == "ivan+x@gmail.com"
    assert email_keys("ivan@mail.ru; <olga@mail.ru>, ivan@mail.ru") == ("ivan@mail.ru", "olga@mail.ru")


def test_other_keys() -> None:
    assert visitor_key("YM:1775109228651162001") == "ym:1775109228651162001"
    assert [visitor_key(text) for text in ("ym:", "ym:0", "ym:undefined", "177", ":5")] == [None] * 5
    assert messenger_key("telegram:@Ivan_P") == "telegram:ivan_p"
    assert messenger_key("@ivan") is None
    assert tax_id_key("ИНН 7707083893") == "7707083893"
    assert tax_id_key("500100732259") == "500100732259"
    assert [tax_id_key(text) for text in ("7707083894", "500100732258", "0000000000", "12")] == [None] * 4


SAME = [
    ("Иван Петров", "Петров Иван Сергеевич"),
    ("Алёна Киселёва", "КИСЕЛЕВА АЛЕНА"),
    ("Юлия Щербакова", "Yuliya Shcherbakova"),
    ("Наталья", "Наташа"),
    ("Дмитрий Орлов", "Дмтирий Олров"),
    ("Анна", "Анна Беляева"),
    ("Иван", "Петров"),
    ("Саша Котов", "Александр Котов"),
]
DIFFERENT = [
    ("Иван Петров", "Иван Сидоров"),
    ("Мария Петрова", "Марина Петрова"),
    ("Мария", "Марина"),
    ("Жанна Котова", "Яна Котова"),
    ("Виктор Котов", "Виктория Котова"),
    ("Орлов", "Глеб Быков"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_that_may_be_one_person(one: str, other: str) -> None:
    assert not differ(one, other)
    assert not differ(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_names_that_are_two_people(one: str, other: str) -> None:
    assert differ(one, other)
    assert differ(other, one)


@pytest.mark.parametrize("name", ["Без имени", "Клиент", "Входящий звонок +79161112201", "Тест", "—", "12345"])
def test_what_names_nobody(name: str) -> None:
    assert comparable(name, ClientKind.PERSON) is None


def test_firms_by_name() -> None:
    firm = ClientKind.COMPANY
    assert comparable("ООО «Вектор-Строй 15»", firm) == comparable("Вектор строй 15, ООО", firm)
    one, other = comparable("ООО Вектор 15", firm), comparable("ООО Вектор 16", firm)
    assert one
    assert other
    assert clearly_differ(one, other, firm)


def differ(one: str, other: str) -> bool:
    first, second = comparable(one, ClientKind.PERSON), comparable(other, ClientKind.PERSON)
    assert first
    assert second
    return clearly_differ(first, second, ClientKind.PERSON)
