"""Several statements as one transaction in one round trip, without the driver's cursors.

PostgreSQL takes what it is sent up to a ``Sync`` as one transaction (pipelining in its extended query protocol),
so neither BEGIN nor COMMIT is needed for statements that stand together. psycopg's own pipeline mode says the same
with a cursor and two waits a statement, which for small answers costs more than the statements themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from psycopg import errors, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.waiting import Ready, Wait

if TYPE_CHECKING:
    from psycopg import abc
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn, PGresult

    from core.database import PsycopgConnection

_MOST_PREPARED = 200
"""Statements kept prepared on one connection; the one not used for longest makes room."""

Statement = tuple[bytes, Sequence[Any]]
"""SQL with ``$1``, ``$2``, … and the values that stand there."""

_Key = tuple[bytes, tuple[int, ...]]
"""What is prepared: a statement with the types of its values."""


async def run_together(connection: PsycopgConnection, statements: Sequence[Statement]) -> bytes | None:
    """Run the statements in one transaction; gives the first value of the last one's answer, as text.

    The connection must be idle and in autocommit. Raises psycopg's errors; then nothing has been done.
    """
    async with connection.lock:
        pgconn = connection.pgconn
        prepared = _prepared.setdefault(connection, _Prepared())
        transformer = Transformer(connection)
        sent: list[_Key | None] = []
        results: list[PGresult] = []
        pgconn.enter_pipeline_mode()
        try:
            for statement in statements:
                sent += _send(pgconn, prepared, transformer, statement)
            pgconn.pipeline_sync()
            await connection.wait(_collect(pgconn, results))
        finally:
            prepared.keep(sent, results)
            _leave(connection)
        for result in results:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise errors.error_from_result(result, encoding=connection.info.encoding)
        return results[-1].get_value(0, 0)


class _Prepared:
    """What is prepared on one connection. Names are never used twice."""

    def __init__(self) -> None:
        self.names: OrderedDict[_Key, bytes] = OrderedDict()
        self.made = 0

    def keep(self, sent: Sequence[_Key | None], results: Sequence[PGresult]) -> None:
        """Forget what was to be prepared by commands that weren't done, or whose result never came. What was
        prepared stays so whatever becomes of the transaction."""
        for place, key in enumerate(sent):
            done = place < len(results) and results[place].status == pq.ExecStatus.COMMAND_OK
            if key is not None and not done:
                self.names.pop(key, None)


_prepared: WeakKeyDictionary[PsycopgConnection, _Prepared] = WeakKeyDictionary()


def _send(
    pgconn: PGconn, prepared: _Prepared, transformer: abc.Transformer, statement: Statement
) -> Iterator[_Key | None]:
    """Send the commands of one statement; gives for each what it prepares, if it prepares anything."""
    sql, values = statement
    dumped = transformer.dump_sequence(values, [PyFormat.AUTO] * len(values)) if values else ()
    types = transformer.types if values else ()
    key = (sql, tuple(types or ()))
    name = prepared.names.get(key)
    if name is None:
        if len(prepared.names) >= _MOST_PREPARED:
            _, oldest = prepared.names.popitem(last=False)
            pgconn.send_query_params(b"deallocate " + oldest, [])
            yield None
        prepared.made += 1
        name = prepared.names[key] = b"together_%d" % prepared.made
        pgconn.send_prepare(name, sql, param_types=types)
        yield key
    else:
        prepared.names.move_to_end(key)
    pgconn.send_query_prepared(name, dumped, param_formats=transformer.formats if values else None)
    yield None


def _collect(pgconn: PGconn, results: list[PGresult]) -> PQGen[None]:
    """Send what is left and add all results up to the synchronisation point, one a command."""
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()
    while True:
        while pgconn.is_busy():
            yield Wait.R
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            continue  # the end of one statement's results
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            return
        results.append(result)


def _leave(connection: PsycopgConnection) -> None:
    """Back to the ordinary mode; a connection on which that can't be done is of no more use."""
    try:
        connection.pgconn.exit_pipeline_mode()
    except errors.OperationalError:
        connection.pgconn.finish()
