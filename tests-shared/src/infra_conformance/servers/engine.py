"""What is known of an engine: where one is found, and how one is started."""

import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from glob import glob
from pathlib import Path


class EngineMissing(Exception):
    """
    There is no such engine here, and none can be started.

    Args:
        message: what was tried.
        engine: the name of what is missing.
    """

    def __init__(self, message: str, engine: str) -> None:
        super().__init__(message)
        self.engine: str = engine


class EngineSilent(EngineMissing):
    """One was started, and ended or did not answer: the message shows the last of its output."""


def _nothing(port: int, folder: Path) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Engine:
    """
    How an engine is found, and how one is started.

    >>> from infra_conformance.servers import REDIS
    >>> REDIS.url(6379)
    'redis://127.0.0.1:6379/0'
    """

    name: str
    variable: str
    """The environment variable that holds the URL of one to use."""
    port: int
    """The port at which one usually listens."""
    binary: str
    scheme: str
    arguments: Callable[[int, Path], list[str]]
    """The arguments of the binary for a port and a folder of its own, in which it may put files."""
    answers: Callable[[int], bool]
    """Whether one answers at a port of this machine."""
    login: str = ""
    """Who connects, as the URL says it."""
    database: str = "0"
    """What is connected to, as the URL says it."""
    elsewhere: str = ""
    """Where the binary is when it is not on the PATH: a pattern of folders, of which the highest version is taken."""
    runs_as: str | None = None
    """The user to be, where the tests are root's and the engine refuses to be."""
    ends_at: signal.Signals = signal.SIGTERM
    """The signal at which it ends at once, whoever is connected."""
    environment: Callable[[int, Path], dict[str, str]] = _nothing
    """What the binary is told by variables, for a port and a folder of its own."""
    starts_within: float = 20.0
    """How many seconds it may take until it answers."""

    def url(self, port: int) -> str:
        """Return the URL of the one at `port` of this machine."""
        return f"{self.scheme}://{self.login and self.login + '@'}127.0.0.1:{port}/{self.database}"

    def program(self) -> str | None:
        """Return the path of the binary, or `None` if it is not here."""
        found = glob(f"{self.elsewhere}/{self.binary}") if self.elsewhere else []
        return shutil.which(self.binary) or max(found, key=_version, default=None)


def _version(path: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path)]
