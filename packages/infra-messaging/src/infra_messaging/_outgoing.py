"""What is published: checked, encoded, and with the headers that a broker adds."""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from itertools import count
from typing import Any, Final, override
from uuid import uuid4

from infra_messaging._engine import Envelope
from infra_protocols import (
    Clock,
    Header,
    ValidationError,
    correlation_id,
    delivery,
    or_raise,
    require_headers,
    require_key,
    require_match,
    require_message_id,
)
from infra_result import Result

_TRACE: Final = (Header.TRACE_PARENT.value, Header.TRACE_STATE.value)
# The value of a member takes longer to look up than all else takes that is done to a header.
_SOURCE: Final = Header.SOURCE.value
_TYPE: Final = Header.TYPE.value
_CORRELATION_ID: Final = Header.CORRELATION_ID.value
_SPEC_VERSION: Final = Header.SPEC_VERSION.value
_MESSAGE_ID: Final = Header.ID.value
_SENT_AT: Final = Header.TIME.value
# As the value of a header, and not empty.
_SOURCES: Final = re.compile(r"(?!\s)[^\x00-\x1f\x7f\ud800-\udfff]{1,1000}(?<!\s)")


def require_source(source: object) -> Result[str, ValidationError]:
    return require_match(source, "source", _SOURCES)


class Outgoing(Envelope):
    """An envelope whose headers are written when somebody reads them."""

    __slots__ = ("_given", "_sealing", "_time")

    def __init__(
        self,
        id: str,
        topic: str,
        key: str | None,
        given: Mapping[str, str] | None,
        data: Any,
        named: bool,
        correlation_id: str | None,
        sealing: "Sealing",
        time: float,
    ) -> None:
        self.id = id
        self.topic = topic
        self.key = key
        self.data = data
        self.named = named
        self.correlation_id = correlation_id
        self._headers = None
        self._given = given
        self._sealing = sealing
        self._time = time

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        if self._headers is None:
            self._headers = self._sealing.write(self, self._given, self._time)
        return self._headers


class Sealing:
    """Makes the envelopes of a broker."""

    __slots__ = ("_clock", "_monotonic", "_next", "_prefix", "_source")

    def __init__(self, source: str, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._monotonic = clock.monotonic
        self.begin()

    def begin(self) -> None:
        """Have ids from now on that no other broker has, nor this one in another process that was forked off."""
        # To count on from something random costs less than something random for each.
        self._prefix = f"{uuid4().hex}-"
        self._next = count(1).__next__

    def seal(
        self, topic: str, data: Any, key: str | None, headers: Mapping[str, str] | None, id: str | None
    ) -> Envelope:
        """
        Return the envelope of what was encoded for a topic.

        Raises:
            ValidationError: `key`, `headers` or `id` is malformed.
        """
        if key is not None:
            or_raise(require_key(key))
        correlation = _correlation()
        if headers is not None or _delivery() is not None:
            headers = _with_trace({} if headers is None else or_raise(require_headers(headers)))
            correlation = headers.get(Header.CORRELATION_ID, correlation)
        if correlation is not None and not _is_value(correlation):
            or_raise(require_headers({Header.CORRELATION_ID.value: correlation}))
        if named := id is not None:
            or_raise(require_message_id(id))
        else:
            id = f"{self._prefix}{self._next()}"
        return Outgoing(id, topic, key, headers, data, named, correlation, self, self._monotonic())

    def write(self, envelope: Envelope, given: Mapping[str, str] | None, time: float) -> dict[str, str]:
        """Return the headers of an envelope that was sealed at `time`."""
        sent_at = self._clock.now() - timedelta(seconds=self._monotonic() - time)
        headers = {_SOURCE: self._source, _TYPE: envelope.topic}
        if envelope.correlation_id is not None:
            headers[_CORRELATION_ID] = envelope.correlation_id
        if given is not None:
            headers |= given
        headers[_SPEC_VERSION] = "1.0"
        headers[_MESSAGE_ID] = envelope.id
        headers[_SENT_AT] = sent_at.isoformat().replace("+00:00", "Z")
        return headers


def _with_trace(given: Mapping[str, str]) -> dict[str, str]:
    """Return `given`, with the trace of the message that is being handled unless there is one."""
    headers = dict(given)
    if Header.TRACE_PARENT not in given and (handled := delivery.get()) is not None:
        # Read now: an envelope that led to the one before it, and so on, would keep them all.
        parent = handled.headers
        headers |= {name: parent[name] for name in _TRACE if name in parent}
    return headers


@lru_cache(maxsize=256)
def _is_value(correlation_id: str) -> bool:
    return require_headers({Header.CORRELATION_ID.value: correlation_id}).is_ok()


_correlation: Final = correlation_id.get
_delivery: Final = delivery.get
