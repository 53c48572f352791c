"""The probes, in process and served, with a database and a Redis that fail."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra_cache import InMemoryCacheProvider
from infra_conformance.servers import RedisServer
from infra_protocols import SystemClock
from pastebin.app import create_app
from pastebin.health import create_health
from pastebin.service import PasteService, Read
from pastebin.sqlite import SqlitePasteRepository

PROBES = ("/livez", "/readyz", "/startupz")


def get(url: str) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.get(url)


def checks(answer: httpx.Response) -> dict[str, str]:
    return {name.partition(":")[0]: found["status"] for name, (found,) in answer.json()["checks"].items()}


def test_it_is_served(start_server: Callable[..., Any]) -> None:
    _, url = start_server()
    for path in PROBES:
        answer = get(url + path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/health+json")
        assert answer.json()["status"] == "pass"
    assert checks(get(f"{url}/readyz?verbose")) == {"database": "pass", "cache": "pass"}
    assert "pastebin" in get(f"{url}/health").text
    assert get(f"{url}/healthy").headers["content-type"] == "application/problem+json"


def test_without_its_redis_it_is_degraded(
    start_server: Callable[..., Any], redis_server: RedisServer, tmp_path: Path
) -> None:
    _, url = start_server("--database", str(tmp_path / "pastes.db"), "--redis", redis_server.url)
    assert get(f"{url}/readyz").json()["status"] == "pass"
    redis_server.kill()
    answer = get(f"{url}/readyz?verbose")
    while answer.json()["status"] == "pass":  # what was found before is told for a second
        answer = get(f"{url}/readyz?verbose")
    assert answer.status_code == 200
    assert checks(answer) == {"database": "pass", "cache": "fail"}


async def test_without_its_database_it_is_down_and_lives() -> None:
    async with SqlitePasteRepository.open() as pastes:
        cache = InMemoryCacheProvider[Read](max_size=100)
        app = create_app(PasteService(pastes, cache, SystemClock()), health=create_health(pastes, cache))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pastebin") as client:
        answers = await asyncio.gather(*(client.get(path) for path in PROBES))
        assert [answer.status_code for answer in answers] == [200, 503, 503]
        assert checks(await client.get("/readyz?verbose")) == {"database": "fail", "cache": "pass"}


@pytest.mark.parametrize("path", PROBES)
async def test_without_health_there_are_no_probes(service: PasteService, path: str) -> None:
    transport = httpx.ASGITransport(create_app(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://pastebin") as client:
        assert (await client.get(path)).status_code == 404
