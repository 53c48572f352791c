import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from uuid import uuid4

import httpx
import pytest

from infra_cache import InMemoryCacheProvider
from infra_protocols import SystemClock
from pastebin.app import create_app
from pastebin.body import MAX_BODY
from pastebin.paste import MAX_CONTENT, Paste
from pastebin.service import PasteService, Read
from pastebin.sqlite import SqlitePasteRepository

GREETING = {"title": "Greeting", "content": "hello", "author": "ada"}


async def test_a_paste_is_created_fetched_edited_and_deleted(http: httpx.AsyncClient) -> None:
    created = await http.post("/pastes", json=GREETING)
    assert created.status_code == 201
    paste = created.json()
    assert created.headers["location"] == f"/pastes/{paste['id']}"
    assert {name: paste[name] for name in GREETING} == GREETING
    assert datetime.fromisoformat(paste["created_at"]).tzinfo is not None
    assert set(paste) == {"id", "title", "content", "author", "created_at", "updated_at"}

    fetched = await http.get(created.headers["location"])
    assert (fetched.status_code, fetched.json()) == (200, paste)
    assert fetched.headers["content-type"] == "application/json"

    edited = await http.put(f"/pastes/{paste['id']}", json=GREETING | {"content": "bye"})
    assert (edited.status_code, edited.json()["content"]) == (200, "bye")
    assert edited.json()["created_at"] == paste["created_at"]
    assert (await http.get(f"/pastes/{paste['id']}")).json() == edited.json()

    deleted = await http.delete(f"/pastes/{paste['id']}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await http.get(f"/pastes/{paste['id']}")).status_code == 404


async def test_pastes_are_listed_by_author_and_altogether(http: httpx.AsyncClient) -> None:
    async def titles(query: str) -> list[str]:
        response = await http.get(f"/pastes{query}")
        assert response.status_code == 200
        return [paste["title"] for paste in response.json()]

    assert await titles("") == []
    for title, author in [("1", "ada"), ("2", "bob & co"), ("3", "ada")]:
        await http.post("/pastes", json={"title": title, "content": "", "author": author})
    assert await titles("?author=ada") == ["3", "1"]
    assert await titles("?author=bob+%26+co") == ["2"]
    assert await titles("?author=eve") == []
    assert await titles("?author=ada&limit=1") == ["3"]
    assert await titles("") == ["3", "2", "1"]
    assert await titles("?limit=2") == ["3", "2"]


async def test_head_is_get_without_a_body(http: httpx.AsyncClient) -> None:
    location = (await http.post("/pastes", json=GREETING)).headers["location"]
    head = await http.head(location)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == (await http.get(location)).headers["content-length"]


async def test_a_charset_on_the_media_type_is_fine(http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    body = b'{"title": "t", "content": "\xc3\xa9", "author": "ada"}'
    assert (await http.post("/pastes", content=body, headers=headers)).json()["content"] == "é"


async def test_the_largest_content_fits_however_it_is_escaped(http: httpx.AsyncClient) -> None:
    body = b'{"title": "t", "author": "ada", "content": "' + rb"\u00e9" * (MAX_CONTENT // 2) + b'"}'
    response = await http.post("/pastes", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, len(response.json()["content"])) == (201, MAX_CONTENT // 2)


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "content", "headers", "status", "error_code", "field"),
    [
        ("POST", "/pastes", b"{", JSON, 400, "MALFORMED_BODY", None),
        ("POST", "/pastes", b"", JSON, 400, "MALFORMED_BODY", None),
        ("POST", "/pastes", b"\xff", JSON, 400, "MALFORMED_BODY", None),
        ("POST", "/pastes", b'{"title": NaN}', JSON, 400, "MALFORMED_BODY", None),
        ("POST", "/pastes", b"[" * 100_000, JSON, 400, "MALFORMED_BODY", None),
        ("POST", "/pastes", b"1" * 5_000, JSON, 400, "MALFORMED_BODY", None),
        ("PUT", "/pastes/7f", b"{", JSON, 400, "MALFORMED_BODY", None),
        ("POST", "/pastes", b"{}", {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE", None),
        ("POST", "/pastes", b"{}", {}, 415, "UNSUPPORTED_MEDIA_TYPE", None),
        ("POST", "/pastes", b"[]", JSON, 422, "VALIDATION_ERROR", "body"),
        ("POST", "/pastes", b"{}", JSON, 422, "VALIDATION_ERROR", "title"),
        ("POST", "/pastes", b'{"title": "t"}', JSON, 422, "VALIDATION_ERROR", "content"),
        (
            "POST",
            "/pastes",
            rb'{"title": "t", "content": "\ud800", "author": "a"}',
            JSON,
            422,
            "VALIDATION_ERROR",
            "content",
        ),
        ("PUT", "/pastes/7f", b"{}", JSON, 422, "VALIDATION_ERROR", "title"),
        (
            "PUT",
            "/pastes/7f",
            b'{"title": "t", "content": "", "author": "a"}',
            JSON,
            404,
            "ENTITY_NOT_FOUND",
            None,
        ),
        ("GET", "/pastes?author=", b"", {}, 422, "VALIDATION_ERROR", "author"),
        ("GET", "/pastes?author=%20", b"", {}, 422, "VALIDATION_ERROR", "author"),
        ("GET", "/pastes?limit=0", b"", {}, 422, "VALIDATION_ERROR", "limit"),
        ("GET", "/pastes?limit=many", b"", {}, 422, "VALIDATION_ERROR", "limit"),
        ("GET", "/pastes?author=ada&limit=1001", b"", {}, 422, "VALIDATION_ERROR", "limit"),
        ("GET", "/pastes/7f", b"", {}, 404, "ENTITY_NOT_FOUND", None),
        ("GET", "/pastes/%20", b"", {}, 404, "ENTITY_NOT_FOUND", None),
        ("GET", "/pastes/%ff%00", b"", {}, 404, "ENTITY_NOT_FOUND", None),
        ("DELETE", "/pastes/7f", b"", {}, 404, "ENTITY_NOT_FOUND", None),
        ("GET", "/", b"", {}, 404, "ROUTE_NOT_FOUND", None),
        ("GET", "/pastes/", b"", {}, 404, "ROUTE_NOT_FOUND", None),
        ("GET", "/pastes/7f/more", b"", {}, 404, "ROUTE_NOT_FOUND", None),
        ("DELETE", "/pastes", b"", {}, 405, "METHOD_NOT_ALLOWED", None),
        ("POST", "/pastes/7f", b"{}", JSON, 405, "METHOD_NOT_ALLOWED", None),
        ("BREW", "/pastes", b"", {}, 405, "METHOD_NOT_ALLOWED", None),
    ],
)
async def test_every_refusal_is_a_problem(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    content: bytes,
    headers: dict[str, str],
    status: int,
    error_code: str,
    field: str | None,
) -> None:
    request_id = uuid4().hex
    headers = headers | {"X-Request-ID": request_id}
    response = await http.request(method, path, content=content, headers=headers)
    assert_problem(response, status, error_code, request_id)
    assert response.json().get("field") == field


def assert_problem(response: httpx.Response, status: int, error_code: str, request_id: str) -> None:
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == request_id
    assert (response.status_code, problem["status"]) == (status, status)
    assert problem["error_code"] == error_code
    assert problem["correlation_id"] == request_id
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/pastes", "GET, HEAD, POST"), ("POST", "/pastes/7f", "DELETE, GET, HEAD, PUT")],
)
async def test_a_wrong_method_is_told_the_right_ones(
    http: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    assert (await http.request(method, path)).headers["allow"] == allowed


async def test_too_large_a_content_is_a_problem(http: httpx.AsyncClient) -> None:
    draft = GREETING | {"content": "x" * (MAX_CONTENT + 1)}
    response = await http.post("/pastes", json=draft, headers={"X-Request-ID": "1"})
    assert_problem(response, 413, "CONTENT_TOO_LARGE", "1")
    assert response.json()["field"] == "content"


async def test_a_body_is_read_only_up_to_its_bound(http: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 1024 * 1024

    response = await http.post("/pastes", content=endless(), headers=JSON | {"X-Request-ID": "1"})
    assert_problem(response, 413, "BODY_TOO_LARGE", "1")
    assert sent == MAX_BODY // (1024 * 1024) + 1


async def test_an_unexpected_exception_is_a_problem_that_tells_nothing_of_the_inside() -> None:
    class Broken(SqlitePasteRepository):
        async def get(self, id: str) -> Paste | None:
            raise RuntimeError("the password is swordfish")

    async with Broken.open() as pastes:
        service = PasteService(pastes, InMemoryCacheProvider[Read](max_size=10), SystemClock())
        transport = httpx.ASGITransport(create_app(service), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://pastebin") as http:
            response = await http.get("/pastes/7f", headers={"X-Request-ID": "1"})
    assert_problem(response, 500, "INTERNAL_ERROR", "1")
    assert "swordfish" not in response.text
    assert "RuntimeError" not in response.text


@pytest.mark.parametrize("given", ["a", "01J-xyz_7.8:9=+/", "x" * 128])
async def test_a_sane_request_id_is_kept(http: httpx.AsyncClient, given: str) -> None:
    response = await http.get("/pastes", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "é", "<script>", 'quo"te', "a,b"])
async def test_another_request_id_is_replaced(http: httpx.AsyncClient, given: str) -> None:
    response = await http.get("/pastes/7f", headers={b"X-Request-ID": given.encode()})
    made = response.headers["x-request-id"]
    assert len(made) == 32
    assert response.json()["correlation_id"] == made


async def test_requests_without_an_id_get_one_each(http: httpx.AsyncClient) -> None:
    ids = {(await http.get("/pastes")).headers["x-request-id"] for _ in range(10)}
    assert len(ids) == 10


async def test_whoever_waits_for_one_load_is_told_their_own_id(http: httpx.AsyncClient) -> None:
    ids = [f"request-{number}" for number in range(5)]
    responses = await asyncio.gather(
        *(http.get("/pastes/7f", headers={"X-Request-ID": request_id}) for request_id in ids)
    )
    assert [response.json()["correlation_id"] for response in responses] == ids
