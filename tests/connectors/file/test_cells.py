"""Values as people, exporters and Excel spell them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadRecord
from connectors.file import cells


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("1 234,50", "1234.5"),
        ("1\xa0234,50 ₽", "1234.5"),
        ("12 000 руб.", "12000"),
        ("1,234.50", "1234.5"),
        ("1.234,50", "1234.5"),
        ("1,234", "1234"),
        ("1.234", "1234"),
        ("0,125", "0.125"),
        ("1.234.567", "1234567"),
        ("(12,5)", "-12.5"),
        ("−7", "-7"),
        ("1,5E+3", "1500"),
        ("$1,000", "1000"),
        ("0.00", "0"),
    ],
)
def test_a_number_of_any_spelling(told: str, number: str) -> None:
    assert cells.number(told) == number
    assert cells.number(number, ".") == number


def test_a_column_decides_what_a_comma_means() -> None:
    assert cells.decimal_sign(["1,234", "5,6"]) == ","
    assert cells.number("1,234", ",") == "1.234"
    assert cells.decimal_sign(["1,234", "5.6"]) == "."
    assert cells.number("1,234", ".") == "1234"
    assert cells.decimal_sign(["1,234", "12"]) is None


@given(
    st.decimals(min_value=0, max_value=10**9, places=2), st.sampled_from([" ", "\xa0", ""]), st.sampled_from(".,")
)
def test_money_is_read_to_the_kopeck(amount: Decimal, group: str, sign: str) -> None:
    told = f"{amount:,.2f}".replace(",", group).replace(".", sign)
    assert Decimal(cells.number(told)) == amount


@pytest.mark.parametrize("told", ["пять", "12:30", "1,2,3.4.5x", "", "9" * 20, "1e99"])
def test_what_is_no_number_is_refused(told: str) -> None:
    with pytest.raises(BadRecord, match="number"):
        cells.number(told)


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        ("02.03.2026", "2026-03-02"),
        ("2.3.26", "2026-03-02"),
        ("2026-03-02", "2026-03-02"),
        ("2026/03/02 14:05", "2026-03-02T14:05:00"),
        ("02.03.2026, 9:05:07", "2026-03-02T09:05:07"),
        ("03/02/2026", "2026-02-03"),
        ("2 марта 2026 г.", "2026-03-02"),
        ("1 мая 2026", "2026-05-01"),
        ("31 августа 2026 14:00", "2026-08-31T14:00:00"),
        ("2 Mar 2026", "2026-03-02"),
        ("March 2, 2026", "2026-03-02"),
        ("20260302", "2026-03-02"),
        ("46083", "2026-03-02"),
        ("46083.5", "2026-03-02T12:00:00"),
        ("46083,25", "2026-03-02T06:00:00"),
        ("2026-03-02T10:11:12Z", "2026-03-02T10:11:12+00:00"),
        ("2026-03-02 10:11:12+0300", "2026-03-02T10:11:12+03:00"),
        ("02.03.2026 2:05 PM", "2026-03-02T14:05:00"),
    ],
)
def test_a_date_of_any_spelling(told: str, moment: str) -> None:
    assert cells.moment(told) == moment
    assert cells.moment(moment) == moment


def test_a_column_decides_whether_the_month_comes_first() -> None:
    american = ["03/02/2026", "03/31/2026"]
    assert cells.month_comes_first(american)
    assert cells.day("03/02/2026", month_first=True) == "2026-03-02"
    assert not cells.month_comes_first(["03/02/2026", "31/03/2026"])
    assert not cells.month_comes_first(["03/02/2026"])


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_excels_serial_numbers_are_days(day: date) -> None:
    serial = (day - date(1899, 12, 30)) // timedelta(days=1)
    assert cells.day(str(serial)) == day.isoformat()


@pytest.mark.parametrize("told", ["31.02.2026", "март 2026", "вчера", "2026-13-01", "02.03.2026 25:00", "12345"])
def test_what_is_no_date_is_refused(told: str) -> None:
    with pytest.raises(BadRecord):
        cells.moment(told)


@pytest.mark.parametrize(
    ("told", "phone"),
    [
        ("79161234567", "+79161234567"),
        ("79161234567.0", "+79161234567"),
        ("7.9161234567E+10", "+79161234567"),
        ("7,9161234567E+10", "+79161234567"),
        ("380501234567", "+380501234567"),
        ("9161234567", "9161234567"),
        ("89161234567", "89161234567"),
        ("+7 (916) 123-45-67", "+7 (916) 123-45-67"),
    ],
)
def test_a_phone_gets_back_the_plus_that_excel_took(told: str, phone: str) -> None:
    assert cells.phone(told) == phone
    assert cells.phone(phone) == phone


@pytest.mark.parametrize("told", ["7.9161E+10", "7,9161E+10", "7,9161Е+10", "8E+10"])
def test_a_shortened_phone_is_refused_rather_than_guessed(told: str) -> None:
    with pytest.raises(BadRecord, match="last digits are lost"):
        cells.phone(told)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ('="79161234567"', "79161234567"),
        ("'+79161234567", "+79161234567"),
        ("  a\xa0b ", "a b"),
        ("-", None),
        ("", None),
        ("нет данных", None),
        ("O'Neil", "O'Neil"),
    ],
)
def test_what_exporters_wrap_around_a_text(told: str, text: str | None) -> None:
    assert cells.text(told) == text


@pytest.mark.parametrize("told", ["#REF!", "#Н/Д", "#ДЕЛ/0!", "#VALUE!"])
def test_a_formula_that_failed_is_no_value(told: str) -> None:
    with pytest.raises(BadRecord, match="formula"):
        cells.text(told)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("65", "65"), ("65.0", "65"), ("1:05", "65"), ("00:01:05", "65"), ("1 мин 5 сек", "65"), ("1 ч 1 м", "3660")],
)
def test_a_duration_of_any_spelling(told: str, seconds: str) -> None:
    assert cells.seconds(told) == seconds


def test_a_time_in_a_column_of_its_own() -> None:
    assert cells.time_of_day("9:05") == "09:05:00"
    assert cells.time_of_day("0.5") == "12:00:00"
    with pytest.raises(BadRecord):
        cells.time_of_day("утром")
