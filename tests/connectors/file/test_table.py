"""Files as tables: encodings, separators, headers, ragged lines; and files that are refused."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from io import BytesIO

import pytest

from connectors.errors import BadSettings
from connectors.file import table as module
from connectors.file import workbook as excel
from connectors.file.fields import Kind
from connectors.file.table import table_of
from tests.connectors.file.workbooks import Formula, workbook

LINES = (("Дата", "Кампания", "Расход"), ("01.03.2026", "Весна, скидки", "1 234,50"), ("02.03.2026", "Бренд", "10"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16", "utf-16-le", "utf-16-be", "cp866"])
@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_encoding_and_separator(encoding: str, separator: str, end: str) -> None:
    content = end.join(separator.join(line) for line in LINES).encode(encoding)
    table = table_of(content, Kind.COSTS)
    assert table.columns == LINES[0]
    assert tuple(row.cells for row in table.rows) == LINES[1:]
    assert [row.number for row in table.rows] == [2, 3]


def test_commas_with_quotes_and_lines_within_cells() -> None:
    text = 'Имя,Телефон,Заметка\n"ООО ""Ромашка"", Москва",+79161234567,"в две\nстроки"\nПётр,+79261112233,\n'
    table = table_of(text.encode(), Kind.CONTACTS)
    assert table.rows[0].cells == ('ООО "Ромашка", Москва', "+79161234567", "в две\nстроки")
    assert [row.number for row in table.rows] == [2, 4]


def test_excels_hint_of_the_separator_is_no_row() -> None:
    table = table_of("sep=;\nДата;Расход\n01.03.2026;5\n".encode(), Kind.COSTS)
    assert table.columns == ("Дата", "Расход")
    assert table.rows[0].number == 3


def test_a_quote_that_is_never_closed_swallows_nothing() -> None:
    lines = ["Дата;Кампания;Расход", '01.03.2026;"Весна;5'] + [f"02.03.2026;Бренд;{n}" for n in range(40)]
    table = table_of("\n".join(lines).encode(), Kind.COSTS)
    assert len(table.rows) == 41
    assert table.rows[0].cells == ("01.03.2026", '"Весна', "5")


def test_short_lines_are_filled_and_long_ones_are_told() -> None:
    table = table_of("Дата;Кампания;Расход\n01.03.2026\n02.03.2026;a;b;5\n".encode(), Kind.COSTS)
    assert table.rows[0].cells == ("01.03.2026", "", "")
    assert table.rows[1].excess == ("5",)


def test_a_title_above_the_table_is_not_its_header() -> None:
    table = table_of("Отчёт за март;;\n\nДата;Кампания;Расход\n01.03.2026;a;5\n".encode(), Kind.COSTS)
    assert (table.header, len(table.rows)) == (3, 1)


def test_a_table_without_names_gets_numbers_for_names() -> None:
    table = table_of(b"01.03.2026;1;5\n02.03.2026;2;6\n", Kind.COSTS)
    assert table.header is None
    assert table.columns == ("column 1", "column 2", "column 3")
    assert len(table.rows) == 2


def test_repeated_names_are_told_apart() -> None:
    table = table_of("Телефон;Телефон;\n1;2;3\n".encode(), Kind.CONTACTS)
    assert table.columns == ("Телефон", "Телефон (2)")


def test_a_workbooks_values_are_typed_and_its_formulas_are_not_evaluated() -> None:
    content = workbook(
        {
            "Скрытый": [["Дата", "Расход"]],
            "Пусто": [],
            "Март": [
                ["Дата", "Начало", "Расход", "Телефон", "Да", "Формула", "Без значения"],
                [date(2026, 3, 2), datetime(2026, 3, 2, 14, 5), 1234.5, 79161234567.0, True, Formula("1+1", 2),  # noqa: DTZ001
                 Formula('HYPERLINK("http://example.com")', None)],
                [None, None, 234.567],
            ],
        },
        hidden=("Скрытый",),
    )  # fmt: skip
    table = table_of(content, Kind.COSTS)
    assert table.form == "Excel, sheet «Март»"
    assert table.rows[0].cells == ("2026-03-02", "2026-03-02T14:05:00", "1234.5", "79161234567", "yes", "2", "")
    assert table.rows[1].cells[2] == "234.5670"  # never taken for 234 567
    assert table.rows[1].number == 3


def test_a_sheet_is_chosen_by_name() -> None:
    content = workbook({"A": [["Дата", "Расход"], ["01.03.2026", 1]], "B": [["Дата", "Расход"], ["01.03.2026", 2]]})
    assert table_of(content, Kind.COSTS, sheet="B").rows[0].cells[1] == "2"
    with pytest.raises(BadSettings, match="no sheet 'C'; it has A, B"):
        table_of(content, Kind.COSTS, sheet="C")


ROWS = {"A": [["Дата", "Расход"], ["01.03.2026", 1]]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (workbook(ROWS, macros=True), "macros"),
        (workbook(ROWS, extra={"xl/vbaProject.bin": b"x"}), "macros"),
        (workbook(ROWS, extra={"xl/externalLinks/externalLink1.xml": b"<x/>"}), "other files"),
        (workbook(ROWS, extra={"xl/connections.xml": b"<x/>"}), "other files"),
        (workbook(ROWS, extra={"xl/x.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}), "Excel never does"),
        (workbook(ROWS)[:300], "damaged"),
        (b"PK\x03\x04" + b"\0" * 100, "damaged"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, r"old \.xls"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "web page"),
        (b"\xef\xbb\xbf<table></table>", "web page"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "no table"),
        (b"", "empty"),
        (b" \n;;\n", "empty"),
        (workbook({"A": []}), "no visible sheet"),
    ],
)
def test_hostile_and_odd_files_are_refused_with_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence):
        table_of(content, Kind.COSTS)


def test_a_bomb_is_not_unpacked_whatever_size_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "LARGEST_UNPACKED", 100_000)
    bomb = workbook(ROWS, extra={"xl/big.xml": b"0" * 2_000_000})
    assert len(bomb) < 20_000
    with pytest.raises(BadSettings, match="unpacks to more than"):
        table_of(bomb, Kind.COSTS)
    lying = bytearray(bomb)  # the archive's list says that the part is small
    at = lying.rindex(b"PK\x01\x02", 0, lying.rindex(b"xl/big.xml"))
    lying[at + 24 : at + 28] = (100).to_bytes(4, "little")
    with pytest.raises(BadSettings, match="damaged"):
        table_of(bytes(lying), Kind.COSTS)


def test_a_sheet_with_one_cell_far_away_is_refused_before_it_is_spread_out() -> None:
    far = b'<worksheet><sheetData><row r="1"><c r="A1"/></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'  # noqa: E501
    with pytest.raises(BadSettings, match="row 1,048,576 and column 16,384"):
        table_of(workbook(ROWS, extra={"xl/worksheets/sheet9.xml": far}), Kind.COSTS)


def test_many_parts_and_two_of_one_name_are_refused() -> None:
    content = BytesIO(workbook(ROWS))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(content, "a") as packed:
        packed.writestr("xl/workbook.xml", b"<workbook/>")
    with pytest.raises(BadSettings, match="Excel never does"):
        table_of(content.getvalue(), Kind.COSTS)


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_FILE", 2**20)
    with pytest.raises(BadSettings, match="larger than 1 MB"):
        table_of(b"x" * (2**20 + 1), Kind.COSTS)
    with pytest.raises(BadSettings, match="more than 300 columns"):
        table_of(b";".join([b"a"] * 400) + b"\n" + b";".join([b"b"] * 400), Kind.COSTS)
