"""A proxy that stands between Skvoz and a system and loses answers: the request took effect, and nobody is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_HOP = frozenset({"connection", "transfer-encoding", "content-encoding", "content-length", "host", "keep-alive"})


@dataclass
class Proxy:
    """``lose_to`` says which answers to POSTs are lost; ``sent`` is what went through, as method and path."""

    url: str
    sent: list[tuple[str, str]] = field(default_factory=list)
    _fates: list[str] = field(default_factory=list)
    _end: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lose_to(self, end: str, *, lost: int, broken: int) -> None:
        """Of the next answers to POSTs to an address with that end, lose so many, and let so many be a 500: the
        request took effect in each case."""
        self._end = end
        self._fates = ["lost"] * lost + ["broken"] * broken

    def fate(self, method: str, path: str) -> str | None:
        with self._lock:
            self.sent.append((method, path))
            return self._fates.pop(0) if method == "POST" and path.endswith(self._end) and self._fates else None

    def posts(self, end: str) -> int:
        """How many POSTs went to addresses with that end."""
        return sum(method == "POST" and path.endswith(end) for method, path in self.sent)


@contextmanager
def proxy_to(upstream: str) -> Iterator[Proxy]:
    """A proxy on loopback before a server there, for the time of the block."""
    client = httpx.Client(base_url=upstream, timeout=60)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            answer = client.request(self.command, self.path, content=body, headers=headers)
            fate = proxy.fate(self.command, self.path)
            if fate == "lost":
                self.close_connection = True
                return
            broken = fate == "broken"
            content = b"" if broken else answer.content
            self.send_response(500 if broken else answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP | {"server", "date"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        client.close()
