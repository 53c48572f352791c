"""Logging in, refreshing, logging out, and who may write what; in memory and in Redis alike."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from infra_auth import InMemoryTokenStore
from infra_auth.redis import RedisTokenStore
from infra_cache import InMemoryCacheProvider
from infra_conformance.servers import RedisServer
from infra_protocols import SystemClock
from pastebin.accounts import Account, Accounts
from pastebin.app import create_app
from pastebin.service import PasteService, Read
from pastebin.sessions import Sessions
from pastebin.sqlite import SqlitePasteRepository

ACCOUNTS = Accounts(
    [Account.of("ada", "lovelace"), Account.of("bob", "s3cret"), Account.of("root", "toor", admin=True)]
)
PASTE = {"title": "Greeting", "content": "hello", "author": "ada"}


async def client_of(tokens: Any, stack: AsyncExitStack) -> httpx.AsyncClient:
    pastes = await stack.enter_async_context(SqlitePasteRepository.open())
    service = PasteService(pastes, InMemoryCacheProvider[Read](max_size=100), SystemClock())
    app = create_app(service, Sessions(ACCOUNTS, tokens, SystemClock()))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://pastebin"))


@pytest.fixture(params=["memory", "redis"])
async def client(request: pytest.FixtureRequest) -> AsyncGenerator[httpx.AsyncClient]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            tokens: Any = InMemoryTokenStore()
        else:
            url = request.getfixturevalue("redis_url")
            tokens = await stack.enter_async_context(RedisTokenStore.from_url(url, uuid4().hex, timeout=30))
        yield await client_of(tokens, stack)


async def log_in(client: httpx.AsyncClient, name: str = "ada", password: str = "lovelace") -> dict[str, Any]:
    answer = await client.post("/session", json={"name": name, "password": password})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def test_who_has_logged_in_writes_what_is_theirs(client: httpx.AsyncClient) -> None:
    ada, bob, root = await log_in(client), await log_in(client, "bob", "s3cret"), await log_in(client, "root", "toor")
    created = await client.post("/pastes", json=PASTE, headers=bearer(ada))
    assert created.status_code == 201
    path = created.headers["location"]
    assert (await client.get(path)).status_code == 200
    for tokens, draft in ((bob, PASTE), (bob, PASTE | {"author": "bob"})):
        refused = await client.put(path, json=draft, headers=bearer(tokens))
        assert (refused.status_code, refused.json()["error_code"]) == (403, "FORBIDDEN")
    assert (await client.delete(path, headers=bearer(bob))).status_code == 403
    assert (await client.put(path, json=PASTE | {"content": "bye"}, headers=bearer(ada))).status_code == 200
    assert (await client.delete(path, headers=bearer(root))).status_code == 204


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Basic YWRhOmxvdmVsYWNl", "Bearer "])
async def test_nobody_writes_without_a_token(client: httpx.AsyncClient, header: str) -> None:
    refused = await client.post("/pastes", json=PASTE, headers={"Authorization": header})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("body", [{"name": "ada", "password": "byron"}, {"name": "eve", "password": "lovelace"}])
async def test_a_wrong_password_tells_nothing(client: httpx.AsyncClient, body: dict[str, str]) -> None:
    refused = await client.post("/session", json=body)
    assert (refused.status_code, refused.json()["detail"]) == (401, "Name or password is wrong")


async def test_a_body_must_have_what_is_asked_for(client: httpx.AsyncClient) -> None:
    bodies: list[tuple[str, Any]] = [("/session", {}), ("/session", []), ("/session/refresh", {"refresh_token": 7})]
    for path, body in bodies:
        assert (await client.post(path, json=body)).status_code == 422


async def test_a_refresh_token_is_good_for_one_successor(client: httpx.AsyncClient) -> None:
    first = await log_in(client)
    body = {"refresh_token": first["refresh_token"]}
    answers = await asyncio.gather(*(client.post("/session/refresh", json=body) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert (await client.post("/pastes", json=PASTE, headers=bearer(answers[0].json()))).status_code == 201
    assert (await client.post("/session/refresh", json={"refresh_token": "made up"})).status_code == 401


async def test_to_log_out_ends_all_of_the_session_at_once(client: httpx.AsyncClient) -> None:
    first, other = await log_in(client), await log_in(client)
    second = (await client.post("/session/refresh", json={"refresh_token": first["refresh_token"]})).json()
    assert (await client.delete("/session", headers=bearer(second))).status_code == 204
    for tokens in (first, second):
        refused = await client.post("/pastes", json=PASTE, headers=bearer(tokens))
        assert (refused.status_code, refused.json()["error_code"]) == (401, "TOKEN_REVOKED")
        again = await client.post("/session/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert again.status_code == 401
    assert (await client.post("/pastes", json=PASTE, headers=bearer(other))).status_code == 201


async def test_nobody_is_let_in_while_the_store_is_away(redis_server: RedisServer) -> None:
    async with AsyncExitStack() as stack:
        tokens = await stack.enter_async_context(RedisTokenStore.from_url(redis_server.url, "away", timeout=30))
        client = await client_of(tokens, stack)
        ada = await log_in(client)
        await asyncio.to_thread(redis_server.kill)
        refused = await client.post("/pastes", json=PASTE, headers=bearer(ada))
        assert (refused.status_code, refused.json()["error_code"]) == (503, "TOKEN_STORE_UNAVAILABLE")


def test_accounts_are_kept_as_lines() -> None:
    account = Account.of("ada", "lovelace", admin=True)
    again = Accounts.parse(f"\n{account.line}\n")
    assert again.find("ada") == account
    assert again.find("bob") is None


def test_the_server_takes_accounts(start_server: Any, tmp_path: Path) -> None:
    file = tmp_path / "accounts"
    file.write_text(Account.of("ada", "lovelace").line)
    _, url = start_server("--accounts", str(file))
    assert httpx.post(f"{url}/pastes", json=PASTE).status_code == 401
    tokens = httpx.post(f"{url}/session", json={"name": "ada", "password": "lovelace"}).json()
    assert httpx.post(f"{url}/pastes", json=PASTE, headers=bearer(tokens)).status_code == 201
