"""Reads that several processes share in Redis, and what happens while it is away."""

import argparse
import asyncio
import logging
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from infra_conformance.servers import RedisServer
from infra_protocols import CacheTypeError, JsonCodec, SystemClock
from infra_result import Ok
from pastebin.app import create_app
from pastebin.engines import CACHE_NAMESPACE, Engines, add_engine_options, open_engines
from pastebin.errors import NotWrittenError
from pastebin.paste import Draft, Paste
from pastebin.service import PasteService, Read
from pastebin.shared import MAX_SHARED
from pastebin.sqlite import SqlitePasteRepository

GREETING = {"title": "Greeting", "content": "hello", "author": "ada"}
TIERS = pytest.mark.parametrize("tiers", [[], ["--tiered"]], ids=["redis", "tiered"])

type StartServer = Callable[..., tuple[subprocess.Popen[str], str]]


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_engine_options(parser)
    return parser.parse_args(arguments)


def service_on(engines: Engines) -> PasteService:
    return PasteService(engines.pastes, engines.cache, SystemClock())


def client(service: PasteService) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(service))
    return httpx.AsyncClient(transport=transport, base_url="http://pastebin")


def ask(method: str, url: str, json: object = None) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=10) as http:
        return http.request(method, url, json=json)


# -- Sharing


@pytest.mark.parametrize("shares", [True, False])
def test_processes_that_share_a_redis_see_what_another_has_written(
    start_server: StartServer, tmp_path: Path, redis_url: str, shares: bool
) -> None:
    chosen = ["--database", str(tmp_path / "pastes.db"), *(["--redis", redis_url] if shares else [])]
    (_, one), (_, other) = start_server(*chosen), start_server(*chosen)
    path = ask("POST", f"{one}/pastes", json=GREETING).headers["location"]
    behind = 0
    for number in range(8):
        assert ask("GET", other + path).status_code == 200
        assert ask("GET", f"{other}/pastes?author=ada").status_code == 200
        edited = ask("PUT", one + path, json=GREETING | {"content": f"{number}"}).json()
        behind += ask("GET", other + path).json() != edited
        behind += ask("GET", f"{other}/pastes?author=ada").json() != [edited]
    ask("DELETE", one + path)
    behind += ask("GET", other + path).status_code != 404
    behind += ask("GET", f"{other}/pastes?author=ada").json() != []
    assert behind == (0 if shares else 18)


def test_processes_with_memory_in_front_see_it_as_soon_as_they_are_told(
    start_server: StartServer, tmp_path: Path, redis_url: str
) -> None:
    chosen = ["--database", str(tmp_path / "pastes.db"), "--redis", redis_url, "--tiered"]
    (_, one), (_, other) = start_server(*chosen), start_server(*chosen)
    path = ask("POST", f"{one}/pastes", json=GREETING).headers["location"]
    for number in range(8):
        assert ask("GET", other + path).status_code == 200
        edited = ask("PUT", one + path, json=GREETING | {"content": f"{number}"}).json()
        assert ask("GET", one + path).json() == edited
        while ask("GET", other + path).json() != edited:
            pass  # until the push is there; the test's time is bounded


@TIERS
async def test_what_one_has_read_the_other_finds(tmp_path: Path, redis_url: str, tiers: list[str]) -> None:
    chosen = options("--database", str(tmp_path / "pastes.db"), "--redis", redis_url, *tiers)
    async with open_engines(chosen) as one, open_engines(chosen) as other:
        paste = (await service_on(one).create(Draft("title", "content", "ada"))).unwrap()
        for engines in (one, other):
            assert await service_on(engines).get(paste.id) == Ok(paste)
            assert await service_on(engines).by_author("ada") == Ok((paste,))
        assert (one.cache.stats().loads, other.cache.stats().loads, other.cache.stats().hits) == (2, 0, 2)


async def test_a_redis_may_serve_several_databases(tmp_path: Path, redis_url: str) -> None:
    files = [["--database", str(tmp_path / name)] for name in ("one.db", "other.db")]
    for database in (*files, [], []):
        async with open_engines(options("--redis", redis_url, *database)) as engines:
            assert await service_on(engines).by_author("ada") == Ok(())
            paste = (await service_on(engines).create(Draft("title", "content", "ada"))).unwrap()
            assert await service_on(engines).by_author("ada") == Ok((paste,))


