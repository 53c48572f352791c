"""The probes of a service over HTTP, and a page for people: a plain ASGI application."""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

from infra_health._history import History
from infra_health._page import CONTENT_SECURITY_POLICY, page
from infra_health.composite import CompositeHealthCheck
from infra_protocols import (
    CompositeHealthCheckProtocol,
    HealthCheck,
    HealthReport,
    HealthResult,
    HealthStatus,
    or_raise,
    require_range,
    require_type,
)

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

_JSON: Final = "application/health+json"
_HTML: Final = "text/html; charset=utf-8"
_PASS: Final = HealthReport(result=HealthResult(HealthStatus.HEALTHY))


class HealthApp:
    """
    Answers the probes; made by `health_app`.

    >>> HealthApp(CompositeHealthCheck([])).paths
    ('/livez', '/readyz', '/startupz', '/health')
    """

    def __init__(
        self,
        readiness: HealthCheck[Any],
        *,
        startup: HealthCheck[Any] | None = None,
        messages: bool = False,
        history: int = 60,
        **about: str | None,
    ) -> None:
        self._readiness = _reporting(readiness)
        self._startup = self._readiness if startup is None else _reporting(startup)
        self._messages = messages
        self._history = History(
            or_raise(require_range(or_raise(require_type(history, "history", int)), "history", min=1))
        )
        self._about = about
        self._started = False
        self._answers: Mapping[str, Callable[[bool], Awaitable[_Answer]]] = {
            "/livez": self._live,
            "/readyz": self._ready,
            "/startupz": self._start,
            "/health": self._page,
        }

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that it answers."""
        return tuple(self._answers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        match scope["type"]:
            case "http":
                await (await self._answer(scope)).send(send, head=scope["method"] == "HEAD")
            case "lifespan":
                await _live_and_end(receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})
            case _:
                pass

    async def _answer(self, scope: Scope) -> "_Answer":
        path: str = scope["path"]
        if path.startswith(f"{(root := scope.get('root_path', ''))}/"):
            path = path[len(root) :]
        if (answer := self._answers.get(path)) is None:
            return _Answer(HTTPStatus.NOT_FOUND)
        if scope["method"] not in ("GET", "HEAD"):
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, HEAD"})
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        return await answer("verbose" in query)

    async def _live(self, verbose: bool) -> "_Answer":
        return self._told(_PASS, verbose=False)  # that it is told at all is what it says

    async def _ready(self, verbose: bool) -> "_Answer":
        return self._told(await self._report(), verbose=verbose)

    async def _start(self, verbose: bool) -> "_Answer":
        if self._started:
            return self._told(_PASS, verbose=False)
        report = await self._startup.report()
        self._started = report.status is not HealthStatus.UNHEALTHY
        return self._told(report, verbose=verbose)

    async def _page(self, verbose: bool) -> "_Answer":
        report = replace(await self._report(), **self._about)
        text = page(report, self._history, messages=self._messages)
        return _Answer(HTTPStatus.OK, _HTML, text, {"content-security-policy": CONTENT_SECURITY_POLICY})

    async def _report(self) -> HealthReport:
        report = await self._readiness.report()
        self._history.add(report.result)
        return report

    def _told(self, report: HealthReport, *, verbose: bool) -> "_Answer":
        down = report.status is HealthStatus.UNHEALTHY
        document = replace(report, **self._about).to_dict(checks=verbose, messages=self._messages)
        status = HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK
        return _Answer(status, _JSON, json.dumps(document, ensure_ascii=False))


class _Answer:
    def __init__(
        self, status: HTTPStatus, kind: str = "", text: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self._status = status
        self._body = text.encode()
        self._headers = {
            **({"content-type": kind} if kind else {}),
            "content-length": str(len(self._body)),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            **(headers or {}),
        }

    async def send(self, send: Send, *, head: bool) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._headers.items()]
        await send({"type": "http.response.start", "status": self._status.value, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self._body})


def _reporting(check: HealthCheck[Any]) -> CompositeHealthCheckProtocol:
    return check if isinstance(check, CompositeHealthCheckProtocol) else CompositeHealthCheck([check])


async def _live_and_end(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def health_app(
    readiness: HealthCheck[Any],
    *,
    startup: HealthCheck[Any] | None = None,
    version: str | None = None,
    release_id: str | None = None,
    service_id: str | None = None,
    description: str | None = None,
    messages: bool = False,
    history: int = 60,
) -> HealthApp:
    """
    Return an ASGI application that answers the probes of a service, and shows a page for people.

    | path | what it says |
    |---|---|
    | `/livez` | that the event loop runs: no check is run |
    | `/readyz` | how `readiness` is |
    | `/startupz` | how `startup` is, until that is not `UNHEALTHY` for the first time; from then on, that it is well |
    | `/health` | the same as `/readyz`, and how each check was before, for people |

    The answer is 200, or 503 for `UNHEALTHY`, with `application/health+json`; `?verbose` tells of each check. The page
    is 200 whatever it shows. Nothing may be cached. However many ask at once, each check is run once. Mount it where
    you like, alone or in another application.

    Args:
        readiness: the check of what the service needs to do its work.
        startup: the check of what it needs before it can start; `None` is `readiness`.
        version: the version of the service's interface, told with each answer, as are the next three.
        release_id: the release of the service.
        service_id: which instance of the service this is.
        description: what the service is; the title of the page.
        messages: tell what errors said, not only their class: they may name hosts and users.
        history: how many results of each check the page shows.

    Raises:
        ValidationError: `history` is not a whole number above 0.

    >>> import asyncio
    >>> async def get(path: str) -> list[Any]:
    ...     told: list[Any] = []
    ...     async def send(message: Message) -> None: told.append(message)
    ...     async def receive() -> Message: return {"type": "http.request"}
    ...     app = health_app(CompositeHealthCheck([]), version="2")
    ...     await app({"type": "http", "method": "GET", "path": path}, receive, send)
    ...     return [told[0]["status"], told[1]["body"]]
    >>> asyncio.run(get("/readyz"))
    [200, b'{"status": "pass", "version": "2"}']
    """
    return HealthApp(
        readiness,
        startup=startup,
        messages=messages,
        history=history,
        version=version,
        release_id=release_id,
        service_id=service_id,
        description=description,
    )
