"""What a broker's messages may be, and how they become bytes."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan
from typing import Any

import pydantic
import pytest
from msgspec import Struct

from infra_messaging._codecs import Codecs
from infra_messaging.msgspec import MsgspecCodec
from infra_messaging.pydantic import PydanticCodec
from infra_protocols import Codec, DecodeError, JsonCodec, ValidationError


@dataclass(frozen=True)
class Order:
    book: str


@dataclass(frozen=True)
class Refund:
    amount: int


class Packed(Struct, frozen=True):
    book: str
    at: datetime | None = None
    price: float = 0.0


class Model(pydantic.BaseModel):
    book: str
    at: datetime | None = None
    price: float = 0.0


def test_a_type_is_for_all_topics() -> None:
    codecs = Codecs(Order)
    data = codecs.encode("any.topic", Order("Dune"))
    assert data == b'{"book":"Dune"}'
    assert codecs.decode("another", data) == Order("Dune")
    with pytest.raises(ValidationError):
        codecs.encode("any.topic", Refund(1))
    with pytest.raises(DecodeError):
        codecs.decode("any.topic", b"[]")


def test_a_union_is_told_apart() -> None:
    codecs = Codecs(JsonCodec[Order | Refund](Order | Refund))
    for message in (Order("Dune"), Refund(1)):
        assert codecs.decode("t", codecs.encode("t", message)) == message


def test_the_first_pattern_that_stands_for_a_topic_counts() -> None:
    codecs = Codecs({"orders.refunds": Refund, "orders.*": Order, "texts.>": MsgspecCodec(str), "plain": str})
    for topic, message in [
        ("orders.refunds", Refund(1)),
        ("orders.new", Order("Dune")),
        ("texts.a.b", "x"),
        ("plain", ""),
    ]:
        for _ in range(2):
            assert codecs.decode(topic, codecs.encode(topic, message)) == message
    with pytest.raises(ValidationError):
        codecs.encode("orders.refunds", Order("Dune"))


def test_a_topic_of_no_type_is_refused() -> None:
    codecs = Codecs({"orders.*": Order})
    with pytest.raises(ValidationError, match="other") as refused:
        codecs.encode("other", Order("Dune"))
    assert refused.value.field == "topic"
    with pytest.raises(DecodeError, match="other"):
        codecs.decode("other", b"{}")


def test_malformed_patterns_and_types_are_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        Codecs({"orders..": Order})
    assert refused.value.field == "pattern"
    with pytest.raises(ValidationError):
        Codecs(object.__new__)  # pyright: ignore[reportArgumentType]


def test_many_topics_take_no_more_room() -> None:
    codecs = Codecs({"orders.*": Order})
    for number in range(25_000):
        codecs.encode(f"orders.{number}", Order("Dune"))
    assert len(codecs._by_topic) <= 10_000  # pyright: ignore[reportPrivateUsage]


NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOTH = [(MsgspecCodec, Packed), (PydanticCodec, Model)]


@pytest.mark.parametrize(("codec", "kind"), BOTH)
def test_what_is_written_comes_back(codec: Any, kind: Any) -> None:
    made: Codec[Any] = codec(kind)
    value = kind(book="Dune", at=NOW, price=1.5)
    assert made.decode(made.encode(value)) == value
    assert repr(made) == f"{codec.__name__}({kind.__name__})"


@pytest.mark.parametrize(("codec", "kind"), BOTH)
@pytest.mark.parametrize("wrong", ["a text", None, {"book": "Dune"}, Order("secret"), "nan"])
def test_what_would_not_come_back_is_refused_and_not_told(codec: Any, kind: Any, wrong: Any) -> None:
    value = kind(book="secret", price=nan) if wrong == "nan" else wrong
    with pytest.raises(ValidationError) as refused:
        codec(kind).encode(value)
    assert refused.value.field == "message"
    assert "secret" not in f"{refused.value} {refused.value.__cause__} {refused.value.__context__}"


@pytest.mark.parametrize(("codec", "kind"), BOTH)
@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[]", b'{"book":1}', b'{"book":"x","price":"1"}', b"[" * 100_000]
)
def test_what_stands_for_no_message_is_refused_and_not_told(codec: Any, kind: Any, data: bytes) -> None:
    with pytest.raises(DecodeError) as refused:
        codec(kind).decode(data)
    assert refused.value.__cause__ is None
    with pytest.raises(ValidationError):
        codec(kind).decode("text")


@pytest.mark.parametrize("codec", [MsgspecCodec, PydanticCodec])
def test_a_type_that_there_is_no_codec_for_is_refused(codec: Any) -> None:
    class Unknown:
        pass

    with pytest.raises(ValidationError) as refused:
        codec(Unknown if codec is PydanticCodec else dict[Order, Unknown] | dict[Unknown, Order])
    assert refused.value.field == "type"


@pytest.mark.parametrize("extra", ["msgspec", "pydantic"])
def test_a_library_that_is_missing_is_named(extra: str) -> None:
    code = f"import sys; sys.modules[{extra!r}] = None; import infra_messaging.{extra}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (
        f"ImportError: This takes a library that is not installed: pip install infra-messaging[{extra}]" in done.stderr
    )


def test_the_package_alone_imports_no_extra() -> None:
    code = (
        "import sys, infra_messaging; print(*{'msgspec', 'pydantic', 'redis', 'nats', 'aio_pika'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
