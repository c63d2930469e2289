"""The guide tells the truth: each of its queries, asked of its workshop, gives the answer that it shows.

``make guide`` writes today's answers into the page.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from core.database import open_database
from tests.api.conftest import Api, application, asking
from tests.conftest import Postgres
from tests.docs.guide import Task, tasks, write_answers
from tests.docs.workshop import workshop

TASKS = tasks()


@pytest.fixture(scope="module")
async def api(postgres: Postgres, migrated_template: str) -> AsyncIterator[Api]:
    """The guide's workshop over the API, asked by its owner. What is entered has the ids that the page shows."""
    settings = postgres.settings_for(postgres.create(template=migrated_template))
    numbers = itertools.count(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sync.entered.uuid4", lambda: UUID(int=next(numbers)))
        async with open_database(settings) as database:
            market = await workshop(database)
            async with application(settings, market) as app, asking(app, market) as made:
                yield made


def test_there_are_ten_tasks_at_least() -> None:
    assert len(TASKS) >= 10
    assert len({task.operation for task in TASKS}) == len(TASKS)


@pytest.mark.skipif(os.environ.get("GUIDE") == "renew", reason="the answers are being renewed")
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.operation)
async def test_the_answer_is_the_one_shown(api: Api, task: Task) -> None:
    assert await api.ask(task.query, task.variables) == task.answer, "make guide renews the page"


@pytest.mark.skipif(os.environ.get("GUIDE") != "renew", reason="only make guide writes the page")
async def test_renew(api: Api) -> None:
    write_answers([await api.ask(task.query, task.variables) for task in TASKS])
