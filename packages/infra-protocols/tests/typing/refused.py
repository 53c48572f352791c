# What pyright strict must refuse. An ignore comment that is not needed is an error itself, so each line here
# fails the check as soon as pyright accepts it. Nothing here is run.

from infra_protocols import (
    CacheKey,
    CacheProvider,
    Codec,
    ErrorMessages,
    Factory,
    Flight,
    JsonCodec,
    Repository,
    Service,
    Store,
    require_range,
)
from infra_result import Ok, Result


def a_key_is_of_one_type_exactly(whole: CacheKey[int], truth: CacheKey[bool]) -> object:
    wider: CacheKey[int] = truth  # pyright: ignore[reportAssignmentType]
    narrower: CacheKey[bool] = whole  # pyright: ignore[reportAssignmentType]
    anything: CacheKey[object] = whole  # pyright: ignore[reportAssignmentType]
    return wider, narrower, anything


async def a_typed_key_types_what_is_set(cache: CacheProvider[str], key: CacheKey[int]) -> object:
    async def load() -> str:
        return "three"

    await cache.set(key, "three")  # pyright: ignore[reportArgumentType, reportCallIssue]
    await cache.set("k", 3)  # pyright: ignore[reportArgumentType, reportCallIssue]
    await cache.set_with_tags(key, "three", ["t"])  # pyright: ignore[reportArgumentType, reportCallIssue]
    await cache.get_or_set(key, load)  # pyright: ignore[reportArgumentType, reportCallIssue]
    await cache.get(3)  # pyright: ignore[reportArgumentType, reportCallIssue]
    number: int | None = await cache.get("k")  # pyright: ignore[reportAssignmentType]
    return number


class NoDelete:
    async def get(self, key: str) -> int | None: ...
    async def set(self, key: str, value: int, ttl: float | None = None) -> None: ...
    async def exists(self, key: str) -> bool:
        return False


class WholeSeconds(NoDelete):
    """Callers may give fractions of seconds, and `math.inf`: a store that takes only `int` would break on them."""

    async def set(self, key: str, value: int, ttl: int | None = None) -> None: ...  # pyright: ignore[reportIncompatibleMethodOverride]
    async def delete(self, key: str) -> bool:
        return False


class OtherNames:
    async def get(self, name: str) -> int | None: ...
    async def set(self, name: str, value: int, ttl: float | None = None) -> None: ...
    async def delete(self, name: str) -> bool:
        return False

    async def exists(self, name: str) -> bool:
        return False


class Blocking:
    def execute(self, input: int) -> Result[int, Exception]:
        return Ok(input)


class AnyError:
    async def execute(self, input: int) -> Result[int, Exception]:
        return Ok(input)


def what_is_no_implementation() -> object:
    incomplete: Store[str, int] = NoDelete()  # pyright: ignore[reportAssignmentType]
    whole_seconds: Store[str, int] = WholeSeconds()  # pyright: ignore[reportAssignmentType]
    other_names: Store[str, int] = OtherNames()  # pyright: ignore[reportAssignmentType]
    blocking: Service[int, int] = Blocking()  # pyright: ignore[reportAssignmentType]
    any_error: Service[int, int] = AnyError()  # pyright: ignore[reportAssignmentType]
    factory: Factory[int, int] = Blocking()  # pyright: ignore[reportAssignmentType]
    repository: Repository[int, int] = NoDelete()  # pyright: ignore[reportAssignmentType]
    cache: CacheProvider[int] = NoDelete()  # pyright: ignore[reportAssignmentType]
    return incomplete, whole_seconds, other_names, blocking, any_error, factory, repository, cache


async def a_flight_takes_what_it_is_for(flight: Flight[str, int]) -> None:
    async def load() -> str:
        return "three"

    await flight.run("k", load)  # pyright: ignore[reportArgumentType]
    await flight.run(3, load)  # pyright: ignore[reportArgumentType]
    await flight.run("k", print, None, "one too many")  # pyright: ignore[reportArgumentType]

    async def load_by(number: int) -> int:
        return number

    await flight.run("k", load_by, None, "three")  # pyright: ignore[reportArgumentType]
    flight.forget(3)  # pyright: ignore[reportArgumentType]
    Flight[list[int], int]()  # pyright: ignore[reportInvalidTypeArguments]


class Halves:
    def encode(self, value: int) -> str:
        return str(value)

    def decode(self, data: bytes) -> int:
        return int(data)


def a_codec_takes_what_it_is_for(codec: JsonCodec[int]) -> object:
    codec.encode("three")  # pyright: ignore[reportArgumentType]
    codec.decode("3")  # pyright: ignore[reportArgumentType]
    text: str = codec.decode(b"3")  # pyright: ignore[reportAssignmentType]
    other: JsonCodec[str] = JsonCodec(int)  # pyright: ignore[reportAssignmentType]
    wider: Codec[int | None] = codec  # pyright: ignore[reportAssignmentType]
    halves: Codec[int] = Halves()  # pyright: ignore[reportAssignmentType]
    unknown = JsonCodec(int | None)  # pyright: ignore[reportUnknownVariableType]
    return text, other, wider, halves, unknown  # pyright: ignore[reportUnknownVariableType]


def the_texts_are_final() -> None:
    ErrorMessages.POOL_CLOSED = "Closed"  # pyright: ignore[reportAttributeAccessIssue]
    require_range("3", "count")  # pyright: ignore[reportArgumentType]


class Messages(ErrorMessages):
    POOL_CLOSED = "Closed"  # pyright: ignore[reportGeneralTypeIssues]
