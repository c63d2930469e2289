"""What the answer to making a deal with its card means, and how both are asked for in one batch."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from connectors.bitrix24 import CONNECTOR
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import Command, VendorResponse
from connectors.errors import Transient, VendorChanged, VendorError, WriteRejected

SETTINGS = Bitrix24Settings(webhook_url=SecretStr("https://portal.example/rest/1/code/"))
WRITE = CONNECTOR.write("deal.create")
COMMAND = Command(
    "k1", {"title": "Звонок & сделка", "pipeline": "1", "phones": ["+79161234567"], "UTM_SOURCE": "ya"}
)


def answer(body: Any) -> VendorResponse:
    return VendorResponse(200, httpx.Headers(), orjson.dumps(body))


def test_a_stranger_gets_a_card_and_a_deal_by_one_batch_that_stops_at_the_first_refusal() -> None:
    request = WRITE.request(SETTINGS, COMMAND)
    assert (request.path, request.json["halt"]) == ("batch", 1)
    card, deal = request.json["cmd"]["c0"], request.json["cmd"]["c1"]
    assert "fields[PHONE][0][VALUE]=%2B79161234567" in card
    assert "fields[CONTACT_ID]=$result[c0]" in deal
    assert "fields[TITLE]=%D0%97%D0%B2%D0%BE%D0%BD%D0%BE%D0%BA%20%26%20" in deal
    assert "ORIGIN_ID]=k1" in card
    assert "ORIGIN_ID]=k1" in deal


def test_who_is_known_gets_a_deal_alone() -> None:
    known = Command(COMMAND.key, {**COMMAND.values, "contact": "5"})
    request = WRITE.request(SETTINGS, known)
    assert request.path == "crm.deal.add"
    assert request.json["fields"]["CONTACT_ID"] == "5"
    assert "PHONE" not in request.json["fields"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"result": {"result": {"c0": 3, "c1": 17}, "result_error": []}}, "17"),
        ({"result": 18}, "18"),
        (
            {
                "result": {
                    "result": {"c0": 3},
                    "result_error": {"c1": {"error": "", "error_description": "no stage"}},
                }
            },
            WriteRejected,
        ),
        (
            {"result": {"result": {"c0": 3}, "result_error": {"c1": {"error": "OPERATION_TIME_LIMIT"}}}},
            Transient,
        ),
        ({"result": {"result": {"c0": 3}, "result_error": []}}, VendorChanged),
        ({"result": None}, VendorChanged),
    ],
)
def test_the_answer_tells_the_deal_or_what_became_of_it(body: Any, expected: str | type[VendorError]) -> None:
    if isinstance(expected, str):
        assert WRITE.result(SETTINGS, COMMAND, answer(body)) == expected
        return
    with pytest.raises(expected):
        WRITE.result(SETTINGS, COMMAND, answer(body))
