"""What is answered to a request that cannot be served."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from infra_compress.asgi import START, ASGIApp, Header, Message, Receive, Scope, Send
from infra_protocols import (
    CompressionError,
    NotAcceptableError,
    OutputTooLargeError,
    UnknownEncodingError,
)

type Refusal = Callable[[CompressionError], ASGIApp]
"""Makes the answer to a request that failed with this error."""

STATUSES: Final[dict[type[Exception], HTTPStatus]] = {
    NotAcceptableError: HTTPStatus.NOT_ACCEPTABLE,
    OutputTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnknownEncodingError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    CompressionError: HTTPStatus.BAD_REQUEST,
}
"""The status of each class of error; a class that is not here has that of its nearest base."""


def plain_refusal(error: CompressionError) -> ASGIApp:
    """Return what answers with the status of `error` and its message as text."""
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    body = error.message.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": START, "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def with_header(send: Send, header: Header) -> Send:
    """Return a `send` that adds `header` to a response."""

    async def send_with_header(message: Message) -> None:
        if message["type"] == START:
            message = {**message, "headers": [*message.get("headers", ()), header]}
        await send(message)

    return send_with_header