async def test_what_is_large_is_served_and_not_kept(redis_url: str) -> None:
    async with open_engines(options("--redis", redis_url)) as engines:
        service = service_on(engines)
        small, large = [
            (await service.create(Draft("title", "x" * size, author))).unwrap()
            for size, author in ((MAX_SHARED // 2, "ada"), (MAX_SHARED, "bob"))
        ]
        for _ in range(2):
            assert await service.get(small.id) == Ok(small)
            assert await service.get(large.id) == Ok(large)
            assert await service.by_author("bob") == Ok((large,))
        assert (engines.cache.stats().hits, engines.cache.stats().loads) == (1, 5)


def test_the_namespace_counts_the_forms_of_what_is_kept() -> None:
    """When this fails, `Read` has another form: put a higher number into the namespace, and the new form here."""
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    paste = Paste("7f", "Greeting", "hello", "ada", noon, noon)
    codec: JsonCodec[Read] = JsonCodec(Read)
    form = (
        b'{"id":"7f","title":"Greeting","content":"hello","author":"ada",'
        b'"created_at":"2026-11-23T12:00:00+00:00","updated_at":"2026-11-23T12:00:00+00:00"}'
    )
    assert (CACHE_NAMESPACE, codec.encode(paste), codec.encode((paste,))) == ("pastebin-1", form, b"[%b]" % form)


# -- While Redis is away


@TIERS
async def test_it_starts_without_redis_and_finds_it_later(redis_server: RedisServer, tiers: list[str]) -> None:
    await asyncio.to_thread(redis_server.stop)
    chosen = options("--redis", redis_server.url, *tiers)
    async with open_engines(chosen) as engines, client(service_on(engines)) as http:
        assert (await http.get("/pastes?author=ada")).json() == []
        assert_refused(await http.post("/pastes", json=GREETING, headers={"X-Request-ID": "1"}), "NOT_WRITTEN")
        assert (await http.get("/pastes")).json() == []
        await asyncio.to_thread(redis_server.start)
        created = await http.post("/pastes", json=GREETING)
        assert created.status_code == 201
        for _ in range(2):
            assert (await http.get("/pastes?author=ada")).json() == [created.json()]
        assert engines.cache.stats().hits > 0


@TIERS
@pytest.mark.parametrize("way", ["kill", "pause"])
async def test_while_redis_is_away_reads_go_on_and_nothing_is_written(
    redis_server: RedisServer, tiers: list[str], way: str
) -> None:
    chosen = options("--redis", redis_server.url, *tiers)
    async with open_engines(chosen) as engines, client(service_on(engines)) as http:
        created = await http.post("/pastes", json=GREETING)
        path, paste = created.headers["location"], created.json()
        assert (await http.get(path)).json() == paste
        away, back = {"kill": ("kill", "start"), "pause": ("pause", "resume")}[way]
        await asyncio.to_thread(getattr(redis_server, away))
        headers = {"X-Request-ID": "1"}
        draft = GREETING | {"author": "bob"}
        for refused in await asyncio.gather(
            http.put(path, json=draft, headers=headers),
            http.delete(path, headers=headers),
            http.post("/pastes", json=draft, headers=headers),
        ):
            assert_refused(refused, "NOT_WRITTEN")
        found, listed, missed = await asyncio.gather(
            http.get(path), http.get("/pastes?author=ada"), http.get("/pastes/7f")
        )
        assert (found.json(), listed.json(), missed.status_code) == (paste, [paste], 404)
        await asyncio.to_thread(getattr(redis_server, back))
        edited = await http.put(path, json=draft)
        assert edited.status_code == 200
        assert (await http.get(path)).json() == edited.json()
        assert (await http.get("/pastes?author=ada")).json() == []


@TIERS
async def test_while_redis_is_full_it_is_as_if_it_were_away(redis_server: RedisServer, tiers: list[str]) -> None:
    chosen = options("--redis", redis_server.url, *tiers)
    async with open_engines(chosen) as engines, client(service_on(engines)) as http:
        created = await http.post("/pastes", json=GREETING)
        path, paste = created.headers["location"], created.json()
        await asyncio.to_thread(redis_server.call, "CONFIG", "SET", "maxmemory", "1")
        assert_refused(await http.put(path, json=GREETING, headers={"X-Request-ID": "1"}), "NOT_WRITTEN")
        assert (await http.get(path)).json() == paste
        assert (await http.get("/pastes?author=ada")).json() == [paste]
        assert (await http.get("/pastes/7f")).status_code == 404
        await asyncio.to_thread(redis_server.call, "CONFIG", "SET", "maxmemory", "0")
        assert (await http.delete(path)).status_code == 204
        assert (await http.get(path)).status_code == 404


async def test_what_is_kept_of_another_form_is_a_bug_and_told(redis_url: str) -> None:
    async with open_engines(options("--redis", redis_url)) as engines:
        await engines.cache.set("paste:7f", ())
        with pytest.raises(CacheTypeError):
            await service_on(engines).get("7f")


def assert_refused(response: httpx.Response, error_code: str) -> None:
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"], problem["title"]) == (503, 503, "Service Unavailable")
    assert (problem["error_code"], problem["correlation_id"]) == (error_code, "1")
    assert "127.0.0.1" not in response.text


class Dying(SqlitePasteRepository):
    """Pastes that are written, and at that moment Redis dies."""

    def prepare(self, redis: RedisServer) -> None:
        self.redis = redis
        self.is_dead, self.may_return = asyncio.Event(), asyncio.Event()

    async def replace(self, paste: Paste, author: str) -> bool:
        replaced = await super().replace(paste, author)
        await asyncio.to_thread(self.redis.kill)
        self.is_dead.set()
        await self.may_return.wait()
        return replaced


@asynccontextmanager
async def dying(redis: RedisServer, tiers: list[str]) -> AsyncGenerator[tuple[Dying, PasteService]]:
    chosen = options("--redis", redis.url, *tiers)
    async with open_engines(chosen) as engines, Dying.open() as pastes:
        pastes.prepare(redis)
        yield pastes, PasteService(pastes, engines.cache, SystemClock())


@TIERS
async def test_a_write_that_readers_may_not_see_is_told(
    redis_server: RedisServer, tiers: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with dying(redis_server, tiers) as (pastes, service), client(service) as http:
        path = (await http.post("/pastes", json=GREETING)).headers["location"]
        pastes.may_return.set()
        draft = GREETING | {"content": "bye"}
        assert_refused(await http.put(path, json=draft, headers={"X-Request-ID": "1"}), "WRITE_UNSEEN")
        [record] = [record for record in caplog.records if record.name == "pastebin"]
        assert record.levelno == logging.WARNING
        assert record.getMessage().startswith("A write failed, WRITE_UNSEEN: The cache engine did not answer")
        assert "correlation_id='1'" in record.getMessage()
        assert [paste.content for paste in await pastes.get_all()] == ["bye"]
        assert (await http.get(path)).json()["content"] == "bye"


@TIERS
async def test_a_cancelled_write_stays_cancelled(
    redis_server: RedisServer, tiers: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with dying(redis_server, tiers) as (pastes, service):
        paste = (await service.create(Draft("title", "content", "ada"))).unwrap()
        edit = asyncio.create_task(service.update(paste.id, Draft("title", "other", "ada")))
        await pastes.is_dead.wait()
        edit.cancel()
        await asyncio.wait([edit])
        assert edit.cancelled()
        assert "What the cache holds may be behind the database" in caplog.text


async def test_the_core_raises_what_the_edge_tells(redis_server: RedisServer) -> None:
    await asyncio.to_thread(redis_server.stop)
    async with open_engines(options("--redis", redis_server.url)) as engines:
        with pytest.raises(NotWrittenError) as caught:
            await service_on(engines).create(Draft("title", "content", "ada"))
        assert isinstance(caught.value.__cause__, ConnectionError)


@TIERS
def test_the_command_serves_while_redis_is_away(
    start_server: StartServer, redis_server: RedisServer, tiers: list[str]
) -> None:
    process, url = start_server("--redis", redis_server.url, *tiers)
    created = ask("POST", f"{url}/pastes", json=GREETING)
    redis_server.kill()
    assert ask("GET", url + created.headers["location"]).json() == created.json()
    assert ask("POST", f"{url}/pastes", json=GREETING).json()["error_code"] == "NOT_WRITTEN"
    redis_server.start()
    assert ask("DELETE", url + created.headers["location"]).status_code == 204
    assert ask("GET", url + created.headers["location"]).status_code == 404
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert process.stdout is not None
    assert "NOT_WRITTEN" in process.stdout.read()
