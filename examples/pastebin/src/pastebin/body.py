"""The body of a request, read with a bound and decoded."""

import json
from typing import Final, Never

from starlette.requests import ClientDisconnect, Request

from infra_protocols import CompressionError, ServiceError
from infra_result import Err, Ok, Result
from pastebin.errors import BodyTooLargeError, MalformedBodyError, UnsupportedMediaTypeError
from pastebin.messages import PastebinMessages
from pastebin.paste import MAX_CONTENT

MAX_BODY: Final = 3 * MAX_CONTENT + 64 * 1024
"""How large a body may be, in bytes: the largest text fits, even if all of it but ASCII is spelt in escapes."""

_JSON: Final = "application/json"


async def read_json(request: Request) -> Result[object, ServiceError]:
    """
    Return the document in the body of `request`.

    What is an `Err`: a body that does not say that it is JSON (`UnsupportedMediaTypeError`), one of more than
    `MAX_BODY` bytes (`BodyTooLargeError`), one that is not JSON in UTF-8, as RFC 8259 has it
    (`MalformedBodyError`), one that was sent compressed and cannot be decompressed (`CompressionError`).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _JSON:
        message = PastebinMessages.MEDIA_TYPE_UNSUPPORTED.format(expected=_JSON)
        return Err(UnsupportedMediaTypeError(message))
    return (await _read(request)).flat_map(_decode)


async def _read(request: Request) -> Result[bytes, ServiceError]:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return Err(BodyTooLargeError(PastebinMessages.BODY_TOO_LARGE.format(max=MAX_BODY)))
    except CompressionError as error:
        return Err(error)
    except ClientDisconnect:
        return Err(MalformedBodyError(PastebinMessages.BODY_CUT_SHORT))
    return Ok(bytes(body))


def _decode(body: bytes) -> Result[object, MalformedBodyError]:
    try:
        return Ok(json.loads(body.decode(), parse_constant=_refuse))
    except (ValueError, RecursionError):  # RecursionError: arrays in arrays in arrays
        return Err(MalformedBodyError(PastebinMessages.JSON_MALFORMED))


def _refuse(constant: str) -> Never:
    # Python reads NaN and Infinity, which JSON does not have.
    raise ValueError(constant)
