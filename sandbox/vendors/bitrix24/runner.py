"""Runs methods: one call with its time marks, and ``batch`` with references to earlier results."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from sandbox.vendors import php
from sandbox.vendors.bitrix24 import activities, entity_methods, item_methods, reference_methods, telephony
from sandbox.vendors.bitrix24.errors import RestError
from sandbox.vendors.bitrix24.limits import Operating
from sandbox.vendors.bitrix24.method import Answer, Call, Method
from sandbox.vendors.bitrix24.values import PORTAL_ZONE

_LONGEST_BATCH = 50
_REFERENCE = re.compile(r"\$result((?:\[[^\]]*\])+)")
_STEP = re.compile(r"\[([^\]]*)\]")

METHODS: Mapping[str, Method] = {
    **entity_methods.methods(),
    **item_methods.methods(),
    **reference_methods.methods(),
    **telephony.methods(),
    **activities.methods(),
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a call gave, and its ``time`` block."""

    answer: Answer
    time: dict[str, Any]

    @property
    def body(self) -> dict[str, Any]:
        """The whole answer of a call that stands alone."""
        body: dict[str, Any] = {"result": self.answer.result}
        if self.answer.next is not None:
            body["next"] = self.answer.next
        if self.answer.total is not None:
            body["total"] = self.answer.total
        return body | {"time": self.time}


class Runner:
    """Runs calls under the limit of run time; ``credential`` keeps accounts of webhooks and apps apart."""

    def __init__(self, operating: Operating) -> None:
        self._operating = operating

    def run(self, call: Call, credential: str) -> Ran:
        """Run one call, batch or not. Raises `RestError`."""
        if call.method == "batch":
            started = time.time()
            result = self._batch(call, credential)
            return Ran(Answer(result), _times(started, None))
        method = METHODS.get(call.method)
        if method is None:
            raise RestError(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
        key = f"{credential}:{call.method}"
        self._operating.check(key)
        started = time.time()
        try:
            answer = method(call)
        finally:
            pretended = call.portal.switches.get("operating_seconds_per_call", float)
            self._operating.charge(key, time.time() - started + pretended)
        return Ran(answer, _times(started, self._operating.spent(key)))

    def _batch(self, call: Call, credential: str) -> dict[str, Any]:
        halt = str(call.param("halt") or "0").lower() in {"1", "true", "y"}
        results: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        totals: dict[str, Any] = {}
        nexts: dict[str, Any] = {}
        times: dict[str, Any] = {}
        for number, (key, command) in enumerate(php.items(call.param("cmd")), start=1):
            try:
                ran = self.run(_inner(call, number, str(command), results), credential)
            except RestError as error:
                errors[key] = error.body
                if halt:
                    break
                continue
            results[key] = ran.answer.result
            times[key] = ran.time
            if ran.answer.total is not None:
                totals[key] = ran.answer.total
            if ran.answer.next is not None:
                nexts[key] = ran.answer.next
        return {
            "result": php.array(results),
            "result_error": php.array(errors),
            "result_total": php.array(totals),
            "result_next": php.array(nexts),
            "result_time": php.array(times),
        }


def _inner(call: Call, number: int, command: str, results: Mapping[str, Any]) -> Call:
    if number > _LONGEST_BATCH:
        raise RestError(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
    name, _, query = command.partition("?")
    method = method_name(name)
    if method == "batch":
        raise RestError(405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
    params = php.decode_brackets(parse_qsl(query, keep_blank_values=True))
    return replace(call, method=method, params=_resolved(params, results))


def method_name(path: str) -> str:
    """A method's name in lower case, without the format that may follow it."""
    name = path.strip("/").lower()
    return name.removesuffix(".json")


def _resolved(value: Any, results: Mapping[str, Any]) -> Any:
    """The value with each ``$result[key][0][ID]`` replaced by what the earlier command gave."""
    if isinstance(value, Mapping):
        return {key: _resolved(item, results) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, results) for item in value]
    if not isinstance(value, str) or "$result" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        return _followed(whole[1], results)
    return _REFERENCE.sub(lambda found: str(_followed(found[1], results)), value)


def _followed(path: str, results: Any) -> Any:
    node = results
    for step in _STEP.findall(path):
        if isinstance(node, Mapping) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            return ""
    return node


def _times(started: float, operating: tuple[float, int] | None) -> dict[str, Any]:
    finished = time.time()
    block: dict[str, Any] = {
        "start": started,
        "finish": finished,
        "duration": finished - started,
        "processing": finished - started,
        "date_start": datetime.fromtimestamp(int(started), PORTAL_ZONE).isoformat(),
        "date_finish": datetime.fromtimestamp(int(finished), PORTAL_ZONE).isoformat(),
    }
    if operating is not None:
        spent, reset_at = operating
        block |= {"operating_reset_at": reset_at, "operating": spent}
    return block
