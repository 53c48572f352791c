import asyncio

from infra_protocols import CacheError, correlation_id


def test_there_is_none_by_default() -> None:
    assert correlation_id.get() is None


async def test_each_request_has_its_own() -> None:
    async def request(number: int) -> str | None:
        correlation_id.set(f"req-{number}")
        await asyncio.sleep(0)
        return CacheError("Boom").correlation_id

    assert await asyncio.gather(*(request(number) for number in range(3))) == ["req-0", "req-1", "req-2"]
    assert correlation_id.get() is None


async def test_what_a_request_starts_belongs_to_it() -> None:
    token = correlation_id.set("req-1")
    task = asyncio.create_task(asyncio.to_thread(lambda: CacheError("Boom").correlation_id))
    correlation_id.reset(token)
    assert await task == "req-1"
