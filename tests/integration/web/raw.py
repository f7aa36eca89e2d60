"""Requests as they go over the wire: what no library would send."""

import socket
from typing import NamedTuple

#: Seconds that an answer may take on a machine that has much else to do.
ANSWER_S = 120


class Answered(NamedTuple):
    """Everything that came until the server closed the connection."""

    text: bytes

    @property
    def statuses(self) -> list[int]:
        """Of each answer; more than one where the server saw more than one request."""
        lines = [line for line in self.text.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
        return [int(line.split()[1]) for line in lines]


def connected(port: int) -> socket.socket:
    """An open connection to the server."""
    return socket.create_connection(("127.0.0.1", port), ANSWER_S)


def said(port: int, request: bytes) -> Answered:
    """What is answered to these bytes."""
    with connected(port) as connection:
        connection.sendall(request)
        parts = []
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass  # what is left of a body that was refused is not read
    return Answered(b"".join(parts))


def request(target: str, *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request after which the connection ends; `lines` are headers."""
    length = [f"content-length: {len(body)}"] if body else []
    named = [] if any(line.lower().startswith("host") for line in lines) else ["host: 127.0.0.1"]
    head = [f"{method} {target} HTTP/1.1", *named, "connection: close", *length, *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body
