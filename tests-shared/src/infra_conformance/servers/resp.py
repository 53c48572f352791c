"""One call to a Redis over a plain socket: what tests need to set up an engine and to look into it."""

import socket
import ssl
from io import BufferedReader
from pathlib import Path

type Reply = str | int | list[Reply] | None
"""A reply: text, a number, a list of replies, or none."""


class RespError(Exception):
    """The server replied with an error, which is the message."""


def call(
    port: int, *words: str | int, password: str | None = None, ca: Path | None = None, seconds: float = 5.0
) -> Reply:
    """
    Send one command to the server at `port` of this machine, over a connection of its own; it blocks.

    Args:
        port: where it listens.
        words: the command and its arguments.
        password: that of the default user, if it asks for one.
        ca: the certificate that vouches for the server, if it speaks TLS.
        seconds: how long each step may take.

    Raises:
        RespError: the server refused it.
        OSError: no server answers there, or not in time.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        if ca is not None:
            connection = ssl.create_default_context(cafile=str(ca)).wrap_socket(connection, server_hostname="127.0.0.1")
        with connection, connection.makefile("rb") as replies:
            if password is not None:
                _ask(connection, replies, "AUTH", password)
            return _ask(connection, replies, *words)


def fields(info: Reply) -> dict[str, str]:
    r"""
    Return the fields of a reply to `INFO` or `CLUSTER INFO`.

    >>> fields("# Replication\r\nrole:master\r\nconnected_slaves:0\r\n")
    {'role': 'master', 'connected_slaves': '0'}
    """
    pairs = (line.partition(":") for line in str(info).splitlines())
    return {name: value for name, colon, value in pairs if colon}


def _ask(connection: socket.socket, replies: BufferedReader, *words: str | int) -> Reply:
    connection.sendall(_encoded(*words))
    reply = _read(replies)
    if isinstance(reply, RespError):
        raise reply
    return reply


def _encoded(*words: str | int) -> bytes:
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _read(replies: BufferedReader) -> Reply | RespError:
    line = replies.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionResetError
    kind, text = line[:1], line[1:-2].decode(errors="replace")
    if kind == b"-":
        return RespError(text)
    if kind == b"+":
        return text
    if kind == b":":
        return int(text)
    count = int(text)
    if count < 0:
        return None
    if kind == b"$":
        return replies.read(count + 2)[:-2].decode(errors="replace")
    return [_item(replies) for _ in range(count)]


def _item(replies: BufferedReader) -> Reply:
    item = _read(replies)
    return str(item) if isinstance(item, RespError) else item
