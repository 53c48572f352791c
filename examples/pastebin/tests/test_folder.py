import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from infra_cache import InMemoryCacheProvider
from infra_protocols import SystemClock
from infra_result import Err, Ok
from pastebin.app import create_app
from pastebin.folder import MismatchError, NotTextError, Outcome, UnreadableFileError, files_in, round_trip
from pastebin.paste import MAX_CONTENT, Paste
from pastebin.remote import RefusedError, RemotePastebin, UnreachableError, UnreadableAnswerError
from pastebin.service import PasteService, Read
from pastebin.sqlite import SqlitePasteRepository


async def outcomes_of(folder: Path, transport: httpx.AsyncBaseTransport, concurrency: int = 3) -> dict[str, Outcome]:
    outcomes: list[Outcome] = []
    async with RemotePastebin("http://pastebin", transport) as pastebin:
        await round_trip(pastebin, folder, files_in(folder), "ada", concurrency, outcomes.append)
    return {outcome.name: outcome for outcome in outcomes}


@pytest.fixture
def transport(service: PasteService) -> httpx.ASGITransport:
    return httpx.ASGITransport(create_app(service))


def answering(respond: Callable[[httpx.Request], httpx.Response]) -> httpx.MockTransport:
    return httpx.MockTransport(respond)


async def test_texts_of_all_sorts_make_the_round_trip(
    tmp_path: Path, transport: httpx.ASGITransport, service: PasteService
) -> None:
    files = {
        "b/c.txt": b"one\r\ntwo\rthree\n",
        "b/a.txt": b"\xef\xbb\xbfwith a byte order mark",
        "empty": b"",
        "nul": b"\0",
        "é [bold].md": "\N{GRINNING FACE} \u2028 \x85 \x0c".encode(),
        "json": rb'{"escaped": "\ud83d\ude00 \\"}',
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    outcomes = await outcomes_of(tmp_path, transport)
    assert {name: outcome.result for name, outcome in outcomes.items()} == {
        name: Ok(len(content)) for name, content in files.items()
    }
    kept = (await service.by_author("ada")).unwrap()
    assert {paste.title: paste.content.encode() for paste in kept} == files


async def test_what_is_no_text_is_not_sent(
    tmp_path: Path, transport: httpx.ASGITransport, service: PasteService
) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "latin-1.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / "surrogate.txt").write_bytes(b"\xed\xa0\x80")
    outcomes = await outcomes_of(tmp_path, transport)
    assert {type(outcome.result.err()) for outcome in outcomes.values()} == {NotTextError}
    assert await service.newest() == Ok(())


async def test_a_name_that_is_not_utf_8_has_a_title_all_the_same(
    tmp_path: Path, transport: httpx.ASGITransport
) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"hello")
    assert (await outcomes_of(tmp_path, transport))["caf\ufffd.txt"].result == Ok(5)


async def test_a_refusal_is_told_with_its_detail(tmp_path: Path, transport: httpx.ASGITransport) -> None:
    (tmp_path / "large.txt").write_bytes(b"x" * (MAX_CONTENT + 1))
    error = (await outcomes_of(tmp_path, transport))["large.txt"].result.err()
    assert isinstance(error, RefusedError)
    assert error.message.startswith("The service answered 413: content must not be larger than")


async def test_a_paste_that_comes_back_different_is_a_mismatch(tmp_path: Path) -> None:
    class Careless(SqlitePasteRepository):
        async def get(self, id: str) -> Paste | None:
            paste = await super().get(id)
            return paste and replace(paste, content=paste.content.replace("\r\n", "\n"))

    (tmp_path / "unix.txt").write_bytes(b"one\ntwo\n")
    (tmp_path / "windows.txt").write_bytes(b"one\r\ntwo\r\n")
    async with Careless.open() as pastes:
        service = PasteService(pastes, InMemoryCacheProvider[Read](max_size=10), SystemClock())
        outcomes = await outcomes_of(tmp_path, httpx.ASGITransport(create_app(service)))
    assert outcomes["unix.txt"].result == Ok(8)
    error = outcomes["windows.txt"].result.err()
    assert isinstance(error, MismatchError)
    assert error.message.endswith("came back different: 10 bytes sent, 8 received")


async def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, transport: httpx.ASGITransport) -> None:
    (tmp_path / "gone.txt").write_text("hello")
    outcomes: list[Outcome] = []
    async with RemotePastebin("http://pastebin", transport) as pastebin:
        files = files_in(tmp_path)
        (tmp_path / "gone.txt").unlink()
        await round_trip(pastebin, tmp_path, files, "ada", 1, outcomes.append)
    [outcome] = outcomes
    error = outcome.result.err()
    assert isinstance(error, UnreadableFileError)
    assert error.message == "Cannot read it: No such file or directory"


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(201, text="<html>"),
        httpx.Response(201, json=["id"]),
        httpx.Response(201, json={"title": "no id"}),
        httpx.Response(201, json={"id": 7}),
    ],
)
async def test_an_answer_that_is_no_paste_is_told(tmp_path: Path, response: httpx.Response) -> None:
    (tmp_path / "a.txt").write_text("hello")
    outcomes = await outcomes_of(tmp_path, answering(lambda _: response))
    assert isinstance(outcomes["a.txt"].result.err(), UnreadableAnswerError)


@pytest.mark.parametrize("response", [httpx.Response(502, text="<html>"), httpx.Response(502, json={})])
async def test_a_refusal_without_a_problem_is_told_by_its_status(tmp_path: Path, response: httpx.Response) -> None:
    (tmp_path / "a.txt").write_text("hello")
    error = (await outcomes_of(tmp_path, answering(lambda _: response)))["a.txt"].result.err()
    assert isinstance(error, RefusedError)
    assert error.message == "The service answered 502: Bad Gateway"


async def test_without_an_answer_the_remaining_files_are_not_tried(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text("hello")
    asked: list[str] = []

    def silent(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        raise httpx.ConnectTimeout("")

    outcomes = await outcomes_of(tmp_path, answering(silent), concurrency=3)
    assert 1 <= len(outcomes) <= 3
    assert len(asked) == len(outcomes)
    for outcome in outcomes.values():
        assert isinstance(outcome.result, Err)
        assert isinstance(outcome.result.error, UnreachableError)
        assert outcome.result.error.message == "No answer from http://pastebin: ConnectTimeout"


async def test_at_most_so_many_files_are_under_way_at_a_time(tmp_path: Path, service: PasteService) -> None:
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text("hello")
    app, under_way, most = httpx.ASGITransport(create_app(service)), 0, 0

    class Counting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            try:
                return await app.handle_async_request(request)
            finally:
                under_way -= 1

    outcomes = await outcomes_of(tmp_path, Counting(), concurrency=4)
    assert len(outcomes) == 20
    assert most == 4


def test_files_are_found_below_and_in_order(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", "c", ".hidden/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    names = [path.relative_to(tmp_path).as_posix() for path in files_in(tmp_path)]
    assert names == [".hidden/x", "a", "b/1", "b/2", "c"]
