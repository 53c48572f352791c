"""The `pastebin-client` command, against a server that runs."""

import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from pastebin.client import main
from pastebin.paste import MAX_CONTENT

REPOSITORY = Path(__file__).parents[3]
CLIENT = Path(sysconfig.get_path("scripts"), "pastebin-client")

type StartServer = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Texts that people have written: the project's own."""
    texts = [*REPOSITORY.glob("packages/*/*.md"), *REPOSITORY.glob("packages/*/LICENSE")]
    for text in texts:
        copy = tmp_path / "texts" / text.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(text, copy)
    assert len(texts) >= 6
    return tmp_path / "texts"


@pytest.mark.parametrize("tiered", [False, True])
def test_a_folder_makes_the_round_trip(start_server: StartServer, folder: Path, redis_url: str, tiered: bool) -> None:
    _, url = start_server(*(["--redis", redis_url, "--tiered"] if tiered else []))
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = subprocess.run([CLIENT, folder, "--url", url], capture_output=True, text=True, timeout=60)
    texts = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".png"]
    assert done.returncode == 0, done.stderr
    assert "skipped picture.png: Not a text in UTF-8" in done.stdout
    summary = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[1:])
    assert summary["files"] == str(len(texts))
    assert summary["bytes"] == str(sum(path.stat().st_size for path in texts))
    assert summary["mismatches"] == summary["failures"] == summary["not tried"] == "0"
    assert summary["skipped"] == "1"
    assert f"{len(texts) + 1}/{len(texts) + 1}" in done.stderr


def test_a_failure_is_told_by_the_exit_code(
    start_server: StartServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, url = start_server()
    (folder / "large [bold].txt").write_bytes(b"x" * (MAX_CONTENT + 1))
    assert main([str(folder), "--url", url, "--author", "ada", "--concurrency", "2"]) == 1
    output = capsys.readouterr().out
    assert "failed large [bold].txt: The service answered 413" in output
    assert "failures   1\n" in output


def test_a_service_that_does_not_answer_is_told(
    start_server: StartServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process, url = start_server()
    process.terminate()
    process.wait(timeout=20)
    assert main([str(folder), "--url", url, "--concurrency", "1"]) == 1
    output = capsys.readouterr().out
    assert f"No answer from {url}: " in output
    assert "files      0\n" in output
    assert "not tried  0\n" not in output


def test_an_empty_folder_is_nothing_to_fail_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert "files      0\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["no such folder"], "no such folder is not a folder"),
        ([".", "--url", "127.0.0.1:8000"], "'127.0.0.1:8000' is not a http:// or https:// address"),
        ([".", "--url", "http://"], "'http://' is not a http:// or https:// address"),
        ([".", "--url", "http://[::1"], "'http://[::1' is not a http:// or https:// address"),
        ([".", "--concurrency", "0"], "'0' is not a whole number above zero"),
        ([".", "--concurrency", "many"], "'many' is not a whole number above zero"),
    ],
)
def test_bad_arguments_are_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err
