"""A proxy in front of a server, whose connections a test can cut and restore."""

from __future__ import annotations

import contextlib
import socket
import threading


class Link:
    """A TCP proxy with a port of its own. It forwards all bytes until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._mended = True
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Close all connections. New ones are closed at once."""
        self._mended = False
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            _end(end)

    def mend(self) -> None:
        """Accept connections again."""
        self._mended = True

    def close(self) -> None:
        """Stop listening."""
        self.cut()
        _end(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._mended:
                client.close()
                continue
            server = socket.create_connection(self._server)
            with self._lock:
                self._ends |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for end in (source, sink):
            _end(end)
        with self._lock:
            done = source in self._ends
            self._ends.discard(source)
        if done:
            source.close()


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
