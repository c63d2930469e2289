"""Shapes of Metrica's answers: the fields that are read, and no more (BEHAVIOR.md)."""

from __future__ import annotations

import msgspec


class _Wire(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Counter(_Wire, frozen=True, kw_only=True):
    id: int
    time_zone_name: str
    name: str = ""
    site: str = ""
    status: str | None = None
    code_status: str | None = None
    permission: str | None = None


class CounterAnswer(_Wire, frozen=True, kw_only=True):
    counter: Counter


class Goal(_Wire, frozen=True, kw_only=True):
    id: int
    name: str = ""


class GoalsAnswer(_Wire, frozen=True, kw_only=True):
    goals: list[Goal] = []


class Part(_Wire, frozen=True, kw_only=True):
    part_number: int
    size: int = 0


class LogRequest(_Wire, frozen=True, kw_only=True):
    """An export. ``parts`` may be absent until it is processed [12]."""

    request_id: int
    status: str
    source: str | list[str] = ""
    date1: str = ""
    date2: str = ""
    fields: list[str] = []
    parts: list[Part] = []


class LogRequestAnswer(_Wire, frozen=True, kw_only=True):
    log_request: LogRequest


class LogRequestsAnswer(_Wire, frozen=True, kw_only=True):
    requests: list[LogRequest] = []


class Evaluation(_Wire, frozen=True, kw_only=True):
    possible: bool
    max_possible_day_quantity: int = 0


class EvaluationAnswer(_Wire, frozen=True, kw_only=True):
    log_request_evaluation: Evaluation


class DataUpload(_Wire, frozen=True, kw_only=True):
    """A file of orders. Its state is PASSED, FAILED, or one of those before them [28]."""

    uploading_id: str | int = ""
    api_validation_status: str = ""


class DataUploadAnswer(_Wire, frozen=True, kw_only=True):
    uploading: DataUpload


class DataUploadsAnswer(_Wire, frozen=True, kw_only=True):
    uploadings: list[DataUpload] = []


class GoalUpload(_Wire, frozen=True, kw_only=True):
    """A file of offline conversions [31]."""

    id: int
    comment: str | None = None


class GoalUploadAnswer(_Wire, frozen=True, kw_only=True):
    uploading: GoalUpload


class GoalUploadsAnswer(_Wire, frozen=True, kw_only=True):
    uploadings: list[GoalUpload] = []


class Error(_Wire, frozen=True, kw_only=True):
    error_type: str = ""
    message: str = ""
    location: str = ""


class ErrorAnswer(_Wire, frozen=True, kw_only=True):
    errors: list[Error]
