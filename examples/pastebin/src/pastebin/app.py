"""The edge: HTTP in, calls of the service, HTTP out."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from infra_compress import CompressionConfig, CompressionMiddleware, DecompressionMiddleware
from infra_health import HealthApp
from infra_protocols import (
    InfrastructureError,
    TokenStoreRefusedError,
    TokenStoreUnavailableError,
    ValidationError,
    require_match,
)
from infra_result import Err, Ok, Result
from pastebin.body import MAX_BODY, read_json
from pastebin.correlation import CorrelationIdMiddleware
from pastebin.errors import NotWrittenError, UnseenWriteError
from pastebin.paste import Draft, Paste
from pastebin.problems import internal_error, method_not_allowed, problem, route_not_found, tokens_failed, write_failed
from pastebin.service import MAX_LIMIT, PasteService
from pastebin.session_routes import session_routes
from pastebin.sessions import Sessions

_DIGITS: Final = re.compile("[0-9]{1,9}")


def create_app(service: PasteService, sessions: Sessions | None = None, health: HealthApp | None = None) -> ASGIApp:
    """
    Return the ASGI application that serves `service`; each error that it answers of that is a problem document.

    With `sessions`, who writes must have logged in, and writes what is theirs; with `health`, probes are answered.
    """
    probes = [] if health is None else [Route(path, health) for path in health.paths]
    pastes = _PasteRoutes(service, sessions)
    app = Starlette(
        routes=[
            Route("/pastes", pastes.create, methods=["POST"]),
            Route("/pastes", pastes.list, methods=["GET"]),
            Route("/pastes/{id}", pastes.get, methods=["GET"]),
            Route("/pastes/{id}", pastes.update, methods=["PUT"]),
            Route("/pastes/{id}", pastes.delete, methods=["DELETE"]),
            Route("/search", pastes.search, methods=["GET"]),
            Route("/statistics", pastes.statistics, methods=["GET"]),
            *probes,
            *([] if sessions is None else session_routes(sessions)),
        ],
        exception_handlers={
            HTTPStatus.NOT_FOUND: route_not_found,
            HTTPStatus.METHOD_NOT_ALLOWED: method_not_allowed,
            NotWrittenError: write_failed,
            UnseenWriteError: write_failed,
            TokenStoreUnavailableError: tokens_failed,
            TokenStoreRefusedError: tokens_failed,
            Exception: internal_error,
        },
    )
    app.router.redirect_slashes = False
    # Around Starlette, not among its middleware: so that answers to unexpected exceptions have their id too.
    decompressing = DecompressionMiddleware(app, CompressionConfig(max_size=MAX_BODY), refusal=problem)
    return CorrelationIdMiddleware(CompressionMiddleware(decompressing, refusal=problem))


class _PasteRoutes:
    def __init__(self, service: PasteService, sessions: Sessions | None) -> None:
        self._service = service
        self._sessions = sessions

    async def create(self, request: Request) -> Response:
        draft = (await read_json(request)).flat_map(Draft.parse)
        allowed = await draft.flat_map_async(lambda draft: self._allowed(request, draft, draft.author))
        return _answer(await allowed.flat_map_async(self._service.create), _created)

    async def get(self, request: Request) -> Response:
        return _answer(await self._service.get(request.path_params["id"]), _shown)

    async def update(self, request: Request) -> Response:
        id: str = request.path_params["id"]
        draft = (await read_json(request)).flat_map(Draft.parse)
        draft = await draft.flat_map_async(lambda draft: self._allowed(request, draft, draft.author))
        draft = await draft.flat_map_async(lambda draft: self._allowed_at(request, draft))
        return _answer(await draft.flat_map_async(lambda draft: self._service.update(id, draft)), _shown)

    async def delete(self, request: Request) -> Response:
        allowed = await self._allowed_at(request, request.path_params["id"])
        return _answer(await allowed.flat_map_async(self._service.delete), _deleted)

    async def list(self, request: Request) -> Response:
        author = request.query_params.get("author")
        limit = _limit(request.query_params.get("limit", str(MAX_LIMIT)))
        if author is None:
            return _answer(await limit.flat_map_async(self._service.newest), _listed)
        return _answer(await limit.flat_map_async(lambda limit: self._service.by_author(author, limit)), _listed)

    async def search(self, request: Request) -> Response:
        text = request.query_params.get("q", "")
        limit = _limit(request.query_params.get("limit", str(MAX_LIMIT)))
        return _answer(await limit.flat_map_async(lambda limit: self._service.search(text, limit)), _listed)

    async def statistics(self, _: Request) -> Response:
        counts = await self._service.statistics()
        names = ("created", "changed", "deleted")
        return JSONResponse({author: dict(zip(names, each, strict=True)) for author, each in counts.items()})

    async def _allowed_at[T](self, request: Request, asked: T) -> Result[T, InfrastructureError]:
        """Return what is asked, if who asks may change the paste that there is."""
        if self._sessions is None:
            return Ok(asked)
        paste = await self._service.get(request.path_params["id"])
        return await paste.flat_map_async(lambda paste: self._allowed(request, asked, paste.author))

    async def _allowed[T](self, request: Request, asked: T, author: str) -> Result[T, InfrastructureError]:
        """Return what is asked, if who asks may write what is by `author`."""
        if (sessions := self._sessions) is None:
            return Ok(asked)
        access = await sessions.authenticate(request.headers.get("authorization", ""))
        return access.flat_map(lambda access: sessions.may_write(access, author)).map(lambda _: asked)


def _answer[T](result: Result[T, InfrastructureError], respond: Callable[[T], Response]) -> Response:
    match result:
        case Ok(value):
            return respond(value)
        case Err(error):
            return problem(error)


def _created(paste: Paste) -> Response:
    return JSONResponse(paste.to_document(), HTTPStatus.CREATED, {"Location": f"/pastes/{paste.id}"})


def _shown(paste: Paste) -> Response:
    return JSONResponse(paste.to_document())


def _deleted(_: None) -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _listed(pastes: tuple[Paste, ...]) -> Response:
    return JSONResponse([paste.to_document() for paste in pastes])


def _limit(text: str) -> Result[int, ValidationError]:
    return require_match(text, "limit", _DIGITS).map(int)
