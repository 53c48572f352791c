import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "client", "extra"),
    [
        ("infra_pool.postgres", "psycopg", "postgres"),
        ("infra_pool.postgres", "asyncpg", "postgres"),
        ("infra_pool.redis", "redis.asyncio", "redis"),
    ],
)
def test_a_missing_extra_is_told_by_its_name(
    module: str, client: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, client, None)
    with pytest.raises(ImportError, match=rf"pip install infra-pool\[{extra}\]") as missing:
        importlib.import_module(module)
    assert missing.value.name == client
