"""The `pastebin-client` command: sends a folder of texts to a paste service and verifies what comes back."""

import argparse
import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra_result import Err, Ok
from pastebin.folder import MismatchError, NotTextError, Outcome, files_in, round_trip
from pastebin.messages import PastebinMessages
from pastebin.remote import RemotePastebin


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default those of the process, and return its exit code."""
    options = _parser().parse_args(arguments)
    files = files_in(options.folder)
    started = time.monotonic()
    try:
        outcomes = asyncio.run(_send(options, files))
    except KeyboardInterrupt:
        return 130
    return _summarise(files, outcomes, time.monotonic() - started)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pastebin-client",
        description="Post every text file of a folder to a pastebin, fetch each back and compare the bytes.",
        epilog="The exit code is 0 when every text file came back as it was sent.",
    )
    parser.add_argument("folder", metavar="FOLDER", type=_folder, help="folder to send, with the folders below it")
    parser.add_argument(
        "--url",
        type=_url,
        default="http://127.0.0.1:8000",
        help="where the service is (default: %(default)s)",
    )
    parser.add_argument("--author", default="pastebin-client", help="author of the pastes (default: %(default)s)")
    parser.add_argument(
        "--concurrency", type=_count, default=8, help="files under way at a time (default: %(default)s)"
    )
    return parser


async def _send(options: argparse.Namespace, files: list[Path]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    progress = Progress(
        TextColumn("sending and comparing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    bar = progress.add_task("files", total=len(files))

    def report(outcome: Outcome) -> None:
        outcomes.append(outcome)
        progress.advance(bar)

    with progress:
        async with RemotePastebin(options.url) as pastebin:
            await round_trip(pastebin, options.folder, files, options.author, options.concurrency, report)
    return outcomes


def _summarise(files: list[Path], outcomes: list[Outcome], seconds: float) -> int:
    sizes: list[int] = []
    skipped: list[str] = []
    mismatches: list[str] = []
    failures: list[str] = []
    for outcome in sorted(outcomes, key=lambda outcome: outcome.name):
        match outcome.result:
            case Ok(size):
                sizes.append(size)
            case Err(NotTextError() as error):
                skipped.append(f"skipped {outcome.name}: {error.message}")
            case Err(MismatchError() as error):
                mismatches.append(f"mismatch {outcome.name}: {error.message}")
            case Err(error):
                failures.append(f"failed {outcome.name}: {error.message}")
    not_tried = len(files) - len(outcomes)
    console = Console(markup=False, highlight=False, soft_wrap=True)
    for line in skipped + mismatches + failures:
        console.print(line)
    for label, count in [
        ("files", len(sizes)),
        ("bytes", sum(sizes)),
        ("seconds", f"{seconds:.2f}"),
        ("mismatches", len(mismatches)),
        ("failures", len(failures)),
        ("skipped", len(skipped)),
        ("not tried", not_tried),
    ]:
        console.print(f"{label:<11}{count}")
    return 1 if mismatches or failures or not_tried else 0


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(PastebinMessages.NOT_A_FOLDER.format(path=text))
    return path


def _url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise argparse.ArgumentTypeError(PastebinMessages.NOT_A_URL.format(value=text))
    return text


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(PastebinMessages.NOT_A_COUNT.format(value=text))
    return int(text)
