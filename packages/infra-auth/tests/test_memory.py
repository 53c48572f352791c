"""A store in memory files many tokens before it revokes some, and others run meanwhile."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from infra_auth import InMemoryTokenStore
from infra_protocols import StoredToken, TokenNotFoundError, TokenReusedError, TokenRevokedError

MANY = 3500


def made(clock: Any, jti: str, *, user: str = "ada", family: str = "f", seconds: float = 3600) -> StoredToken:
    now = clock.now()
    return StoredToken(jti, user, now, now + timedelta(seconds=seconds), family)


async def filled(clock: Any, **fields: Any) -> InMemoryTokenStore[StoredToken]:
    store = InMemoryTokenStore(clock=clock)
    for number in range(MANY):
        assert (await store.store(made(clock, f"{number}", **fields))).is_ok()
    return store


async def turns(task: asyncio.Task[Any]) -> int:
    """Return how many turns others have until a task is done."""
    count = 0
    while not task.done():
        await asyncio.sleep(0)
        count += 1
    return count


@pytest.mark.parametrize("field", ["user", "family"])
async def test_others_run_while_it_files(clock: Any, field: str) -> None:
    store = await filled(clock)
    revoke = store.revoke_all_for_user("ada") if field == "user" else store.revoke_family("f")
    revoking = asyncio.create_task(revoke)
    assert await turns(revoking) > MANY // 1000
    assert await revoking == MANY
    assert not await store.is_valid("0")


async def test_what_is_filed_already_keeps_nobody_waiting(clock: Any) -> None:
    store = await filled(clock)
    assert await store.revoke_family("nobody's") == 0
    assert (await store.store(made(clock, "new"))).is_ok()
    with pytest.raises(StopIteration) as done:
        store.revoke_family("f").send(None)
    assert done.value.value == MANY + 1


async def test_what_is_stored_while_it_files_is_revoked(clock: Any) -> None:
    store = await filled(clock)
    revoking = asyncio.create_task(store.revoke_all_for_user("ada"))
    await asyncio.sleep(0)
    late = [f"late {number}" for number in range(MANY)]
    for jti in late:
        assert (await store.store(made(clock, jti))).is_ok()
    assert await revoking == 2 * MANY
    assert not any([await store.is_valid(jti) for jti in late])


async def test_two_at_once_count_each_token_once(clock: Any) -> None:
    store = await filled(clock)
    first = asyncio.create_task(store.revoke_family("f"))
    await asyncio.sleep(0)
    assert (await store.store(made(clock, "late"))).is_ok()
    assert sum(await asyncio.gather(first, store.revoke_all_for_user("ada"))) == MANY + 1


async def test_who_is_cancelled_while_it_files_revokes_nothing(clock: Any) -> None:
    store = await filled(clock)
    revoking = asyncio.create_task(store.revoke_family("f"))
    await asyncio.sleep(0)
    revoking.cancel()
    with suppress(asyncio.CancelledError):
        await revoking
    assert revoking.cancelled()
    assert await store.is_valid("0")
    assert await store.revoke_family("f") == MANY


async def test_what_ends_while_it_files_is_forgotten(clock: Any) -> None:
    store = await filled(clock, seconds=10)
    revoking = asyncio.create_task(store.revoke_family("f"))
    await asyncio.sleep(0)
    clock.turn(10)
    assert await store.cleanup_expired() == MANY
    assert (await store.store(made(clock, "0", family="g"))).is_ok()
    assert await revoking == 0
    assert await store.revoke_family("g") == 1
    assert await store.revoke_all_for_user("ada") == 0
    clock.turn(3600)
    assert await store.cleanup_expired() == 1
    assert await store.revoke_all_for_user("ada") == 0


async def rotated(clock: Any) -> InMemoryTokenStore[StoredToken]:
    """Return a store with many tokens, of which "old" was rotated, too long ago to be repeated."""
    store = InMemoryTokenStore(clock=clock, reuse_grace=0)
    assert (await store.store(made(clock, "old"))).is_ok()
    assert (await store.rotate("old", made(clock, "new"))).is_ok()
    for number in range(MANY):
        assert (await store.store(made(clock, f"{number}", user=f"user {number}", family=f"family {number}"))).is_ok()
    return store


async def test_a_token_that_is_used_again_ends_its_family_though_many_wait(clock: Any) -> None:
    store = await rotated(clock)
    rotating = asyncio.create_task(store.rotate("old", made(clock, "newer")))
    await asyncio.sleep(0)
    assert not rotating.done()
    assert await store.is_valid("new")
    assert (await store.store(made(clock, "late"))).is_ok()
    assert isinstance((await rotating).unwrap_err(), TokenReusedError)
    assert [await store.is_valid(jti) for jti in ("new", "late", "0")] == [False, False, True]


async def test_what_happens_to_a_token_while_it_files_counts(clock: Any) -> None:
    store = await rotated(clock)
    first, second = (asyncio.create_task(store.rotate("old", made(clock, "newer"))) for _ in range(2))
    assert [type((await each).unwrap_err()) for each in (first, second)] == [TokenReusedError, TokenRevokedError]
    store = await rotated(clock)
    rotating = asyncio.create_task(store.rotate("old", made(clock, "newer", seconds=7200)))
    await asyncio.sleep(0)
    clock.turn(3600)
    assert isinstance((await rotating).unwrap_err(), TokenNotFoundError)
