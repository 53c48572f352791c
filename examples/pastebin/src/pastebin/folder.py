"""A folder's text files, sent to a paste service and fetched back."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra_protocols import ServiceError
from infra_result import Err, Ok, Result
from pastebin.messages import PastebinMessages
from pastebin.remote import RemotePastebin, UnreachableError


class NotTextError(ServiceError):
    """
    A file is not UTF-8.

    >>> NotTextError.error_code
    'FILE_NOT_TEXT'
    """

    error_code = "FILE_NOT_TEXT"


class UnreadableFileError(ServiceError):
    """
    A file could not be read.

    >>> UnreadableFileError.error_code
    'FILE_UNREADABLE'
    """

    error_code = "FILE_UNREADABLE"


class MismatchError(ServiceError):
    """
    What came back is not what was sent.

    >>> MismatchError.error_code
    'CONTENT_MISMATCH'
    """

    error_code = "CONTENT_MISMATCH"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: how many bytes made the round trip, or why they did not."""

    name: str
    """The path of the file inside the folder."""
    result: Result[int, ServiceError]


def files_in(folder: Path) -> list[Path]:
    """Return every file in `folder` and the folders below it, in the order of their paths."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def round_trip(
    pastebin: RemotePastebin,
    folder: Path,
    files: list[Path],
    author: str,
    concurrency: int,
    report: Callable[[Outcome], object],
) -> None:
    """
    Post each of `files` as a paste of `author`, fetch it back, compare the bytes, and `report` the outcome.

    At most `concurrency` files are under way at a time. When the service cannot be reached, the remaining
    files are not tried and not reported.
    """
    remaining = iter(files)
    reachable = True

    async def work() -> None:
        nonlocal reachable
        for path in remaining:
            result = await _send_and_compare(pastebin, path, _name(path, folder), author)
            report(Outcome(_name(path, folder), result))
            if isinstance(result, Err) and isinstance(result.error, UnreachableError):
                reachable = False
            if not reachable:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())


async def _send_and_compare(pastebin: RemotePastebin, path: Path, title: str, author: str) -> Result[int, ServiceError]:
    try:
        sent = await asyncio.to_thread(path.read_bytes)
        text = sent.decode()
    except UnicodeDecodeError:
        return Err(NotTextError(PastebinMessages.FILE_NOT_TEXT))
    except OSError as error:
        return Err(UnreadableFileError(PastebinMessages.FILE_UNREADABLE.format(reason=error.strerror)))
    posted = await pastebin.post(title, text, author)
    if isinstance(posted, Err):
        return posted
    fetched = await pastebin.content(posted.value)
    return fetched.flat_map(lambda content: _compare(posted.value, sent, content))


def _compare(id: str, sent: bytes, content: str) -> Result[int, MismatchError]:
    received = content.encode("utf-8", "surrogatepass")
    if received != sent:
        message = PastebinMessages.CONTENT_DIFFERS.format(id=id, sent=len(sent), received=len(received))
        return Err(MismatchError(message))
    return Ok(len(sent))


def _name(path: Path, folder: Path) -> str:
    # A file name need not be UTF-8 on POSIX; a title must.
    return os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace")
