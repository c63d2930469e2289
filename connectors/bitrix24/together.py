"""Several changes in one request: the portal's ``batch``. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from connectors.bitrix24.errors import refusal
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import Together, VendorRequest, VendorResponse
from connectors.errors import VendorChanged, VendorError

MOST = 50  # [9]


class Refusal(msgspec.Struct):
    """Why a command of a batch was refused."""

    error: str | int = ""
    error_description: str | None = None

    @property
    def words(self) -> str:
        return (self.error_description or "").strip() or str(self.error) or "no reason given"


class Outcomes(msgspec.Struct):
    """What became of the commands of a batch, by their names. An empty map comes as a list."""

    result: dict[str, msgspec.Raw] | list[msgspec.Raw] = msgspec.field(default_factory=dict)
    result_error: dict[str, Refusal] | list[Refusal] = msgspec.field(default_factory=dict)


class _Answer(msgspec.Struct):
    result: Outcomes


def command(method: str, params: Mapping[str, Any], reference: str | None = None) -> str:
    """A call as a command of a batch: encoded once, but for a ``reference`` to an earlier one [9]."""
    pairs = (
        f"{name}={value if value == reference else quote(value)}"
        for key, inner in params.items()
        for name, value in _pairs(key, inner)
    )
    return f"{method}?{'&'.join(pairs)}"


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Nested values as PHP writes them into a query."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _pairs(f"{name}[{key}]", inner)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _pairs(f"{name}[{place}]", inner)
    else:
        yield name, "" if value is None else str(value)


def _kind(request: VendorRequest) -> str | None:
    """Any calls go together. A batch stands in no other one: a deal that is made with its card goes alone."""
    return None if request.path == "batch" else "batch"


def _pack(_settings: Bitrix24Settings, requests: Sequence[VendorRequest]) -> VendorRequest:
    """Commands have names of their own: what ``c0`` says is taken for the answer to the whole batch."""
    commands = {f"w{place}": command(one.path, one.json) for place, one in enumerate(requests)}
    return VendorRequest("batch", "POST", json={"halt": 0, "cmd": commands})


def _split(
    _settings: Bitrix24Settings, requests: Sequence[VendorRequest], response: VendorResponse
) -> list[VendorResponse | VendorError]:
    try:
        told = msgspec.json.decode(response.content, type=_Answer).result
    except msgspec.MsgspecError:
        raise VendorChanged("Bitrix24 answered a batch in a shape that isn't known.") from None
    made = told.result if isinstance(told.result, dict) else {}
    refused = told.result_error if isinstance(told.result_error, dict) else {}

    def outcome(name: str) -> VendorResponse | VendorError:
        if name in refused:
            return refusal(refused[name].error, refused[name].words)
        if name in made:
            return VendorResponse(response.status, response.headers, b'{"result":' + bytes(made[name]) + b"}")
        return VendorChanged("Bitrix24 did not say what became of this command of a batch.")

    return [outcome(f"w{place}") for place in range(len(requests))]


TOGETHER: Together[Bitrix24Settings] = Together(MOST, _kind, _pack, _split)
