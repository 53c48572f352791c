"""Freshness with real databases, which bring real concurrency, and where it hangs on one moment."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import httpx
import pytest

from infra_cache import TieredCacheProvider
from infra_protocols import CacheProvider, SystemClock
from infra_result import Ok
from pastebin.app import create_app
from pastebin.paste import Draft, Paste
from pastebin.repository import PasteRepository
from pastebin.service import PasteService, Read
from pastebin.sqlite import SqlitePasteRepository

AUTHORS = ["ada", "bob", "eve"]

type Caches = Callable[[], AbstractAsyncContextManager[list[CacheProvider[Read]]]]
type OpenPastes = Callable[[], AbstractAsyncContextManager[PasteRepository]]


class Pastes(SqlitePasteRepository):
    """Has eve wait, when she takes over a paste, until bob has looked at his."""

    def prepare(self) -> None:
        self.eve_waits, self.bob_has_looked = asyncio.Event(), asyncio.Event()

    async def replace(self, paste: Paste, author: str) -> bool:
        if paste.author == "eve":
            self.eve_waits.set()
            await self.bob_has_looked.wait()
        return await self.take_over(paste, author)

    async def take_over(self, paste: Paste, author: str) -> bool:
        return await super().replace(paste, author)


class AsksNotWhose(Pastes):
    async def take_over(self, paste: Paste, author: str) -> bool:
        return bool(await self.update(paste))


@pytest.mark.parametrize(("kind", "is_stale"), [(Pastes, False), (AsksNotWhose, True)])
async def test_of_two_edits_the_second_knows_whose_paste_it_takes(
    open_caches: Caches, kind: type[Pastes], is_stale: bool
) -> None:
    """A paste of ada's becomes bob's and then, in another process, eve's, and bob looks in between."""
    async with kind.open() as pastes, open_caches() as caches:
        pastes.prepare()
        one, other = (PasteService(pastes, cache, SystemClock()) for cache in caches)
        paste = (await one.create(Draft("title", "content", "ada"))).unwrap()
        to_eve = asyncio.create_task(other.update(paste.id, Draft("title", "content", "eve")))
        await pastes.eve_waits.wait()
        bobs = (await one.update(paste.id, Draft("title", "content", "bob"))).unwrap()
        assert await other.by_author("bob") == Ok((bobs,))
        pastes.bob_has_looked.set()
        eves = (await to_eve).unwrap()
        assert await other.by_author("eve") == Ok((eves,))
        assert (await other.by_author("bob") == Ok((bobs,))) is is_stale


@pytest.mark.parametrize("turns", [*range(8), 10, 20, 40, 80, 160])
async def test_after_a_cancelled_edit_the_cache_agrees_with_the_database(
    open_caches: Caches, open_pastes: OpenPastes, turns: int
) -> None:
    async with open_pastes() as pastes, open_caches() as [cache, _]:
        service = PasteService(pastes, cache, SystemClock())
        paste = (await service.create(Draft("title", "old", "ada"))).unwrap()
        await service.get(paste.id)
        await service.by_author("ada")
        edit = asyncio.create_task(service.update(paste.id, Draft("title", "new", "bob")))
        for _ in range(turns):
            await asyncio.sleep(0)
        edit.cancel()
        await asyncio.wait([edit])
        assert (await service.get(paste.id)).ok() == await pastes.get(paste.id)
        for author in AUTHORS:
            assert (await service.by_author(author)).ok() == tuple(await pastes.by_author(author, 9))
        assert (await service.delete(paste.id)).is_ok()


async def test_readers_over_http_are_never_behind_the_writer(open_caches: Caches, open_pastes: OpenPastes) -> None:
    """One writer, and readers that check the order; they ask another process where that knows of a write at once."""
    async with open_pastes() as pastes, open_caches() as [cache, other]:
        shared = cache if isinstance(cache, TieredCacheProvider) else other
        async with client(pastes, cache) as writer, client(pastes, shared) as reader:
            draft = {"title": "counter", "content": "0", "author": "ada"}
            location = (await writer.post("/pastes", json=draft)).headers["location"]
            acknowledged = 0
            reads = 0

            async def write() -> None:
                nonlocal acknowledged
                for number in range(1, 100):
                    author = AUTHORS[number % 2]
                    edited = await writer.put(location, json=draft | {"content": str(number), "author": author})
                    assert edited.status_code == 200
                    acknowledged = number

            async def read() -> None:
                nonlocal reads
                while acknowledged < 99:
                    oldest = acknowledged
                    content = (await reader.get(location)).json()["content"]
                    assert int(content) >= oldest
                    reads += 1
                    await asyncio.sleep(0)  # a cached read does not give way to others by itself

            async def list_author(author: str) -> None:
                nonlocal reads
                while acknowledged < 99:
                    oldest = acknowledged
                    listed = (await reader.get("/pastes", params={"author": author})).json()
                    assert [paste["content"] for paste in listed if int(paste["content"]) < oldest] == []
                    reads += 1
                    await asyncio.sleep(0)

            await asyncio.gather(write(), read(), read(), list_author("ada"), list_author("bob"))
            assert reads > 0
            lists = [(await reader.get("/pastes", params={"author": author})).json() for author in AUTHORS]
            assert [[paste["content"] for paste in listed] for listed in lists] == [[], ["99"], []]


def client(pastes: PasteRepository, cache: CacheProvider[Read]) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(PasteService(pastes, cache, SystemClock())))
    return httpx.AsyncClient(transport=transport, base_url="http://pastebin")
