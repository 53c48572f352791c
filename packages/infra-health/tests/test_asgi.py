"""The probes and the page, as a client sees them."""

import asyncio
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response

from infra_conformance.health_script import ScriptedCheck
from infra_health import CompositeHealthCheck, health_app
from infra_health.asgi import HealthApp, Scope
from infra_protocols import HealthComponent, HealthPolicy, HealthStatus, ValidationError

JSON = "application/health+json"
PROBES = ("/livez", "/readyz", "/startupz")


async def ask(app: HealthApp, path: str, method: str = "GET", **options: Any) -> Response:
    async with AsyncClient(transport=ASGITransport(app, **options), base_url="http://service") as client:
        return await client.request(method, path)


@pytest.mark.parametrize(
    ("status", "code", "printed"),
    [(HealthStatus.HEALTHY, 200, "pass"), (HealthStatus.DEGRADED, 200, "warn"), (HealthStatus.UNHEALTHY, 503, "fail")],
)
async def test_readiness_is_told_by_status_and_document(status: HealthStatus, code: int, printed: str) -> None:
    app = health_app(
        ScriptedCheck("db", status=status), version="2", release_id="7", service_id="i", description="shop"
    )
    answer = await ask(app, "/readyz")
    assert (answer.status_code, answer.headers["content-type"]) == (code, JSON)
    assert answer.headers["cache-control"] == "no-store"
    about = {"version": "2", "releaseId": "7", "serviceId": "i", "description": "shop"}
    assert answer.json() == {"status": printed} | about
    assert (await ask(app, "/readyz?verbose")).json()["checks"]["db:responseTime"][0]["status"] == printed


async def test_liveness_depends_on_nothing() -> None:
    check = ScriptedCheck(status=HealthStatus.UNHEALTHY)
    answer = await ask(health_app(check), "/livez?verbose")
    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})
    assert check.begun == 0


async def test_what_has_started_has_started() -> None:
    ready, startup = ScriptedCheck("ready"), ScriptedCheck("startup", status=HealthStatus.UNHEALTHY)
    app = health_app(ready, startup=startup)
    assert (await ask(app, "/startupz")).status_code == 503
    assert "startup:responseTime" in (await ask(app, "/startupz?verbose")).json()["checks"]
    startup.status = HealthStatus.DEGRADED
    assert (await ask(app, "/startupz")).status_code == 200
    startup.status = HealthStatus.UNHEALTHY
    assert (await ask(app, "/startupz")).status_code == 200
    assert (startup.begun, ready.begun) == (3, 0)


async def test_without_a_check_of_its_own_startup_is_readiness() -> None:
    app = health_app(ScriptedCheck(status=HealthStatus.UNHEALTHY))
    assert (await ask(app, "/startupz")).status_code == 503


@pytest.mark.parametrize("path", [*PROBES, "/health"])
async def test_a_head_is_a_get_without_its_body(path: str) -> None:
    app = health_app(CompositeHealthCheck([ScriptedCheck()], HealthPolicy(healthy_ttl=60)))
    got, head = await ask(app, path), await ask(app, path, "HEAD")
    assert head.content == b""
    assert head.status_code == got.status_code
    if path != "/health":  # whose history has grown meanwhile
        assert head.headers == got.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_other_methods_are_refused(method: str) -> None:
    check = ScriptedCheck()
    answer = await ask(health_app(check), "/readyz", method)
    assert (answer.status_code, answer.headers["allow"], check.begun) == (405, "GET, HEAD", 0)


@pytest.mark.parametrize("path", ["/", "/readyz/", "/readyz/x", "/metrics"])
async def test_there_is_nothing_else(path: str) -> None:
    assert (await ask(health_app(ScriptedCheck()), path)).status_code == 404


async def test_it_may_be_mounted_anywhere() -> None:
    app = health_app(ScriptedCheck())
    for root in ("/internal", "/r"):
        assert (await ask(app, f"{root}/readyz", root_path=root)).status_code == 200
    assert (await ask(app, "/readyz", root_path="/r")).status_code == 200


