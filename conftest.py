"""What pytest must leave alone when it is run from the root, and what examples in docstrings find there."""

from typing import Any

import pytest

# Benches need their peers, which are a dependency group of their own (tools/bench/RESULTS.md says how to run them).
collect_ignore_glob = ["tools/bench/*.py", "tools/nightly/*.py"]


URLS = {
    "infra_cache": "redis_url",
    "infra_messaging.redis": "redis_url",
    "infra_messaging.nats": "nats_url",
    "infra_messaging.rabbitmq": "rabbitmq_url",
}


@pytest.fixture(autouse=True)
def _url(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """Give the examples of what is in an engine its `url`."""
    for module, fixture in URLS.items():
        if isinstance(request.node, pytest.DoctestItem) and module in request.node.name:
            doctest_namespace["url"] = request.getfixturevalue(fixture)
