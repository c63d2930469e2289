"""Traces by OpenTelemetry, where it is installed and asked for; elsewhere a span costs nothing and does nothing.

Attributes are ids, words of ours and numbers. What records, addresses, headers or callers hold has no place in
them, nor the text of an error: an error is told by its type or its code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import structlog

try:
    from opentelemetry import propagate, trace
except ImportError:  # the extra `otel` isn't installed
    trace = None  # type: ignore[assignment]  # that is how its absence is told

log = structlog.get_logger(__name__)

Attribute = str | int | float | bool


class Span(Protocol):
    """One piece of work in a trace."""

    def set(self, **attributes: Attribute) -> None:
        """Say more about it."""


class _Nothing:
    def set(self, **attributes: Attribute) -> None:
        pass


class _Recorded:
    def __init__(self, span: Any) -> None:
        self._span = span

    def set(self, **attributes: Attribute) -> None:
        self._span.set_attributes({f"skvoz.{name}": value for name, value in attributes.items()})


_NOTHING = _Nothing()


@contextmanager
def span(name: str, headers: Mapping[str, str] | None = None, /, **attributes: Attribute) -> Iterator[Span]:
    """A span around a piece of work, within the present one; or, given ``headers`` of a request, within the trace
    that these continue (W3C Trace Context). An exception makes it an error, told by its code or type."""
    if not _recorded():
        yield _NOTHING
        return
    context = None if headers is None else propagate.extract(headers)
    tracer = trace.get_tracer("skvoz")
    with tracer.start_as_current_span(
        name, context=context, record_exception=False, set_status_on_exception=False
    ) as made:
        recorded = _Recorded(made)
        recorded.set(**attributes)
        try:
            yield recorded
        except Exception as error:
            code = getattr(error, "code", None)
            what = code if isinstance(code, str) else type(error).__name__
            made.set_attribute("error.type", what)
            made.set_status(trace.StatusCode.ERROR, what)
            raise


def _recorded() -> bool:
    """Whether anybody asked for traces: without a provider a span would be made, and lost."""
    return trace is not None and not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def note(**attributes: Attribute) -> None:
    """Say more about the present span, where there is one."""
    if _recorded():
        _Recorded(trace.get_current_span()).set(**attributes)


def present_ids() -> dict[str, str]:
    """The ids of the present trace and span, for logs; empty outside of a trace that is recorded."""
    if trace is None:
        return {}
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def configure_tracing() -> None:
    """Record and export traces as the standard variables say (``OTEL_EXPORTER_OTLP_ENDPOINT``,
    ``OTEL_SERVICE_NAME``, ``OTEL_TRACES_SAMPLER``, …); without an exporter or an endpoint nothing is recorded. Call
    it once, at the start of a process."""
    exporter = _exporter(os.environ)
    if exporter is None:
        return
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ImportError:
        log.warning("tracing.not_installed", hint="OTEL_ variables ask for traces: install skvoz[otel].")
        return
    target: Any
    if exporter == "console":
        target = ConsoleSpanExporter()
    else:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError:
            log.warning("tracing.not_installed", hint="The exporter over OTLP is missing: install skvoz[otel].")
            return
        target = OTLPSpanExporter()
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if named else {"service.name": "skvoz"}))
    provider.add_span_processor(BatchSpanProcessor(target))
    trace.set_tracer_provider(provider)


def _exporter(environment: Mapping[str, str]) -> str | None:
    """Which exporter the environment asks for: otlp, console or none."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    chosen = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if chosen:
        return chosen if chosen in ("otlp", "console") else None
    asked = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return "otlp" if any(environment.get(name) for name in asked) else None
