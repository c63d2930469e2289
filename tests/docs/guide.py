"""Reads docs/guide.md: each task is a query, its variables if it has any, and the answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"

_TASK = re.compile(
    r"^## \d+\. (?P<title>.+?)$.*?^```graphql\n(?P<query>.+?)^```$"
    r"(?:\s+With these variables:\s+^```json\n(?P<variables>.+?)^```$)?"
    r"\s+(?P<before>The answer:\s+^```json\n)(?P<answer>.+?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Task:
    """One task of the guide."""

    title: str
    query: str
    variables: dict[str, Any]
    answer: Any

    @property
    def operation(self) -> str:
        """The name of its operation."""
        found = re.search(r"(?:query|mutation) (\w+)", self.query)
        assert found is not None, f"{self.title}: the operation has no name"
        return found[1]


def tasks() -> list[Task]:
    """The tasks in their order."""
    return [
        Task(
            each["title"],
            each["query"],
            json.loads(each["variables"] or "{}"),
            json.loads(each["answer"]),
        )
        for each in _TASK.finditer(GUIDE.read_text(encoding="utf-8"))
    ]


def write_answers(answers: list[Any]) -> None:
    """Put these answers into the page, in the order of its tasks."""
    left = iter(answers)

    def renewed(task: re.Match[str]) -> str:
        start, end = task.start("answer") - task.start(), task.end("answer") - task.start()
        text = json.dumps(next(left), ensure_ascii=False, indent=2)
        return task[0][:start] + text + "\n" + task[0][end:]

    GUIDE.write_text(_TASK.sub(renewed, GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
