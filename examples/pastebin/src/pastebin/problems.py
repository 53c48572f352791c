"""Errors as the edge tells them: `application/problem+json`, RFC 9457."""

import logging
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from infra_protocols import (
    AuthenticationError,
    CorruptDataError,
    EntityExistsError,
    EntityNotFoundError,
    ForbiddenError,
    InfrastructureError,
    NotAcceptableError,
    OutputTooLargeError,
    TokenStoreRefusedError,
    TokenStoreUnavailableError,
    UnknownEncodingError,
    ValidationError,
    correlation_id,
)
from pastebin.errors import (
    BodyTooLargeError,
    ContentTooLargeError,
    InternalError,
    MalformedBodyError,
    MethodNotAllowedError,
    NotWrittenError,
    RouteNotFoundError,
    UnseenWriteError,
    UnsupportedMediaTypeError,
)
from pastebin.messages import PastebinMessages

PROBLEM_JSON: Final = "application/problem+json"

STATUSES: Final[dict[type[Exception], HTTPStatus]] = {
    MalformedBodyError: HTTPStatus.BAD_REQUEST,
    CorruptDataError: HTTPStatus.BAD_REQUEST,
    AuthenticationError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    EntityNotFoundError: HTTPStatus.NOT_FOUND,
    RouteNotFoundError: HTTPStatus.NOT_FOUND,
    MethodNotAllowedError: HTTPStatus.METHOD_NOT_ALLOWED,
    NotAcceptableError: HTTPStatus.NOT_ACCEPTABLE,
    EntityExistsError: HTTPStatus.CONFLICT,
    BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ContentTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    OutputTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UnknownEncodingError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ValidationError: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotWrittenError: HTTPStatus.SERVICE_UNAVAILABLE,
    UnseenWriteError: HTTPStatus.SERVICE_UNAVAILABLE,
    TokenStoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    TokenStoreRefusedError: HTTPStatus.SERVICE_UNAVAILABLE,
    Exception: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of each class of error; a class that is not here has that of its nearest base."""

_log: Final = logging.getLogger("pastebin")


def problem(error: InfrastructureError) -> Response:
    """
    Return the response that tells a caller of `error`.

    >>> problem(InternalError(PastebinMessages.INTERNAL_ERROR)).status_code
    500
    """
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    document: dict[str, object] = {
        # There is no page that describes the kind of error to point at; `error_code` tells it.
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": error.message,
        "error_code": error.error_code,
        # Not the error's own: callers who wait for one cached load all get the error of the first.
        "correlation_id": correlation_id.get(),
    }
    if isinstance(error, ValidationError):
        document["field"] = error.field
    # RFC 9110, section 11.6.1: a 401 says how to do better.
    headers = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(document, status.value, headers, media_type=PROBLEM_JSON)


async def route_not_found(request: Request, exc: Exception) -> Response:
    """Answer a request for a path that the service does not have."""
    return problem(RouteNotFoundError(PastebinMessages.ROUTE_NOT_FOUND.format(path=request.scope["path"])))


async def method_not_allowed(request: Request, exc: Exception) -> Response:
    """Answer a request with a method that its path does not take, and say which it takes."""
    message = PastebinMessages.METHOD_NOT_ALLOWED.format(method=request.method, path=request.scope["path"])
    response = problem(MethodNotAllowedError(message))
    # Starlette's own header names the methods of the first route of the path only.
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in routes if isinstance(route, Route) for method in route.methods or ()}
    response.headers["Allow"] = ", ".join(sorted(methods))
    return response


async def write_failed(request: Request, exc: Exception) -> Response:
    """Answer a write of which readers could not be told; the log says why."""
    assert isinstance(exc, NotWrittenError | UnseenWriteError)
    _log.warning(PastebinMessages.WRITE_FAILED, exc.error_code, exc.__cause__)  # which tells the correlation id
    return problem(exc)


async def tokens_failed(request: Request, exc: Exception) -> Response:
    """Answer a request for which the store of tokens was needed and failed: nobody is let in by that."""
    assert isinstance(exc, TokenStoreUnavailableError | TokenStoreRefusedError)
    _log.warning(PastebinMessages.WRITE_FAILED, exc.error_code, exc.__cause__)
    return problem(exc)


async def internal_error(request: Request, exc: Exception) -> Response:
    """Answer a request that has failed; the server that runs the application logs the exception."""
    _log.error(PastebinMessages.REQUEST_FAILED, correlation_id.get())
    return problem(InternalError(PastebinMessages.INTERNAL_ERROR))
