import argparse
from pathlib import Path

import pytest

from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_protocols import CacheKey, CacheProvider, SystemClock
from infra_result import Ok
from pastebin.engines import CACHE_SIZE, add_engine_options, check_engine_options, open_engines
from pastebin.paste import Draft, Paste
from pastebin.postgres import PostgresPasteRepository
from pastebin.repository import PasteRepository
from pastebin.server import main
from pastebin.service import PasteService
from pastebin.shared import SharedReads

TIERS = pytest.mark.parametrize("tiers", [[], ["--redis"], ["--tiered", "--redis"]], ids=["memory", "redis", "tiered"])


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_engine_options(parser)
    chosen = parser.parse_args(arguments)
    check_engine_options(parser, chosen)
    return chosen


@TIERS
async def test_the_service_knows_its_engines_by_their_ports_alone(redis_url: str, tiers: list[str]) -> None:
    async with open_engines(options(*tiers, *([redis_url] if tiers else []))) as engines:
        assert isinstance(engines.pastes, PasteRepository)
        assert isinstance(engines.cache, CacheProvider)
        assert type(engines.cache) is {0: InMemoryCacheProvider, 1: SharedReads, 2: TieredCacheProvider}[len(tiers)]


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_file_keeps_the_pastes_and_memory_does_not(tmp_path: Path, keeps: bool) -> None:
    chosen = options("--database", str(tmp_path / "pastes.db")) if keeps else options()
    async with open_engines(chosen) as engines:
        service = PasteService(engines.pastes, engines.cache, SystemClock())
        paste = (await service.create(Draft("title", "content", "ada"))).unwrap()
    async with open_engines(chosen) as engines:
        assert await engines.pastes.get_all() == ([paste] if keeps else [])


async def test_postgres_keeps_the_pastes(postgres_database: str) -> None:
    chosen = options("--postgres", postgres_database)
    async with open_engines(chosen) as engines:
        assert isinstance(engines.pastes, PostgresPasteRepository)
        service = PasteService(engines.pastes, engines.cache, SystemClock())
        paste = (await service.create(Draft("title", "content", "ada"))).unwrap()
    async with open_engines(chosen) as engines:
        assert await engines.pastes.get_all() == [paste]


async def test_the_cache_is_bounded_in_bytes() -> None:
    async with open_engines(options()) as engines:
        service = PasteService(engines.pastes, engines.cache, SystemClock())
        megabyte = "x" * 1024 * 1024
        drafts = [Draft("title", megabyte, "ada")] * (CACHE_SIZE // len(megabyte) + 5)
        pastes = [(await service.create(draft)).unwrap() for draft in drafts]
        for paste in pastes:
            await service.get(paste.id)
        assert engines.cache.stats().evictions >= 5
        # The list of them all is larger than the cache: it is served, and not kept.
        assert await service.by_author("ada") == Ok(tuple(reversed(pastes)))
        assert await engines.cache.get("author:1000:ada") is None
        assert await engines.cache.get(CacheKey(f"paste:{pastes[-1].id}", Paste)) == pastes[-1]


@TIERS
async def test_what_is_kept_is_forgotten_after_a_while(redis_url: str, tiers: list[str]) -> None:
    async with open_engines(options(*tiers, *([redis_url] if tiers else []))) as engines:
        service = PasteService(engines.pastes, engines.cache, SystemClock())
        paste = (await service.create(Draft("title", "content", "ada"))).unwrap()
        assert await service.get(paste.id) == Ok(paste)
        entry = await engines.cache.get_entry(CacheKey(f"paste:{paste.id}", Paste))
        assert entry is not None
        assert entry.ttl == 300


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tiered"], "--tiered needs --redis"),
        (["--database", "pastes.db", "--postgres", "postgresql:///"], "--database and --postgres do not go together"),
        (["--nats", "nats://a", "--rabbitmq", "amqp://b"], "--nats and --rabbitmq do not go together"),
        (["--postgres", ""], "not a postgresql:// address"),
        (["--postgres", "mysql://ada:swordfish@127.0.0.1"], "not a postgresql:// address"),
        (["--postgres", "postgresql://ada:sword%fish@127.0.0.1"], "not a postgresql:// address"),
        (["--redis"], "expected one argument"),
        (["--redis", ""], "not a redis://, rediss:// or unix:// address"),
        (["--redis", "127.0.0.1:6379"], "not a redis://, rediss:// or unix:// address"),
        (["--redis", "http://:swordfish@127.0.0.1"], "not a redis://, rediss:// or unix:// address"),
        (["--redis", "redis://:sword/fish@127.0.0.1"], "not a redis://, rediss:// or unix:// address"),
        (["--redis", "redis://127.0.0.1:6379?db=first"], "not a redis://, rediss:// or unix:// address"),
    ],
)
def test_options_that_make_no_sense_are_told(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert (told in output.err, "sword" in output.err, output.out) == (True, False, "")
