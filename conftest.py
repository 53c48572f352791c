"""What pytest must leave alone when it is run from the root, and what examples in docstrings find there."""

from typing import Any

import pytest

# Benches need their peers, which are a dependency group of their own (tools/bench/RESULTS.md says how to run them).
collect_ignore_glob = ["tools/bench/*.py", "tools/nightly/*.py"]


@pytest.fixture(autouse=True)
def _url_of_redis(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """Give the examples of what is in Redis a `url`."""
    in_redis = any(name in request.node.name for name in ("infra_cache", "infra_messaging.redis"))
    if isinstance(request.node, pytest.DoctestItem) and in_redis:
        doctest_namespace["url"] = request.getfixturevalue("redis_url")


@pytest.fixture(autouse=True)
def _url_of_nats(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """Give the examples of what is in NATS a `url`."""
    if isinstance(request.node, pytest.DoctestItem) and "infra_messaging.nats" in request.node.name:
        doctest_namespace["url"] = request.getfixturevalue("nats_url")
