"""The edge of sessions: log in, refresh, log out."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra_protocols import InfrastructureError, require_text, require_type
from infra_result import Err, Ok, Result
from pastebin.body import read_json
from pastebin.problems import problem
from pastebin.sessions import Sessions, Tokens

type _Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def session_routes(sessions: Sessions) -> list[Route]:
    """Return the routes of `sessions`."""

    async def log_in(request: Request) -> Response:
        match await _texts(request, "name", "password"):
            case Ok([name, password]):
                return _tokens(await sessions.log_in(name, password), HTTPStatus.CREATED)
            case Err(error):
                return problem(error)
            case _:
                raise AssertionError

    async def refresh(request: Request) -> Response:
        match await _texts(request, "refresh_token"):
            case Ok([token]):
                return _tokens(await sessions.refresh(token), HTTPStatus.OK)
            case Err(error):
                return problem(error)
            case _:
                raise AssertionError

    async def log_out(request: Request) -> Response:
        access = await sessions.authenticate(request.headers.get("authorization", ""))
        ended = await access.flat_map_async(sessions.log_out)
        return problem(ended.error) if isinstance(ended, Err) else Response(status_code=HTTPStatus.NO_CONTENT)

    handlers: list[tuple[str, _Handler, str]] = [
        ("/session", log_in, "POST"),
        ("/session", log_out, "DELETE"),
        ("/session/refresh", refresh, "POST"),
    ]
    return [Route(path, handler, methods=[method]) for path, handler, method in handlers]


async def _texts(request: Request, *fields: str) -> Result[list[str], InfrastructureError]:
    """Return the texts that a body must have under these names."""
    body = await read_json(request)
    if isinstance(body, Err):
        return body
    checked = require_type(body.value, "body", cast("type[dict[str, object]]", dict))
    if isinstance(checked, Err):
        return checked
    found: list[str] = []
    for field in fields:
        text = require_text(checked.value.get(field), field)
        if isinstance(text, Err):
            return text
        found.append(text.value)
    return Ok(found)


def _tokens(result: Result[Tokens, InfrastructureError], status: HTTPStatus) -> Response:
    if isinstance(result, Err):
        return problem(result.error)
    # RFC 6749, section 5.1: nobody on the way is to keep it.
    return JSONResponse(result.value.to_document(), status, {"Cache-Control": "no-store"})
