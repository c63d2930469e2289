"""Paths as the documents that are stored: rendered out of columns, so that a touch costs no object of Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import orjson

from reports.attribution import Credit
from reports.columns import Ids
from reports.known import NEVER, TOUCH_KINDS, have_campaigns
from reports.models import Ints
from reports.paths import KINDS, RULES, Paths
from reports.terms import Terms

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_SECOND, _HOUR = 1_000_000, 3_600_000_000
_DIGITS = np.array([list(b"%02x" % byte) for byte in range(256)], np.uint8)
_DASHES = (8, 12, 16, 20)

_FORM = (
    b'{"conversion_id":%b,"kind":"%b","client_id":%b,"record_id":%b,"also_told_by":[%b],"occurred_at":%b,'
    b'"value":"%b","currency":%b,"touch_records":[%b],"touch_kinds":[%b],"touch_times":[%b],"touch_channels":[%b],'
    b'"touch_campaigns":[%b],"lead_at":%b,"opened_at":%b,"had_older_touches":%b,"window_days":%d,"rules":"%b",'
    b'"credited":%d,"day":"%b","campaign_id":"%b","reason":"%b","channel":%b,"revenue":"%b"%b}'
)


class _Texts:
    """Texts one after another in one buffer, from rows of bytes of which some are left out."""

    def __init__(self, *columns: npt.NDArray[np.uint8] | bytes, kept: npt.NDArray[np.bool_] | None = None) -> None:
        number = next(len(column) for column in columns if not isinstance(column, bytes))
        matrix = np.hstack(
            [
                np.broadcast_to(np.frombuffer(column, np.uint8), (number, len(column)))
                if isinstance(column, bytes)
                else column
                for column in columns
            ]
        )
        if kept is None:
            self._ends = np.arange(1, number + 1) * matrix.shape[1]
            self._buffer = matrix.tobytes()
        else:
            kept = np.pad(kept, ((0, 0), (0, matrix.shape[1] - kept.shape[1])), constant_values=True)
            self._ends = np.cumsum(kept.sum(axis=1))
            self._buffer = matrix[kept].tobytes()

    def each(self) -> list[bytes]:
        ends = self._ends.tolist()
        return [self._buffer[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]

    def lists(self, starts: Ints) -> list[bytes]:
        """The texts of each path as one; all end with a comma, which the last one loses."""
        ends = np.concatenate(([0], self._ends))[starts].tolist()
        return [self._buffer[begin : max(end - 1, begin)] for begin, end in pairwise(ends)]


def _ids(values: Ids, end: bytes = b'"') -> _Texts:
    raw = np.ascontiguousarray(values).view(np.uint8).reshape(-1, 16)
    return _Texts(b'"', np.insert(_DIGITS[raw].reshape(-1, 32), _DASHES, ord("-"), axis=1), end)


def _moments(at: Ints, end: bytes = b'+00:00"') -> _Texts:
    """In UTC, with microseconds where there are any."""
    known = np.where(at == NEVER, 0, at)
    times = np.datetime64("2000-01-01T00:00:00", "us") + known.astype("timedelta64[us]")
    texts = np.datetime_as_string(times, unit="us").astype("S26").view(np.uint8).reshape(-1, 26)
    kept = np.ones((len(at), 27), np.bool_)
    kept[:, 20:] = (known % _SECOND != 0)[:, None]
    return _Texts(b'"', texts, end, kept=kept)


def _words(numbers: Ints, spelled: Sequence[str], end: bytes = b"") -> _Texts:
    texts = [orjson.dumps(word) for word in spelled]
    width = max(map(len, texts))
    table = np.frombuffer(b"".join(text.ljust(width) for text in texts), np.uint8).reshape(-1, width)
    sizes = np.array([len(text) for text in texts])
    return _Texts(table[numbers], end, kept=np.arange(width) < sizes[numbers][:, None])


def _known(at: Ints) -> list[bytes]:
    return [
        text if known else b"null" for text, known in zip(_moments(at).each(), (at != NEVER).tolist(), strict=True)
    ]


def money(kopecks: int) -> str:
    """Hundredths as a decimal."""
    whole, rest = divmod(abs(kopecks), 100)
    return f"{'-' if kopecks < 0 else ''}{whole}.{rest:02d}"


def moment(at: int) -> datetime:
    """The moment so many microseconds after the beginning of 2000."""
    return _EPOCH + timedelta(microseconds=at)


def days(at: Ints, terms: Terms) -> list[date]:
    """The days of reports in which moments lie: one look-up for each hour of UTC that lies within one day."""
    hours, which = np.unique(at // _HOUR, return_inverse=True)
    ends = [(terms.day(moment(hour * _HOUR)), terms.day(moment((hour + 1) * _HOUR - 1))) for hour in hours.tolist()]
    found = [first if first == last else None for first, last in ends]
    return [
        found[place] or terms.day(moment(instant))
        for place, instant in zip(which.tolist(), at.tolist(), strict=True)
    ]


def documents(
    paths: Paths, credited: Sequence[Credit], on: Sequence[date], revenues: Sequence[int], terms: Terms
) -> Iterator[bytes]:
    """What is stored of each path but for version and cause, as a JSON object: that of which its digest is taken.
    Its form may not change: stored digests would differ, and all paths be told anew."""
    touches, starts = paths.touches, paths.starts
    kinds = [kind.encode() for kind in KINDS]
    named = zip(_ids(paths.clients).each(), have_campaigns(paths.clients).tolist(), strict=True)
    channels = {word: orjson.dumps(word) for word in {credit.channel for credit in credited}}
    rows = zip(
        _ids(np.frombuffer(b"".join(paths.ids), "V16")).each(),
        paths.kinds.tolist(),
        [client if known else b"null" for client, known in named],
        _ids(paths.records).each(),
        _moments(paths.at).each(),
        paths.kopecks.tolist(),
        _words(paths.currencies, paths.words).each(),
        _ids(touches.records, b'",').lists(starts),
        _words(touches.kinds, TOUCH_KINDS, b",").lists(starts),
        _moments(touches.at, b'+00:00",').lists(starts),
        _words(touches.channels, paths.words, b",").lists(starts),
        _ids(touches.campaigns, b'",').lists(starts),
        _known(paths.lead_at),
        _known(paths.opened_at),
        paths.had_older_touches.tolist(),
        credited,
        on,
        revenues,
        _known(paths.until),
        strict=True,
    )
    for number, row in enumerate(rows):
        (
            conversion,
            kind,
            client,
            record,
            at,
            kopecks,
            currency,
            *seen,
            lead,
            opened,
            older,
            credit,
            day,
            ours,
            until,
        ) = row
        also = paths.also_told_by.get(number)
        yield _FORM % (
            conversion,
            kinds[kind],
            client,
            record,
            b",".join(_ids(np.frombuffer(b"".join(also), "V16")).each()) if also else b"",
            at,
            money(kopecks).encode(),
            currency,
            *seen,
            lead,
            opened,
            b"true" if older else b"false",
            terms.window_days,
            RULES.encode(),
            credit.position,
            day.isoformat().encode(),
            str(credit.campaign_id).encode(),
            credit.reason.encode(),
            channels[credit.channel],
            money(ours).encode(),
            b"" if until == b"null" else b',"window_until":' + until,
        )
