"""
infra-health: what a report costs beyond its slowest check, and how often checks run when many ask.

The first is time on the clock, since waiting is what it is about; contenders in turn, medians of the excess.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial

from fastapi import FastAPI
from fastapi_healthchecks.api.router import HealthcheckRouter, Probe
from fastapi_healthchecks.checks import Check, CheckResult

from infra_health import CompositeHealthCheck, health_app
from infra_protocols import HealthResult, HealthStatus
from tools.bench.harness import Row, Table

CHECKS = 50
SLOWEST = 0.05
ROUNDS = 61
MUST = 0.003
AIM = 0.001
ASKING = 1000


class Waits:
    """A check that takes so many seconds, and counts."""

    dependency = None

    def __init__(self, number: int) -> None:
        self.name = f"check {number}"
        self.seconds = SLOWEST * (number + 1) / CHECKS
        self.runs = 0

    async def check(self) -> HealthResult:
        self.runs += 1
        await asyncio.sleep(self.seconds)
        return HealthResult(HealthStatus.HEALTHY)


class PeerWaits(Check):
    """The same for the peer."""

    def __init__(self, waits: Waits) -> None:
        self.waits = waits

    async def __call__(self) -> CheckResult:
        await self.waits.check()
        return CheckResult(name=self.waits.name, passed=True)


def waits() -> list[Waits]:
    return [Waits(number) for number in range(CHECKS)]


def peer(checks: list[Waits]) -> FastAPI:
    app = FastAPI()
    app.include_router(HealthcheckRouter(Probe("readyz", [PeerWaits(check) for check in checks])))
    return app


def tables() -> list[Table]:
    """Measure a report, and a crowd."""
    return [asyncio.run(_excess()), asyncio.run(_crowd())]


async def _excess() -> Table:
    checks = waits()
    composite = CompositeHealthCheck(checks)
    app, other = health_app(composite), peer(checks)

    async def floor() -> None:
        await asyncio.sleep(SLOWEST)

    async def gathered() -> None:
        await asyncio.gather(*(check.check() for check in checks))

    contenders: dict[str, Callable[[], Awaitable[object]]] = {
        "the slowest check alone": floor,
        "asyncio.gather, which guards against nothing": gathered,
        "CompositeHealthCheck": composite.report,
        "health_app, /readyz": partial(_ask, app),
        "fastapi-healthchecks, a request": partial(_ask, other),
    }
    took: dict[str, list[float]] = {name: [] for name in contenders}
    for warm in [True, *[False] * ROUNDS]:
        for name in random.sample(list(contenders), len(contenders)):
            start = time.perf_counter()
            await contenders[name]()
            if not warm:
                took[name].append(time.perf_counter() - start)
    table = Table(
        f"A report of {CHECKS} checks",
        f"waiting for the slowest check, {SLOWEST * 1000:g} ms",
        "ms",
        note=f"Promised: at most {MUST * 1000:g} ms more than that, aimed at: {AIM * 1000:g} ms.",
    )
    base = statistics.median(took["the slowest check alone"])
    for name, times in took.items():
        bounds = ((SLOWEST + MUST) / SLOWEST, (SLOWEST + AIM) / SLOWEST) if name == "CompositeHealthCheck" else ()
        value = statistics.median(times)
        table.rows.append(Row(name, value * 1000, value / base, *bounds))
    return table


async def _crowd() -> Table:
    table = Table(f"{ASKING} concurrent requests of /readyz", "one run of each check", "runs of each check")
    table.rows.append(Row("one run", 1, 1))
    ours, theirs = waits(), waits()
    await asyncio.gather(*(_ask(app) for app in [health_app(CompositeHealthCheck(ours))] * ASKING))
    await asyncio.gather(*(_ask(app) for app in [peer(theirs)] * ASKING))
    for name, checks, bound in (("health_app", ours, 1), ("fastapi-healthchecks", theirs, None)):
        runs = max(check.runs for check in checks)
        table.rows.append(Row(name, runs, runs, must=bound, aim=bound))
    return table


async def _ask(app: Callable[..., Awaitable[None]]) -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/readyz", "query_string": b"", "headers": []}
    await app(scope, receive, send)
    assert sent[0]["status"] == 200
