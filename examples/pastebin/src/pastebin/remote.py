"""A paste service as its clients see it: over HTTP, with typed errors."""

from types import TracebackType
from typing import Final, Self, cast
from urllib.parse import quote

import httpx

from infra_protocols import ServiceError
from infra_result import Err, Ok, Result
from pastebin.messages import PastebinMessages

CONNECT_TIMEOUT: Final = 5.0
"""How many seconds to wait for a connection."""
ANSWER_TIMEOUT: Final = 30.0
"""How many seconds to wait for the service to take or send the next part of a message."""


class RemoteError(ServiceError):
    """
    A paste service did not do what it was asked.

    >>> RemoteError.error_code
    'REMOTE_ERROR'
    """

    error_code = "REMOTE_ERROR"


class UnreachableError(RemoteError):
    """
    The service did not answer, or not in time.

    >>> UnreachableError.error_code
    'REMOTE_UNREACHABLE'
    """

    error_code = "REMOTE_UNREACHABLE"


class RefusedError(RemoteError):
    """
    The service answered with a problem.

    >>> RefusedError.error_code
    'REMOTE_REFUSED'
    """

    error_code = "REMOTE_REFUSED"


class UnreadableAnswerError(RemoteError):
    """
    The service answered with something that is no paste.

    >>> UnreadableAnswerError.error_code
    'REMOTE_ANSWER_UNREADABLE'
    """

    error_code = "REMOTE_ANSWER_UNREADABLE"


class RemotePastebin:
    """
    Posts pastes to the service at `url` and fetches them; to be used in `async with`.

    >>> import asyncio
    >>> async def main() -> None:
    ...     async with RemotePastebin("http://127.0.0.1:1") as pastebin:
    ...         print(type((await pastebin.content("7f")).unwrap_err()).__name__)
    >>> asyncio.run(main())
    UnreachableError
    """

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(ANSWER_TIMEOUT, connect=CONNECT_TIMEOUT),
            transport=transport,
            # A proxy from the environment would be asked for 127.0.0.1 too, and look on its own machine.
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._http.__aexit__(kind, raised, traceback)

    async def post(self, title: str, content: str, author: str) -> Result[str, RemoteError]:
        """Post a paste and return the id that the service has given it."""
        draft = {"title": title, "content": content, "author": author}
        answer = await self._ask(self._http.build_request("POST", "/pastes", json=draft))
        return answer.flat_map(lambda paste: _text(paste, "id"))

    async def content(self, id: str) -> Result[str, RemoteError]:
        """Fetch the content of the paste with this id."""
        answer = await self._ask(self._http.build_request("GET", f"/pastes/{quote(id, safe='')}"))
        return answer.flat_map(lambda paste: _text(paste, "content"))

    async def _ask(self, request: httpx.Request) -> Result[dict[str, object], RemoteError]:
        try:
            response = await self._http.send(request)
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            return Err(UnreachableError(PastebinMessages.SERVICE_UNREACHABLE.format(url=self._url, reason=reason)))
        answer = _json_object(response)
        if response.is_success:
            return answer
        detail = answer.map(lambda problem: problem.get("detail")).unwrap_or(None) or response.reason_phrase
        message = PastebinMessages.SERVICE_REFUSED.format(status=response.status_code, detail=detail)
        return Err(RefusedError(message))


def _json_object(response: httpx.Response) -> Result[dict[str, object], RemoteError]:
    try:
        document: object = response.json()
    except ValueError:
        return Err(UnreadableAnswerError(PastebinMessages.ANSWER_UNREADABLE))
    if not isinstance(document, dict):
        return Err(UnreadableAnswerError(PastebinMessages.ANSWER_UNREADABLE))
    return Ok(cast("dict[str, object]", document))


def _text(paste: dict[str, object], name: str) -> Result[str, RemoteError]:
    value = paste.get(name)
    return Ok(value) if isinstance(value, str) else Err(UnreadableAnswerError(PastebinMessages.ANSWER_UNREADABLE))
