"""What a broker's messages are, and how they become bytes: one type for all topics, or one for each."""

from collections.abc import Mapping
from typing import Any, Protocol

from infra_messaging.messages import MessagingMessages
from infra_protocols import Codec, DecodeError, JsonCodec, ValidationError, or_raise, require_pattern, topic_matches

type Messages[TMessage] = type[TMessage] | Codec[TMessage] | Mapping[str, object]
"""The type of the messages, or a codec for them, or either by the pattern of the topic: the first that matches."""

_KNOWN = 10_000


class Encoding(Protocol):
    """How the messages on a topic are given to an engine, and taken from it."""

    @property
    def makes_bytes(self) -> bool:
        """Whether what an engine is given is bytes."""
        ...

    def encode(self, topic: str, message: Any) -> Any: ...

    def decode(self, topic: str, data: Any) -> Any: ...


class AsTheyAre:
    """No encoding: the engine keeps the objects."""

    __slots__ = ()
    makes_bytes = False

    def encode(self, topic: str, message: Any) -> Any:
        return message

    def decode(self, topic: str, data: Any) -> Any:
        return data


class Codecs:
    """By topic: bytes."""

    __slots__ = ("_by_pattern", "_by_topic")
    makes_bytes = True

    def __init__(self, messages: Messages[Any]) -> None:
        if isinstance(messages, Mapping):
            self._by_pattern = {or_raise(require_pattern(each)): _codec(kind) for each, kind in messages.items()}
        else:
            self._by_pattern = {">": _codec(messages)}
        self._by_topic: dict[str, Codec[Any] | None] = {}

    def encode(self, topic: str, message: Any) -> bytes:
        codec = self._of(topic)
        if codec is None:
            raise ValidationError(MessagingMessages.NO_CODEC.format(topic=topic), field="topic", kind="str")
        return codec.encode(message)

    def decode(self, topic: str, data: bytes) -> Any:
        codec = self._of(topic)
        if codec is None:
            raise DecodeError(MessagingMessages.NO_CODEC.format(topic=topic), path="topic", kind="str")
        return codec.decode(data)

    def _of(self, topic: str) -> Codec[Any] | None:
        try:
            return self._by_topic[topic]
        except KeyError:
            pass
        found = next((codec for pattern, codec in self._by_pattern.items() if topic_matches(pattern, topic)), None)
        if len(self._by_topic) >= _KNOWN:
            self._by_topic.clear()
        self._by_topic[topic] = found
        return found


def _codec(kind: Any) -> Codec[Any]:
    if not isinstance(kind, type) and hasattr(kind, "encode") and hasattr(kind, "decode"):
        return kind
    return JsonCodec[Any](kind)