async def test_a_thousand_ask_and_each_check_runs_once() -> None:
    checks = [ScriptedCheck(f"c{number}", seconds=0.01) for number in range(10)]
    app = health_app(CompositeHealthCheck(checks))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(1000)))
    assert {answer.status_code for answer in answers} == {200}
    assert [check.begun for check in checks] == [1] * 10


@pytest.mark.parametrize("shown", [False, True])
async def test_messages_are_told_only_where_they_are_asked_for(shown: bool) -> None:
    check = ScriptedCheck("db", error=ConnectionError("cannot reach db://ada:s3cret@db1.internal"))
    app = health_app(check, messages=shown)
    for path in ("/readyz?verbose", "/health"):
        text = (await ask(app, path)).text
        assert "ConnectionError" in text
        assert ("db1.internal" in text) == shown
        assert "s3cret" not in text
    assert "ConnectionError" not in (await ask(app, "/readyz")).text


class Outline(HTMLParser):
    """What a browser would load, and what a screen reader would need."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.labels: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.loads += [value for name in ("src", "href") if (value := given.get(name))]
        if given.get("role") == "img":
            self.labels.append(given["aria-label"] or "")


async def test_the_page_shows_each_check_and_how_it_was() -> None:
    check, mail = ScriptedCheck("db<1>"), ScriptedCheck("mail", status=HealthStatus.UNHEALTHY)
    orders = CompositeHealthCheck([check], name="orders")
    app = health_app(CompositeHealthCheck([orders, HealthComponent(mail, critical=False)]), description="Ada & sons")
    await ask(app, "/readyz")
    check.error = TimeoutError()
    answer = await ask(app, "/health")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for shown in ("<h1>Ada &amp; sons</h1>", "orders/db&lt;1&gt;", "TimeoutError", "✗ unhealthy"):
        assert shown in answer.text
    outline = Outline(answer.text)
    assert outline.labels == ["The last 2: 1 healthy, 1 unhealthy", "The last 2: 2 unhealthy"]
    assert outline.loads == ["data:,"]
    assert {"h1", "main", "table", "title"} <= set(outline.tags)
    assert outline.tags.count("rect") == 4


async def test_the_page_runs_only_what_it_brought_along() -> None:
    answer = await ask(health_app(ScriptedCheck()), "/health")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"""\s(?:style|on\w+)=["']""", answer.text)


async def test_the_page_keeps_so_much_history_and_nothing_twice() -> None:
    check = ScriptedCheck()
    app = health_app(check, history=3)
    for _ in range(5):
        await ask(app, "/readyz")
    assert Outline((await ask(app, "/health")).text).labels == ["The last 3: 3 healthy"]
    kept = health_app(CompositeHealthCheck([check], HealthPolicy(healthy_ttl=60)))
    for _ in range(5):
        await ask(kept, "/readyz")
    assert Outline((await ask(kept, "/health")).text).labels == ["The last 1: 1 healthy"]


@pytest.mark.parametrize("history", [0, -1, 1.5, None])
def test_a_history_that_is_none_is_refused(history: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        health_app(ScriptedCheck(), history=history)
    assert caught.value.field == "history"


async def _talk(scope: Scope, *received: str) -> list[str]:
    messages, sent = list(received), list[str]()

    async def receive() -> dict[str, Any]:
        return {"type": messages.pop(0)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await health_app(ScriptedCheck())(scope, receive, send)
    return sent


async def test_alone_it_starts_and_stops_with_its_server() -> None:
    sent = await _talk({"type": "lifespan"}, "lifespan.startup", "lifespan.shutdown")
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_it_speaks_no_websocket() -> None:
    assert await _talk({"type": "websocket", "path": "/readyz"}, "websocket.connect") == ["websocket.close"]
