"""The typed codecs against plain `json`, msgspec itself, pydantic and cattrs."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from cattrs.preconf.json import make_converter
from pydantic import TypeAdapter

from infra_cache.msgspec import MsgspecCodec
from infra_protocols import JsonCodec
from tools.bench.harness import Contender, Table, compare


@dataclass(frozen=True, slots=True)
class User:
    """What JSON knows, and nothing else: plain `json` can write its fields as they are."""

    id: int
    name: str
    email: str
    score: float
    active: bool


@dataclass(frozen=True, slots=True)
class Order:
    """What JSON does not know, and other objects."""

    id: UUID
    placed: datetime
    buyer: User
    tags: tuple[str, ...]
    note: str | None = None


class Struct(msgspec.Struct):
    """The same as `User`, for msgspec at its best."""

    id: int
    name: str
    email: str
    score: float
    active: bool


USER = User(7, "Ada Lovelace", "ada@example.org", 0.75, True)
ORDER = Order(UUID(int=7), datetime(2026, 1, 2, 3, 4, 5, 678, UTC), USER, ("new", "gift"))


def tables() -> list[Table]:
    """Measure writing and reading a small dataclass, a hundred of them, and one of types that JSON lacks."""
    plain = asdict(USER)
    placed = {**asdict(ORDER), "id": str(ORDER.id), "placed": ORDER.placed.isoformat()}
    struct = Struct(*plain.values())
    return [
        *_both("a dataclass of five fields", User, USER, plain, Struct, struct, number=2_000),
        *_both("a list of 100", list[User], [USER] * 100, [plain] * 100, list[Struct], [struct] * 100, number=30),
        *_both("a dataclass of an id, a time, a tuple and another", Order, ORDER, placed, number=1_000),
    ]


def _both[T](
    title: str,
    tp: type[T],
    value: T,
    plain: object,
    struct_type: type[object] | None = None,
    struct: object = None,
    *,
    number: int,
) -> list[Table]:
    ours, other, adapter, converter = JsonCodec(tp), MsgspecCodec(tp), TypeAdapter(tp), make_converter()
    converter.register_unstructure_hook(UUID, str)
    converter.register_structure_hook(UUID, lambda text, _: UUID(text))
    data = ours.encode(value)
    write, read = msgspec.json.Encoder().encode, msgspec.json.Decoder(tp).decode
    for codec in (ours, other):
        assert codec.decode(codec.encode(value)) == value
    assert adapter.validate_json(adapter.dump_json(value)) == value
    assert converter.loads(converter.dumps(value, tp), tp) == value
    assert json.loads(data) == json.loads(json.dumps(plain))
    writing = [
        Contender("json.dumps", _over(lambda: json.dumps(plain).encode())),
        Contender("infra_protocols.JsonCodec", _over(lambda: ours.encode(value))),
        Contender("infra_cache.MsgspecCodec", _over(lambda: other.encode(value))),
        Contender("msgspec, unchecked", _over(lambda: write(value))),
        Contender("pydantic.TypeAdapter", _over(lambda: adapter.dump_json(value))),
        Contender("cattrs with json", _over(lambda: converter.dumps(value, tp).encode())),
    ]
    reading = [
        Contender("json.loads", _over(lambda: json.loads(data))),
        Contender("infra_protocols.JsonCodec", _over(lambda: ours.decode(data))),
        Contender("infra_cache.MsgspecCodec", _over(lambda: other.decode(data))),
        Contender("msgspec", _over(lambda: read(data))),
        Contender("pydantic.TypeAdapter", _over(lambda: adapter.validate_json(data))),
        Contender("cattrs with json", _over(lambda: converter.loads(data, tp))),
    ]
    if struct_type is not None:
        structs = MsgspecCodec(struct_type)
        writing.append(Contender("infra_cache.MsgspecCodec, a Struct", _over(lambda: structs.encode(struct))))
        reading.append(Contender("infra_cache.MsgspecCodec, a Struct", _over(lambda: structs.decode(data))))
    return [
        compare(
            f"Writing {title}",
            "`json.dumps` of the same as dicts, made already, and `encode`",
            writing,
            number=number,
            note="MsgspecCodec reads what it wrote, and compares.",
        ),
        compare(f"Reading {title}", "`json.loads`, which makes dicts", reading, number=number),
    ]


def _over(call: Callable[[], object]) -> Callable[[int], None]:
    def loop(n: int) -> None:
        for _ in range(n):
            call()

    return loop
