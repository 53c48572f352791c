"""An engine that tests start for themselves."""

import os
import pwd
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE
from types import TracebackType
from typing import IO, Final, Self

from infra_conformance.messages import ConformanceMessages
from infra_conformance.servers.engine import Engine, EngineMissing, EngineSilent
from infra_conformance.servers.ports import is_free, reserved

_STOPPING: Final = 10.0
_TRIES: Final = 3

# The engine is the child of a shell that holds its folder. Each line of the shell's input is a command to start the
# engine; it answers with the process id, and with the exit status when the engine has ended. Its input ends with the
# tests, however they end, and then the engine is stopped and the folder removed. No signal handler could do as much
# after a SIGKILL. It answers from subshells: when nobody listens any more, that ends them and not the shell.
_GUARD: Final = """
exec 3<&0
while read -r command <&3; do
    eval "exec $command" </dev/null >>"$1/output" 2>&1 3<&- &
    engine=$!
    ( echo "$engine" )
    ( read -r _ <&3; kill -s "$2" "$engine"; kill -CONT "$engine" ) >/dev/null &
    watch=$!
    wait "$engine"
    status=$?
    kill "$watch"
    wait "$watch"
    ( echo "$status" )
done
rm -rf "$1"
"""


class Server:
    """
    An engine with a port and a folder of its own: to be killed, stopped, paused and started again.

    As a context manager it is started, and waited for until it answers. At the end it is stopped and its folder
    removed; so it is when this process is gone, however that ended. It takes a POSIX shell. All methods block, for
    milliseconds or until the engine is there: an async test calls them by `asyncio.to_thread`::

        with Server(REDIS) as server:
            server.kill()
            server.start()

    Args:
        engine: what to start.
        binary: its program, if not the one on the PATH.

    Attributes:
        port: where it listens, the same each time.
        folder: where its files are.

    Raises:
        EngineMissing: on entering: its program is not there.
        EngineSilent: on entering: it ends, or does not answer in time.
    """

    port: int
    folder: Path

    def __init__(self, engine: Engine, binary: str | None = None) -> None:
        self.engine: Engine = engine
        self._binary = binary
        self._stack = ExitStack()
        self._pid: int | None = None

    def __enter__(self) -> Self:
        """Start it, at a new port and with a new folder."""
        if (binary := self._binary or self.engine.program()) is None:
            reason = ConformanceMessages.NO_BINARY.format(engine=self.engine.name, binary=self.engine.binary)
            raise EngineMissing(reason, self.engine.name)
        with self._stack as stack:
            self.folder = Path(tempfile.mkdtemp(prefix="infra-engine-"))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            become = self._become(self.engine.runs_as)
            # A session of its own: an interrupt at the keyboard is for the tests, which then stop it in good order.
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sh", str(self.folder), self.engine.ends_at.name.removeprefix("SIG")],
                bufsize=0,
                cwd=self.folder,  # that of the tests may be closed to the user it becomes
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                start_new_session=True,
            )
            stack.callback(self._dismiss)
            self._settle([*become, os.path.abspath(binary)], stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Stop it, remove its folder, and give its port back; to close it again does nothing."""
        self._stack.close()

    @property
    def url(self) -> str:
        """The URL at which it is reached."""
        return self.engine.url(self.port)

    @property
    def running(self) -> bool:
        """Whether its process is there, be it paused."""
        return not self._ended_within(0)

    @property
    def output(self) -> str:
        """What it has written to its standard output and error, in all its runs."""
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """
        Start it, unless it runs, and wait until it answers.

        Raises:
            EngineSilent: it ends, or does not answer in time.
        """
        if not self.running:
            _pipe(self._guard.stdin).write(self._command)
            self._pid = int(_pipe(self._guard.stdout).readline())
        end = time.monotonic() + self.engine.starts_within
        while not self._ended_within(0.01) and time.monotonic() < end:
            if self.engine.answers(self.port):
                return
        reason = ConformanceMessages.ENGINE_SILENT.format(
            engine=self.engine.name, port=self.port, seconds=self.engine.starts_within
        )
        raise EngineSilent(f"{reason}\n{self.output[-2000:]}".rstrip(), self.engine.name)

    def stop(self) -> None:
        """
        Ask it to end in good order (SIGTERM), and wait for that; unless it runs this does nothing.

        Raises:
            TimeoutError: it goes on.
        """
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL), as when its machine fails; unless it runs this does nothing."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP): its connections stay open, the system accepts new ones, nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause` (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _become(self, user: str | None) -> list[str]:
        if user is None or os.geteuid() != 0:
            return []
        try:
            known = pwd.getpwnam(user)
        except KeyError:
            reason = ConformanceMessages.NO_USER.format(engine=self.engine.name, user=user)
            raise EngineMissing(reason, self.engine.name) from None
        if (setpriv := shutil.which("setpriv")) is None:
            reason = ConformanceMessages.NO_BINARY.format(engine=self.engine.name, binary="setpriv")
            raise EngineMissing(reason, self.engine.name)
        os.chown(self.folder, known.pw_uid, known.pw_gid)
        return [setpriv, f"--reuid={known.pw_uid}", f"--regid={known.pw_gid}", "--clear-groups"]

    def _settle(self, start: list[str], stack: ExitStack) -> None:
        for tries_left in reversed(range(_TRIES)):
            self.port = stack.enter_context(reserved())
            variables = [f"{name}={value}" for name, value in self.engine.environment(self.port, self.folder).items()]
            command = ["env", *variables, *start, *self.engine.arguments(self.port, self.folder)]
            self._command = os.fsencode(shlex.join(command) + "\n")
            try:
                self.start()
            except EngineSilent:
                # Others may have taken the port meanwhile, who do not reserve theirs.
                if not tries_left or self.running or is_free(self.port):
                    raise
            else:
                return

    def _end(self, number: signal.Signals) -> None:
        if not self.running:
            return
        with suppress(ProcessLookupError):  # it has just ended
            self._signal(number)
            self._signal(signal.SIGCONT)
        if not self._ended_within(_STOPPING):
            reason = ConformanceMessages.ENGINE_STAYS.format(engine=self.engine.name, seconds=_STOPPING)
            raise TimeoutError(reason)

    def _signal(self, number: signal.Signals) -> None:
        if self._pid is None:
            raise ProcessLookupError(ConformanceMessages.ENGINE_DOWN.format(engine=self.engine.name))
        os.kill(self._pid, number)

    def _ended_within(self, seconds: float) -> bool:
        if self._pid is None:
            return True
        stdout = _pipe(self._guard.stdout)
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                return False
        stdout.readline()
        self._pid = None
        return True

    def _dismiss(self) -> None:
        self._pid = None
        try:
            self._guard.communicate(timeout=_STOPPING)  # which closes its input first
        except subprocess.TimeoutExpired:
            os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.communicate()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # it was asked for
    return pipe
