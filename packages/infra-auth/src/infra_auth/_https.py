"""One GET over HTTPS: no redirects, no more than so many bytes, in so many seconds."""

import asyncio
import ssl
from email.message import Message
from http.client import HTTPException, parse_headers
from io import BytesIO
from typing import Final
from urllib.parse import SplitResult

from infra_auth.messages import AuthMessages
from infra_protocols import KeySourceUnavailableError

_HEAD: Final = 65_536


async def get(url: SplitResult, *, timeout: float, max_size: int, context: ssl.SSLContext | None = None) -> bytes:
    """
    Return the body of the answer.

    Raises:
        KeySourceUnavailableError: there is none, or another than 200, or it is too large.
    """
    try:
        async with asyncio.timeout(timeout):
            return await _exchange(url, max_size, context or ssl.create_default_context())
    except (OSError, TimeoutError, EOFError, ValueError, HTTPException, asyncio.LimitOverrunError) as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise _unavailable(reason) from error


async def _exchange(url: SplitResult, max_size: int, context: ssl.SSLContext) -> bytes:
    host, port = url.hostname or "", url.port or 443
    reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=_HEAD)
    try:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        name = f"[{host}]" if ":" in host else host
        lines = [
            f"GET {target} HTTP/1.1",
            f"Host: {name}{f':{url.port}' if url.port else ''}",
            "User-Agent: infra-auth",
        ]
        lines += ["Accept: application/json", "Accept-Encoding: identity", "Connection: close", "", ""]
        writer.write("\r\n".join(lines).encode("ascii"))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        status, _, rest = head.partition(b"\r\n")
        code = status.split(b" ", 2)[1:2]
        if code != [b"200"]:
            raise _unavailable(f"the answer was {b''.join(code)[:3].decode('latin-1') or 'none'}")
        return await _body(reader, parse_headers(BytesIO(rest)), max_size)
    finally:
        # Not waited for: what the other side says to the end of a connection is of no use.
        writer.transport.abort()


async def _body(reader: asyncio.StreamReader, headers: Message, max_size: int) -> bytes:
    if headers.get("transfer-encoding", "").strip().lower() == "chunked":
        parts: list[bytes] = []
        left = max_size
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            left -= size
            _bounded(left >= 0, max_size)
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        return b"".join(parts)
    if (length := headers.get("content-length")) is not None:
        _bounded(0 <= int(length) <= max_size, max_size)
        return await reader.readexactly(int(length))
    body = await reader.read(max_size + 1)
    while more := await reader.read(max_size + 1 - len(body)):
        body += more
    _bounded(len(body) <= max_size, max_size)
    return body


def _bounded(holds: bool, max_size: int) -> None:
    if not holds:
        raise _unavailable(f"the answer has more than {max_size} bytes")


def _unavailable(reason: str) -> KeySourceUnavailableError:
    return KeySourceUnavailableError(AuthMessages.JWKS_UNAVAILABLE.format(reason=reason), operation="jwks.fetch")
