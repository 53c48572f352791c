"""The id that ties together what one request causes."""

import re
from typing import Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra_protocols import correlation_id

HEADER: Final = "X-Request-ID"

_SANE: Final = re.compile(r"[A-Za-z0-9._:=+/-]{1,128}")


class CorrelationIdMiddleware:
    """
    Gives each request a correlation id: the one in its `X-Request-ID` when that is sane, else a new one.

    While the request is answered, `infra_protocols.correlation_id` holds it, and every error takes it up; the
    response carries it back in the same header. What is not sane would spoil a log: more than 128 characters,
    or other ones than ASCII letters, digits and any of `._:=+/-`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _SANE.fullmatch(given) else uuid4().hex

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        token = correlation_id.set(request_id)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            correlation_id.reset(token)
