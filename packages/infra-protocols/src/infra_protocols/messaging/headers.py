"""The headers of messages: what they may be, and the names that everybody knows them by."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from infra_protocols.errors import ValidationError
from infra_protocols.validation import require_match, require_type
from infra_result import Err, Ok, Result

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
# No end of a line, and nothing that a protocol of lines would strip.
_VALUE: Final = re.compile(r"(?!\s)[^\x00-\x1f\x7f\ud800-\udfff]{0,4096}(?<!\s)|")


class Header(str, Enum):
    """
    The names of the headers that a broker writes or reads.

    Those that begin with `ce-` are the attributes of CloudEvents 1.0, named as in its binding to HTTP, section 3.1.3.

    >>> Header.CORRELATION_ID.value
    'correlation-id'
    """

    CORRELATION_ID = "correlation-id"
    """What `infra_protocols.correlation_id` was where the message was published, and is where it is handled."""
    TRACE_PARENT = "traceparent"
    """The span that the message comes from (W3C Trace Context, section 3.2)."""
    TRACE_STATE = "tracestate"
    """What tracing systems add to that (W3C Trace Context, section 3.3)."""
    REPLY_TO = "reply-to"
    """The topic on which whoever has sent a request waits for the reply."""
    REPLY_FOR = "reply-for"
    """In a reply: the id of the request."""
    REPLY_ERROR = "reply-error"
    """In a reply: the class of the error on which the request failed for good."""
    SPEC_VERSION = "ce-specversion"
    ID = "ce-id"
    SOURCE = "ce-source"
    TYPE = "ce-type"
    TIME = "ce-time"


def require_headers(headers: object) -> Result[Mapping[str, str], ValidationError]:
    """
    Return `headers` if all are what a header may be.

    A name is of small letters, digits and `-`, and has at most 64 characters. A value is text of at most 4096
    characters, without control characters, and without white space at its ends.

    >>> require_headers({"tenant": "acme"})
    Ok({'tenant': 'acme'})
    >>> print(require_headers({"tenant": "acme\\n"}).unwrap_err().field)
    headers.tenant
    """
    kind: type[Mapping[str, str]] = Mapping
    checking = require_type(headers, "headers", kind)
    if isinstance(checking, Err):
        return checking
    checked = checking.value
    for name, value in checked.items():
        if isinstance(wrong := require_match(name, "headers", _NAME), Err):
            return wrong
        if isinstance(wrong := require_match(value, f"headers.{name}", _VALUE), Err):
            return wrong
    return Ok(checked)
