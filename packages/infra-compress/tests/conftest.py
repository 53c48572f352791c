"""How Hypothesis runs here, and an ASGI server that is nothing but a list of messages."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import settings

from infra_compress import CompressorConfig, CompressorFactory
from infra_compress.asgi import ASGIApp, Header, Message, Receive, Scope, Send

settings.register_profile("ci", max_examples=100, deadline=None)
settings.load_profile("ci")

type Headers = dict[str, str]


class Exchange:
    """What an application was asked, and what it has sent."""

    def __init__(self, accept: str | Sequence[str] | None = None, method: str = "GET", **headers: str) -> None:
        lines = [] if accept is None else [accept] if isinstance(accept, str) else accept
        given = [("accept-encoding", line) for line in lines] + list(headers.items())
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": "/",
            "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in given],
        }
        self.requests: list[Message] = []
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        return self.requests.pop(0) if self.requests else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self, app: ASGIApp) -> "Exchange":
        await app(self.scope, self.receive, self.send)
        return self

    @staticmethod
    def whole(body: bytes, *headers: Header, status: int = 200, **more: Any) -> ASGIApp:
        """Return an application that answers in one piece."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": status, "headers": list(headers), **more})
            await send({"type": "http.response.body", "body": body})

        return app

    @staticmethod
    def parts(
        chunks: Sequence[bytes], *headers: Header, pause: Callable[[], Awaitable[object]] | None = None
    ) -> ASGIApp:
        """Return an application that answers in parts, with a pause after each."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
            for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if pause is not None:
                    await pause()
            await send({"type": "http.response.body"})

        return app

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(name.decode().lower(), value.decode("latin-1")) for name, value in self.sent[0]["headers"]]

    @property
    def headers(self) -> Headers:
        return dict(self.lines)

    @property
    def encoding(self) -> str | None:
        return self.headers.get("content-encoding")

    @property
    def chunks(self) -> list[bytes]:
        return [message.get("body", b"") for message in self.sent if message["type"] == "http.response.body"]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def unpacked(self) -> bytes:
        coding = CompressorFactory().create(CompressorConfig(self.encoding or "identity"))
        return coding.unwrap().decompress(self.body)


@pytest.fixture
def exchange() -> type[Exchange]:
    return Exchange
