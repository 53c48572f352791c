import inspect
import sys

import pytest

import infra_protocols

NAMES = infra_protocols.__all__


def test_all_names_are_there_once_and_in_order() -> None:
    assert sorted(set(NAMES)) == NAMES
    public = {name for name, value in vars(infra_protocols).items() if not (name[0] == "_" or inspect.ismodule(value))}
    assert public == set(NAMES)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"correlation_id", "delivery"}))
def test_each_says_what_it_promises_and_shows_it(name: str) -> None:
    documented = inspect.getdoc(getattr(infra_protocols, name))
    assert documented is not None
    assert ">>> " in documented


def test_the_context_shows_it_for_its_variable() -> None:
    documented = sys.modules["infra_protocols.context"].__doc__
    assert documented is not None
    assert ">>> token = correlation_id.set(" in documented
