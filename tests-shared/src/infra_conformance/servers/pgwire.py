"""One query to a PostgreSQL over a plain socket: what tests need to set up an engine and to look into it."""

import socket
import struct
from contextlib import suppress
from io import BufferedReader
from typing import Final

from infra_conformance.messages import ConformanceMessages

type Row = tuple[str | None, ...]
"""A row: each value as text, or `None` for null."""

_PROTOCOL: Final = 3 << 16
_GOODBYE: Final = 1.0
"""For how many seconds a server is waited for to see a client off."""


class PgError(Exception):
    """
    The server replied with an error, which is the message.

    Args:
        message: what it says.
        sqlstate: its code of five characters.
    """

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate: str = sqlstate


class PgConnection:
    """
    A connection to the server at `port` of this machine, which has to trust `user`; a context manager, and it blocks.

    Args:
        port: where it listens.
        user: who connects.
        database: what is connected to.
        seconds: how long each step may take.

    Raises:
        PgError: the server refused it, or asks for a password.
        OSError: no server answers there, or not in time.
    """

    def __init__(self, port: int, user: str, database: str, *, seconds: float = 5.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._user = user
        self._replies: BufferedReader = self._socket.makefile("rb")
        try:
            names = f"user\0{user}\0database\0{database}\0\0".encode()
            self._send(struct.pack("!i", _PROTOCOL) + names)
            self._rows()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "PgConnection":
        """Return it."""
        return self

    def __exit__(self, *about: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it, and wait, for a moment, until the server has done with it: only then is it no client any more."""
        with suppress(OSError):
            self._socket.settimeout(_GOODBYE)
            self._send(b"", b"X")
            self._replies.read()
        self._replies.close()
        self._socket.close()

    def call(self, sql: str) -> list[Row]:
        """
        Send `sql`, one statement or several, and return the rows of all of them.

        Raises:
            PgError: the server refused it.
            OSError: the server does not answer.
        """
        self._send(sql.encode() + b"\0", b"Q")
        return self._rows()

    def _send(self, body: bytes, kind: bytes = b"") -> None:
        self._socket.sendall(kind + struct.pack("!i", 4 + len(body)) + body)

    def _rows(self) -> list[Row]:
        rows: list[Row] = []
        error: PgError | None = None
        while (message := self._read())[0] != b"Z":  # ready for a query
            kind, body = message
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                parts = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0")}
                error = PgError(parts[b"M"], parts[b"C"])
                if parts[b"S"] in {"FATAL", "PANIC"}:  # it hangs up
                    raise error
            elif kind == b"R" and body != bytes(4):
                raise PgError(ConformanceMessages.PASSWORD_ASKED.format(user=self._user), "28P01")
        if error is not None:
            raise error
        return rows

    def _read(self) -> tuple[bytes, bytes]:
        head = self._replies.read(5)
        if len(head) < 5:
            raise ConnectionResetError
        (size,) = struct.unpack("!i", head[1:])
        return head[:1], self._replies.read(size - 4)


def _row(body: bytes) -> Row:
    (count,) = struct.unpack_from("!h", body)
    values: list[str | None] = []
    at = 2
    for _ in range(count):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(None if size < 0 else body[at : at + size].decode(errors="replace"))
        at += max(size, 0)
    return tuple(values)
