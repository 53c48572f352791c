"""Generic data can be made under its full type, and not be changed."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

import infra_protocols
from infra_protocols import CacheEntry, CacheKey, DeadLetter, HealthComponent, HealthResult, HealthStatus, OutboxMessage


class Check:
    name, dependency = "check", None

    async def check(self) -> HealthResult:
        return HealthResult(HealthStatus.HEALTHY)


MADE: dict[type, Callable[[], Any]] = {
    CacheEntry: lambda: CacheEntry[int]("key", 1, datetime.now(UTC)),
    CacheKey: lambda: CacheKey[int]("key", int),
    DeadLetter: lambda: DeadLetter[int](
        "1", "m", "a", None, {}, 1, None, 1, "KeyError", "", datetime.now(UTC), datetime.now(UTC)
    ),
    OutboxMessage: lambda: OutboxMessage[int]("a", 1),
    HealthComponent: lambda: HealthComponent[None](Check()),
}


def test_all_that_is_generic_and_frozen_is_here() -> None:
    public: list[Any] = [value for value in vars(infra_protocols).values() if is_dataclass(value)]
    generic = {cls for cls in public if cls.__type_params__ and cls.__dataclass_params__.frozen}
    assert generic == set(MADE)


@pytest.mark.parametrize("cls", MADE, ids=lambda cls: cls.__name__)
def test_it_can_be_made_under_its_full_type_and_not_be_changed(cls: type) -> None:
    made = MADE[cls]()
    assert type(made) is cls
    name = fields(made)[0].name
    before = getattr(made, name)
    for change in (lambda: setattr(made, name, 2), lambda: delattr(made, name), lambda: setattr(made, "other", 2)):
        with pytest.raises(FrozenInstanceError, match="cannot be changed"):
            change()
    assert getattr(made, name) is before
