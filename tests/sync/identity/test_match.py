"""Matching a file of contacts: spellings, encodings, guards, and errors that say what to do."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from sync.identity.match import MatchFileError, match_file

TABLE = """Код;ФИО;Телефон 1;Телефон (2);Эл. почта;Комментарий
а1;Иван Петров;8 (916) 111-22-01;;Ivan@Mail.ru;первый
а2;Петров Иван;;+7 916 111 22 02;ivan@mail.ru;
а3;;79161112202;;;тот же
а4;Мария Орлова;8 495 111-22-00;;;
а5;Глеб Быков;8(495)1112200;;;
"""


def clients(path: Path) -> dict[str, str]:
    return {row.id: row.client for row in match_file(path, "RU").rows}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_any_usual_encoding_and_separator(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "contacts.csv"
    path.write_bytes(TABLE.replace(";", delimiter).encode(encoding))
    assert clients(path) == {"а1": "а1", "а2": "а1", "а3": "а1", "а4": "а4", "а5": "а5"}


def test_evidence_names_the_keys_and_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(TABLE, encoding="utf-8")
    result = match_file(path, "RU")
    evidence = {row.id: row.evidence for row in result.rows}
    assert evidence["а2"] == "email ivan@mail.ru with а1; phone +79161112202 with а3"
    assert evidence["а4"] == "phone +74951112200 is shared by several people"
    assert result.shared == ("phone +74951112200",)
    assert result.clients == 3
    out = io.StringIO()
    result.write_csv(out)
    assert out.getvalue().splitlines()[:2] == ["id,client,evidence", "а1,а1,email ivan@mail.ru with а2"]


def test_json_lines_with_lists_and_several_phones_in_one_cell(tmp_path: Path) -> None:
    path = tmp_path / "contacts.jsonl"
    rows = [
        {"id": 1, "first_name": "Иван", "phones": ["8 916 111 22 01", "84951112203"], "ym_uid": "175"},
        {"id": 2, "name": "Иван", "phone": "+79161112205; 8(916)111-22-01"},
        {"id": 3, "email": [{"value": "Anna@B.ru", "type": "work"}], "ym_uid": "175"},
        {"id": 4, "emails": "x@y.ru, anna@b.ru"},
    ]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    assert set(clients(path).values()) == {"1"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no rows"),
        ("id,phone\n", "has no rows"),
        ("phone,name\n1,2\n", "no column 'id'"),
        ("id,name\n1,Иван\n", "No column holds phones"),
        ("id,phone\n1,8\n1,9\n", "The id 1 stands on rows 1 and 2"),
        ("id,phone\n,89161112201\n", "Row 1 has no id"),
        ('{"id": 1, "phone"\n', "Line 1 of file isn't JSON"),
        ("[1, 2]", "must be a JSON object"),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "file"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MatchFileError, match=sentence):
        match_file(path, "RU")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MatchFileError, match=r"nothing\.csv can't be read"):
        match_file(tmp_path / "nothing.csv", "RU")


PROBABLE = """id;name;phone;email;birthday;city
1;Тимур Шарапов;+79161112201;sharapov77@mail.ru;1985-03-12;Казань
2;Sharapov Timur;8 903 555 44 33;sharapov77@bk.ru;12.03.1985;г. Казань
3;Тимур Шарапов;+79217778866;;;Омск
4;Глеб Быков;+7 999 123-45-67;test@test.ru;;
"""


def test_what_no_key_says_is_weighed_and_proposed(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(PROBABLE.replace("+79217778866", "+79161112209"), encoding="utf-8")
    result = match_file(path, "RU")
    assert {row.id: row.client for row in result.rows} == {"1": "1", "2": "1", "3": "1", "4": "4"}
    path.write_text(PROBABLE, encoding="utf-8")
    result = match_file(path, "RU")
    assert {row.id: row.client for row in result.rows} == {"1": "1", "2": "1", "3": "3", "4": "4"}
    [two] = [row for row in result.rows if row.id == "2"]
    assert two.evidence.startswith("probably the same as 1 (")
    assert result.placeholders == ("+7 999 123-45-67", "test@test.ru")
    out = io.StringIO()
    result.write_proposals(out)
    assert out.getvalue().splitlines()[0] == "id,other,probability,bits,reasons"
    assert len(out.getvalue().splitlines()) == 1 + len(result.proposals)
