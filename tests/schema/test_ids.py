"""Ids that need no look-up."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schema.enums import RecordKind
from schema.ids import campaign_id, record_id

PARTS = st.tuples(st.uuids(), st.sampled_from(RecordKind), st.text(max_size=20))


@given(PARTS, PARTS)
def test_an_id_is_that_of_one_record_only(
    one: tuple[UUID, RecordKind, str], other: tuple[UUID, RecordKind, str]
) -> None:
    assert (record_id(*one) == record_id(*other)) == (one == other)


def test_ids_never_change() -> None:
    """They stand in databases: another function would make every record a new one."""
    connection = UUID("11111111-0000-4000-8000-000000000000")
    assert record_id(connection, RecordKind.CALL, "42") == UUID("dab2fa6a-5ef1-2afb-a4fd-7ecd6494026a")
    assert campaign_id("yandex_direct", "101234567") == UUID("92cc0dfb-9e2f-87c8-6a44-0361683104d9")
