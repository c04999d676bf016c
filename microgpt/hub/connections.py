"""The connections of one download, which another thread can cut.

The Hub's client gives a connection up only if nothing at all arrives for ten seconds. A download at
two bytes a second would keep its thread for days.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
from huggingface_hub import set_client_factory
from huggingface_hub.utils._http import hf_raise_for_status, hf_request_event_hook

# A request fails if the Hub neither sends nor takes anything for this time. A commit may take long.
SILENCE_S = 300.0
_own = threading.local()


class Cut(Exception):
    """The connections were cut, so no request can be sent."""


class _Client(httpx2.Client):
    """The client of the Hub; in a thread inside `with Connections()`, it sends through those."""

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        send = super().send if (own := getattr(_own, "client", None)) is None else own.send
        return send(request, **options)


def _make_client() -> _Client:
    # These are the options of the Hub's own client, which would wait for ever.
    return _Client(
        event_hooks={"request": [hf_request_event_hook]}, follow_redirects=True, timeout=SILENCE_S
    )


set_client_factory(_make_client)


class Connections:
    """The connections of one thread, used by the client of the Hub inside the `with` block.

    After `cut`, each request of the block fails, the present one within a second.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def __enter__(self) -> "Connections":
        hooks: dict[str, list[Callable[..., Any]]] = {
            "request": [hf_request_event_hook, self._watch],
            "response": [_refuse_to_wait],
        }
        _own.client = httpx2.Client(event_hooks=hooks, follow_redirects=True, timeout=None)
        return self

    def __exit__(self, *exception: object) -> None:
        _own.client.close()
        _own.client = None
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()

    def cut(self) -> None:
        """End all connections from any thread."""
        with self._lock:
            self._is_cut = True
            for each in self._sockets:
                _shut_down(each)

    def _watch(self, request: httpx2.Request) -> None:
        if self._is_cut:
            raise Cut
        request.extensions["trace"] = self._trace

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Collect the socket of each new connection. Source: encode.io/httpcore/extensions."""
        if not event.endswith(".connect_tcp.complete"):
            return
        # TLS replaces the socket object later; a duplicate belongs to the same connection.
        duplicate = info["return_value"].get_extra_info("socket").dup()
        with self._lock:
            self._sockets.append(duplicate)
            if self._is_cut:
                _shut_down(duplicate)


def _refuse_to_wait(response: httpx2.Response) -> None:
    """Raise an error for an answer after which the client would sleep, as long as the Hub says.

    It may say hours, and a sleep cannot be cut.
    """
    if response.status_code in (408, 429):
        hf_raise_for_status(response)


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side has already ended it
        connection.shutdown(socket.SHUT_RDWR)
