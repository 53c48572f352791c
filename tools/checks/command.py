"""Running other programs: the one wrapper around subprocess."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_TAIL = 60


class CommandFailed(Exception):
    """A program ended with another status than 0; the text is its command line and the end of its output."""

    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        lines = output.strip().splitlines()
        cut = [f"... {len(lines) - _TAIL} lines before"] if len(lines) > _TAIL else []
        super().__init__("\n".join([f"{shlex.join(command)} ended with {status}", *cut, *lines[-_TAIL:]]))
        self.status = status
        self.output = output


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program and return its standard output; raise `CommandFailed` unless it ends with 0."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **env} if env else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise CommandFailed(words, done.returncode, done.stdout + done.stderr)
    return done.stdout


def uv() -> str:
    """Return the program uv: the one that runs us, if one does, else the one on the PATH."""
    return os.environ.get("UV") or "uv"


def tool(name: str) -> Path:
    """Return the program that the lint group installed beside this Python."""
    return Path(sys.executable).with_name(name)
