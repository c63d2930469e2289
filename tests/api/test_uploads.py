"""A file's way in over HTTP: uploaded, looked at, connected, and gone with its connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core import clock
from core.secrets import load_keyring
from core.settings import Settings
from schema.enums import Role
from sync.office import Office
from sync.uploads import sweep
from tests.api.conftest import Api
from tests.connectors.file.workbooks import workbook

COSTS = "Дата;Потрачено за день;Кампания\n01.03.2026;1 234,50;Весна\n02.03.2026;пять;Весна\n".encode("cp1251")
PREVIEW = """query ($settings: JSON!) { previewFile(settings: $settings) {
    form records faultCount columns { name field toldBy } rows { row records } faults { row message }
    problems { field message } } }"""
CONNECT = """mutation ($settings: JSON!) { connectSystem(connector: "file", settings: $settings) {
    connection { id } sentence problems { field message } } }"""
UPDATE = """mutation ($id: ID!, $settings: JSON!) { updateConnection(id: $id, settings: $settings) {
    problems { message } } }"""
REMOVE = "mutation ($id: ID!) { removeConnection(id: $id) { removed } }"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"home": tmp_path})


async def upload(api: Api, content: Any, **headers: str) -> tuple[int, Any]:
    answer = await api.http.post("/files", content=content, headers=headers)
    told = answer.json()
    return answer.status_code, told["errors"][0]["message"] if "errors" in told else told["file"]


def lying(settings: Settings) -> set[str]:
    return {path.name for path in settings.files_path.iterdir()}


async def test_a_file_is_uploaded_looked_at_connected_and_removed_with_its_connection(
    api: Api, settings: Settings
) -> None:
    status, file = await upload(api, COSTS)
    assert (status, lying(settings)) == (201, {file})
    assert await upload(api, COSTS) == (201, file)

    told: dict[str, Any] = {"kind": "costs", "source": "vk", "file": file}
    shown = (await api.data(PREVIEW, {"settings": told}))["previewFile"]
    assert (shown["records"], shown["faultCount"], shown["problems"]) == (2, 1, [])
    assert shown["columns"][1] == {"name": "Потрачено за день", "field": "cost", "toldBy": "part of the name"}
    assert shown["faults"] == [{"row": 3, "message": "Row 3: 'пять' is no number."}]
    (spend,) = [each for row in shown["rows"] for each in row["records"] if each["type"] == "AdSpend"]
    assert spend["cost"] == "1234.50"
    wrong = {**told, "columns": {"Потрачено за день": "-"}}
    (problem,) = (await api.data(PREVIEW, {"settings": wrong}))["previewFile"]["problems"]
    assert (problem["field"], "No column was found for cost" in problem["message"]) == ("columns", True)

    first, second = [(await api.data(CONNECT, {"settings": told}))["connectSystem"] for _ in range(2)]
    assert "2 records of costs" in first["sentence"]
    _, april = await upload(api, COSTS.replace(b"03.2026", b"04.2026"))
    change = {"id": first["connection"]["id"], "settings": {"file": april}}
    assert (await api.data(UPDATE, change))["updateConnection"]["problems"] == []
    assert lying(settings) == {file, april}  # the other connection reads the first file still
    for each in (second, first):
        await api.data(REMOVE, {"id": each["connection"]["id"]})
    assert lying(settings) == set()


async def test_what_cant_be_taken_is_refused_with_a_sentence_and_leaves_nothing(
    api: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet: dict[str, list[list[Any]]] = {"A": [["Дата", "Расход"], ["01.03.2026", 1]]}
    monkeypatch.setattr("connectors.file.workbook.LARGEST_UNPACKED", 100_000)
    for content, sentence in (
        (b"", "empty"),
        (b"%PDF-1.7", "PDF"),
        (workbook(sheet, macros=True), "macros"),
        (workbook(sheet, extra={"xl/big.xml": b"0" * 200_000}), "unpacks to more than"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "no table"),
    ):
        status, said = await upload(api, content)
        assert (status, sentence in said) == (422, True), said
    assert (await upload(api, b"a", **{"content-encoding": "gzip"}))[0] == 415
    assert (await upload(api, b"a", **{"content-type": "multipart/form-data; boundary=x"}))[0] == 415

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    monkeypatch.setattr("connectors.file.store.LARGEST_FILE", 2**20)
    status, said = await upload(api, endless())
    assert (status, said) == (413, "The file is larger than 1 MB: split it.")
    assert (await upload(api, b"", **{"content-length": "99999999999"}))[0] == 413
    assert lying(settings) == set()
    status, said = await upload(await api.as_role(Role.ANALYST), COSTS)
    assert (status, said) == (403, "The role analyst may not upload files.")
    assert (await upload(api, COSTS, Authorization="Bearer no"))[0] == 401
    assert (await api.http.get("/files")).status_code == 405


async def test_a_file_that_nobody_connects_is_swept(api: Api, settings: Settings) -> None:
    office = Office(api.market.database, load_keyring(settings), settings)
    _, read = await upload(api, COSTS)
    _, waits = await upload(api, COSTS + b"03.03.2026;5;x\n")
    await api.data(CONNECT, {"settings": {"kind": "costs", "file": read}})
    assert await sweep(office) == 0
    later = clock.now() + timedelta(days=2)
    with clock.replaced(lambda: later):
        assert await sweep(office) == 1
    assert lying(settings) == {read}
    problem = (await api.data(CONNECT, {"settings": {"kind": "costs", "file": waits}}))["connectSystem"]
    assert "upload it again" in problem["problems"][0]["message"]
