"""Spans say what was done and how it ended, and never whose data it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core import tracing
from core.tracing import note, present_ids, span

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What is recorded; the process's own provider stays as it is."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


class Away(Exception):
    code = "TRANSIENT"


def test_a_span_within_another_tells_what_was_done(spans: InMemorySpanExporter) -> None:
    with span("sync.run", connector="calltouch") as run, span("vendor.request", method="GET"):
        run.set(fetched=7)
        note(status=200)
    request, outer = spans.get_finished_spans()
    assert request.parent is not None
    assert request.parent.span_id == outer.context.span_id
    assert dict(outer.attributes or {}) == {"skvoz.connector": "calltouch", "skvoz.fetched": 7}
    assert dict(request.attributes or {}) == {"skvoz.method": "GET", "skvoz.status": 200}


def test_an_error_is_told_by_its_code_and_never_by_its_words(spans: InMemorySpanExporter) -> None:
    with pytest.raises(Away), span("vendor.request"):
        raise Away("Марфа Кукушкина")
    with pytest.raises(ValueError, match="Марфа"), span("sync.page"):
        raise ValueError("Марфа Кукушкина")
    first, second = spans.get_finished_spans()
    assert (first.attributes or {})["error.type"] == "TRANSIENT"
    assert (second.attributes or {})["error.type"] == "ValueError"
    assert "Кукушкина" not in first.to_json() + second.to_json()
    assert first.status.status_code is trace.StatusCode.ERROR


def test_a_callers_trace_is_continued_and_its_ids_stand_in_logs(spans: InMemorySpanExporter) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert present_ids() == {}
    with span("graphql.operation", {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}):
        assert present_ids()["trace_id"] == trace_id
    assert spans.get_finished_spans()[0].context.trace_id == int(trace_id, 16)


def test_without_opentelemetry_all_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "trace", None)
    with span("sync.run", connector="calltouch") as run:
        run.set(fetched=1)
        note(status=200)
        assert present_ids() == {}


@pytest.mark.parametrize(
    ("environment", "exporter"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "x"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, None),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_traces_are_recorded_only_where_the_environment_asks(
    environment: dict[str, str], exporter: str | None
) -> None:
    assert tracing._exporter(environment) == exporter
