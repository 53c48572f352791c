"""The states: their values, their JSON, and how those of components are combined."""

import json
import pickle
from enum import Enum
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_protocols import BaseStatus, ConnectionStatus, HealthStatus, TaskStatus

MEMBERS: dict[type[Enum], list[str]] = {
    BaseStatus: ["pending", "active", "completed", "failed", "cancelled"],
    ConnectionStatus: ["idle", "in_use", "unhealthy", "closed"],
    TaskStatus: ["pending", "running", "completed", "failed", "cancelled", "retrying"],
    HealthStatus: ["healthy", "degraded", "unhealthy"],
}
STATUSES = st.sampled_from([status for kind in MEMBERS for status in kind])
HEALTHS = st.sampled_from(HealthStatus)


@pytest.mark.parametrize("kind", MEMBERS)
def test_the_members_are_those_of_the_design(kind: type[Enum]) -> None:
    assert [member.value for member in kind] == MEMBERS[kind]
    assert [member.name.lower() for member in kind] == MEMBERS[kind]
    assert all(isinstance(member, str) for member in kind)


# **Feature: infrastructure-generics-review-2025, Property 18: Status Enum JSON Serialization**
# **Validates: Requirements 4.4**
@given(STATUSES)
@settings(max_examples=100, deadline=None)
def test_json_has_the_value_and_gives_the_member_back(status: Enum) -> None:
    text = json.dumps(status)
    assert text == json.dumps(status.value)
    assert type(status)(json.loads(text)) is status
    nested = json.loads(json.dumps({"states": [status], status: 1}))
    assert nested == {"states": [status.value], status.value: 1}


@given(STATUSES)
@settings(max_examples=100, deadline=None)
def test_pickle_gives_the_member_back(status: Enum) -> None:
    assert pickle.loads(pickle.dumps(status)) is status


@given(st.lists(HEALTHS))
@settings(max_examples=100, deadline=None)
def test_the_worst_wins(statuses: list[HealthStatus]) -> None:
    combined = HealthStatus.combine(statuses)
    if HealthStatus.UNHEALTHY in statuses:
        assert combined is HealthStatus.UNHEALTHY
    elif HealthStatus.DEGRADED in statuses:
        assert combined is HealthStatus.DEGRADED
    else:
        assert combined is HealthStatus.HEALTHY


@given(st.lists(HEALTHS), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_does_not_matter(statuses: list[HealthStatus], random: Random) -> None:
    shuffled = random.sample(statuses, len(statuses))
    assert HealthStatus.combine(shuffled) is HealthStatus.combine(statuses)


@given(st.lists(HEALTHS), st.lists(HEALTHS))
@settings(max_examples=100, deadline=None)
def test_parts_may_be_combined_first(left: list[HealthStatus], right: list[HealthStatus]) -> None:
    parts = [HealthStatus.combine(left), HealthStatus.combine(right)]
    assert HealthStatus.combine(parts) is HealthStatus.combine(left + right)


@given(HEALTHS)
@settings(max_examples=100, deadline=None)
def test_one_alone_is_itself(status: HealthStatus) -> None:
    assert HealthStatus.combine(iter([status])) is status
    assert HealthStatus.combine([status, HealthStatus.HEALTHY]) is status
