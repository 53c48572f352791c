"""What goes over the wire and into the file is compressed where that is worth it."""

import gzip
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from pastebin.body import MAX_BODY
from pastebin.errors import DatabaseError
from pastebin.paste import Paste
from pastebin.sqlite import SqlitePasteRepository

TEXT = "All work and no play makes Jack a dull boy.\n" * 500
DRAFT = {"title": "Novel", "content": TEXT, "author": "jack"}
JSON = {"Content-Type": "application/json"}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_paste(content: str) -> Paste:
    return Paste("1", "Novel", content, "jack", NOON, NOON)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_an_answer_comes_in_the_coding_that_was_asked_for(http: httpx.AsyncClient, coding: str) -> None:
    location = (await http.post("/pastes", json=DRAFT)).headers["location"]
    fetched = await http.get(location, headers={"Accept-Encoding": coding})
    assert (fetched.headers["content-encoding"], fetched.headers["vary"]) == (coding, "Accept-Encoding")
    assert int(fetched.headers["content-length"]) < len(TEXT) // 10
    assert fetched.json()["content"] == TEXT
    plain = await http.get(location, headers={"Accept-Encoding": "identity"})
    assert ("content-encoding" in plain.headers, plain.json()["content"]) == (False, TEXT)


async def test_a_draft_may_be_sent_compressed(http: httpx.AsyncClient) -> None:
    body = gzip.compress(b'{"title": "t", "content": "hello", "author": "ada"}')
    created = await http.post("/pastes", content=body, headers=JSON | {"Content-Encoding": "gzip"})
    assert (created.status_code, created.json()["content"]) == (201, "hello")


@pytest.mark.parametrize(
    ("coding", "body", "status", "error_code"),
    [
        ("gzip", b"garbage", 400, "COMPRESSION_DATA_CORRUPT"),
        ("gzip", gzip.compress(b"{}")[:-1], 400, "COMPRESSION_DATA_CORRUPT"),
        ("gzip", gzip.compress(bytes(MAX_BODY + 1)), 413, "COMPRESSION_OUTPUT_TOO_LARGE"),
        ("lz", b"", 415, "COMPRESSION_ENCODING_UNKNOWN"),
    ],
    ids=["damaged", "cut short", "too large", "unknown"],
)
async def test_a_draft_that_cannot_be_decompressed_is_a_problem(
    http: httpx.AsyncClient, coding: str, body: bytes, status: int, error_code: str
) -> None:
    headers = JSON | {"Content-Encoding": coding, "X-Request-ID": "1"}
    response = await http.post("/pastes", content=body, headers=headers)
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["error_code"]) == (status, error_code)
    assert (response.headers["x-request-id"], response.json()["correlation_id"]) == ("1", "1")


async def test_who_accepts_nothing_is_told_so(http: httpx.AsyncClient) -> None:
    response = await http.get("/pastes", headers={"Accept-Encoding": "*;q=0"})
    assert (response.status_code, response.json()["error_code"]) == (406, "COMPRESSION_NOT_ACCEPTABLE")


async def test_what_is_stored_is_compressed_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "pastes.db"
    async with SqlitePasteRepository.open(path) as pastes:
        await pastes.create(a_paste(TEXT))
        assert await pastes.get("1") == a_paste(TEXT)
        with closing(sqlite3.connect(path)) as connection:
            [(coding, size)] = connection.execute("SELECT coding, length(body) FROM pastes")
        assert coding == "zstd"
        assert size < len(TEXT) // 10
        await pastes.update(a_paste("short"))
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT coding, body FROM pastes").fetchall() == [("identity", b"short")]
        assert await pastes.get_all() == [a_paste("short")]


@pytest.mark.parametrize("body", [b"garbage", b""])
async def test_what_was_damaged_in_the_file_is_an_error_of_the_database(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "pastes.db"
    async with SqlitePasteRepository.open(path) as pastes:
        await pastes.create(a_paste(TEXT))
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE pastes SET body = ?", (body,))
        with pytest.raises(DatabaseError, match="zstd"):
            await pastes.get("1")
