"""
How a bench is run: all contenders in one process, in turn, many rounds; what is told is the median of the ratios.

A round runs every contender once, in a random order, and divides each by the floor of the same round: what slows the
machine down for a while slows both alike. The cost of the empty loop is taken off everything first.
"""

import asyncio
import gc
import inspect
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

type Loop = Callable[[int], None]
type AsyncLoop = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Contender:
    """What is measured: `loop(n)` does it n times."""

    name: str
    loop: Loop | AsyncLoop
    must: float | None = None
    """The ratio to the floor that is promised, if any."""
    aim: float | None = None
    before: Callable[[], Awaitable[object]] | None = None
    """What is done before each run, outside the time."""


@dataclass(frozen=True, slots=True)
class Row:
    """What came out for one contender."""

    name: str
    value: float
    ratio: float
    must: float | None = None
    aim: float | None = None


@dataclass(slots=True)
class Table:
    """One comparison: rows, each with its ratio to the first, the floor."""

    title: str
    floor: str
    unit: str
    rows: list[Row] = field(default_factory=list[Row])
    note: str = ""

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [
            f"### {self.title}",
            "",
            f"Floor: {self.floor}." + (f" {self.note}" if self.note else ""),
            "",
            f"| | {self.unit} | ratio | must | aim |",
            "|---|---:|---:|---:|---:|",
        ]
        for row in self.rows:
            must, aim = (f"{bound:g}x" if bound else "" for bound in (row.must, row.aim))
            lines.append(f"| {row.name} | {row.value:.4g} | {row.ratio:.2f}x | {must} | {aim} |")
        return "\n".join(lines)


def compare(
    title: str,
    floor: str,
    contenders: Sequence[Contender],
    *,
    number: int,
    rounds: int = 31,
    per: int = 1,
    subtract_loop: bool = True,
    note: str = "",
    runner: asyncio.Runner | None = None,
) -> Table:
    """
    Run `contenders`, the first of which is the floor, and return their table in ns per operation.

    `number` is how often a loop goes round; `per` how many operations one turn of it is. Where contenders hold
    connections, `runner` is the one whose loop these belong to.
    """
    if subtract_loop:
        asynchronous = inspect.iscoroutinefunction(contenders[0].loop)
        contenders = [*contenders, Contender("", _empty_async if asynchronous else _empty)]
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    with asyncio.Runner() if runner is None else nullcontext(runner) as runner:
        for warm in [True, *[False] * rounds]:
            for contender in random.sample(contenders, len(contenders)):
                took = _time(runner, contender, number)
                if not warm:
                    seconds[contender.name].append(took / number / per)
    empty = seconds.pop("", [0.0] * rounds)
    net = {name: [took - loop for took, loop in zip(times, empty, strict=True)] for name, times in seconds.items()}
    base = net[contenders[0].name]
    table = Table(title, floor, "ns", note=note)
    for contender in contenders:
        if contender.name:
            times = net[contender.name]
            ratio = statistics.median(took / least for took, least in zip(times, base, strict=True))
            value = statistics.median(times) * 1e9
            table.rows.append(Row(contender.name, value, ratio, contender.must, contender.aim))
    return table


def _time(runner: asyncio.Runner, contender: Contender, number: int) -> float:
    # The time of this thread, not of the wall: what else the machine does is nobody's cost here.
    async def timed() -> float:
        start = time.thread_time()
        running = contender.loop(number)
        if running is not None:
            await running
        return time.thread_time() - start

    async def prepare(before: Callable[[], Awaitable[object]]) -> None:
        await before()

    if contender.before is not None:
        runner.run(prepare(contender.before))
    gc.collect()
    gc.disable()
    try:
        return runner.run(timed())
    finally:
        gc.enable()


def _empty(n: int) -> None:
    for _ in range(n):
        pass


async def _empty_async(n: int) -> None:
    for _ in range(n):
        pass
