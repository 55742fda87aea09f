"""A TLS server on blocking sockets: unlike one of asyncio, it says why it refuses a caller, as other servers do."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\ndone"


class StrictServer:
    """What came through."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[bytes] = []


@contextmanager
def strict_server(context: ssl.SSLContext) -> Iterator[StrictServer]:
    """Serve on a port of 127.0.0.1: `done` to everybody who gets through."""
    server = StrictServer()
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]
    thread = threading.Thread(target=_serve, args=(listener, context, server), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def _serve(listener: socket.socket, context: ssl.SSLContext, server: StrictServer) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:  # closed: the test is over
            return
        plain.settimeout(10)
        with suppress(OSError):
            _answer(plain, context, server)
        plain.close()


def _answer(plain: socket.socket, context: ssl.SSLContext, server: StrictServer) -> None:
    with context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as caller:
        try:
            caller.do_handshake()
        except ssl.SSLError:
            _linger(caller)
        else:
            server.requests.append(caller.recv(65536))
            caller.sendall(_ANSWER)


def _linger(caller: ssl.SSLSocket) -> None:
    """Let the alert arrive: closing while the caller still sends would reset the connection and overtake it."""
    with socket.socket(fileno=caller.detach()) as plain:
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(4096):
            pass
