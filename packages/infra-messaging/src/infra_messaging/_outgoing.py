"""What is published: checked, encoded, and with the headers that a broker adds."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from itertools import count
from typing import Any, Final, override
from uuid import uuid4

from infra_messaging._codecs import Encoding
from infra_messaging._engine import Envelope
from infra_protocols import (
    Clock,
    Header,
    ValidationError,
    correlation_id,
    delivery,
    or_raise,
    require_headers,
    require_match,
    require_topic,
)
from infra_result import Result

# What every engine can carry as it is: as the value of a header, and not empty.
_ID: Final = re.compile(r"(?!\s)[^\x00-\x1f\x7f\ud800-\udfff]{1,200}(?<!\s)")
_KEY: Final = re.compile(r"(?!\s)[^\x00-\x1f\x7f\ud800-\udfff]{1,1000}(?<!\s)")


_GROUP: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def require_group(group: object) -> Result[str, ValidationError]:
    return require_match(group, "group", _GROUP)


class Outgoing(Envelope):
    """An envelope whose headers are written when somebody reads them."""

    __slots__ = ("_correlation", "_given", "_source", "_time", "_trace")

    def __init__(
        self,
        id: str,
        topic: str,
        key: str | None,
        given: Mapping[str, str] | None,
        data: Any,
        named: bool,
        correlation: str | None,
        trace: tuple[str | None, str | None] | None,
        source: str,
        time: datetime,
    ) -> None:
        self.id = id
        self.topic = topic
        self.key = key
        self._headers = None
        self.data = data
        self.named = named
        self._given = given
        self._correlation = correlation
        self._trace = trace
        self._source = source
        self._time = time

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        if self._headers is None:
            self._headers = self._write()
        return self._headers

    @property
    @override
    def correlation_id(self) -> str | None:
        return self._correlation

    def _write(self) -> dict[str, str]:
        written: dict[str, str] = {Header.SOURCE.value: self._source, Header.TYPE.value: self.topic}
        parent, state = self._trace or (None, None)
        if parent is not None:
            written[Header.TRACE_PARENT.value] = parent
            if state is not None:
                written[Header.TRACE_STATE.value] = state
        if self._correlation is not None:
            written[Header.CORRELATION_ID.value] = self._correlation
        if self._given:
            written |= self._given
        written[Header.SPEC_VERSION.value] = "1.0"
        written[Header.ID.value] = self.id
        written[Header.TIME.value] = self._time.isoformat().replace("+00:00", "Z")
        return written


class Sealing:
    """Makes the envelopes of a broker."""

    __slots__ = ("_count", "_encode", "_now", "_prefix", "_source")

    def __init__(self, encoding: Encoding, source: str, clock: Clock) -> None:
        self._encode = encoding.encode
        self._source = source
        self._now = clock.now
        # Random enough that no two brokers have ids in common; counting on from there costs less than a new one.
        self._prefix = uuid4().hex[:20]
        self._count = count(1)

    def new_id(self) -> str:
        return f"{self._prefix}{next(self._count):012x}"

    def seal(
        self, topic: str, message: Any, key: str | None, headers: Mapping[str, str] | None, id: str | None
    ) -> Envelope:
        if type(topic) is not str or not _is_topic(topic):
            or_raise(require_topic(topic))
        if key is not None:
            or_raise(require_match(key, "key", _KEY))
        named = id is not None
        if named:
            or_raise(require_match(id, "id", _ID))
        else:
            id = f"{self._prefix}{next(self._count):012x}"
        given = correlation = trace = None
        if headers is not None:
            given = dict(or_raise(require_headers(headers)))
            correlation = given.get(Header.CORRELATION_ID)
        if correlation is None and (correlation := correlation_id.get()) is not None:
            or_raise(require_headers({Header.CORRELATION_ID.value: correlation}))
        if (current := delivery.get()) is not None and (given is None or Header.TRACE_PARENT not in given):
            # Read now: an envelope that led to the one before it, and so on, would keep them all.
            trace = (current.headers.get(Header.TRACE_PARENT), current.headers.get(Header.TRACE_STATE))
        data = self._encode(topic, message)
        return Outgoing(id, topic, key, given, data, named, correlation, trace, self._source, self._now())

    def seal_reply(self, topic: str, data: Any, headers: dict[str, str]) -> Envelope:
        correlation = correlation_id.get()
        trace = None
        if (current := delivery.get()) is not None:
            trace = (current.headers.get(Header.TRACE_PARENT), current.headers.get(Header.TRACE_STATE))
        return Outgoing(self.new_id(), topic, None, headers, data, False, correlation, trace, self._source, self._now())


@lru_cache(maxsize=4096)
def _is_topic(topic: str) -> bool:
    return require_topic(topic).is_ok()
