"""The four shapes, as `isinstance` sees them. What the type checker sees is in typing/."""

import inspect

import pytest

from infra_protocols import CacheProvider, Factory, Repository, Service, Store

SHAPES: dict[type, dict[str, list[str]]] = {
    Repository: {
        "get": ["id"],
        "get_all": [],
        "create": ["entity"],
        "update": ["entity"],
        "delete": ["id"],
        "exists": ["id"],
    },
    Service: {"execute": ["input"]},
    Factory: {"create": ["config"], "create_default": []},
    Store: {"get": ["key"], "set": ["key", "value", "ttl"], "delete": ["key"], "exists": ["key"]},
    CacheProvider: {
        "get": ["key"],
        "get_entry": ["key"],
        "set": ["key", "value", "ttl"],
        "set_with_tags": ["key", "value", "tags", "ttl"],
        "get_or_set": ["key", "loader", "ttl", "tags", "stale", "early"],
        "delete": ["key"],
        "exists": ["key"],
        "get_many": ["keys"],
        "set_many": ["items", "ttl", "tags"],
        "delete_many": ["keys"],
        "invalidate_by_tag": ["tag"],
        "clear": [],
        "stats": [],
    },
}
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
SYNC = {"create_default", "stats"}


@each_shape
def test_has_the_methods_and_parameters_of_the_design(shape: type) -> None:
    for name, parameters in SHAPES[shape].items():
        found = inspect.getattr_static(shape, name)
        assert list(inspect.signature(found).parameters) == ["self", *parameters]
        is_sync = name in SYNC or shape is Factory
        assert inspect.iscoroutinefunction(found) is not is_sync


def method(_: object) -> None:
    """What `isinstance` finds under a name, whatever it does."""


@each_shape
def test_whoever_has_all_methods_is_one(shape: type) -> None:
    methods = dict.fromkeys(SHAPES[shape], method)
    assert isinstance(type("Whole", (), methods)(), shape)


@each_shape
def test_whoever_lacks_a_method_is_none(shape: type) -> None:
    for missing in SHAPES[shape]:
        methods = {name: method for name in SHAPES[shape] if name != missing}
        assert not isinstance(type("Part", (), methods)(), shape), missing


@each_shape
def test_strangers_are_none(shape: type) -> None:
    strangers: list[object] = [object(), {}, [], "text", None]
    assert not any(isinstance(stranger, shape) for stranger in strangers)


def test_a_cache_is_a_store() -> None:
    assert issubclass(CacheProvider, Store)
