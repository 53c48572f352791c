"""The data that crosses the port of authentication."""

import copy
import dataclasses
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_protocols import StoredToken

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKENS = st.builds(
    StoredToken,
    jti=st.text(),
    user_id=st.text(),
    created_at=st.just(NOW),
    expires_at=st.timedeltas(timedelta(0), timedelta(days=90)).map(lambda left: NOW + left),
    family_id=st.text(),
    revoked=st.booleans(),
)


# **Feature: infrastructure-generics-review-2025, Property 8: Token Store Immutability**
# **Validates: Requirements 8.2**
@given(TOKENS, st.sampled_from([field.name for field in dataclasses.fields(StoredToken)]), st.text() | st.booleans())
@settings(max_examples=100, deadline=None)
def test_no_field_of_a_token_can_be_changed(token: StoredToken, field: str, value: Any) -> None:
    before = copy.deepcopy(token)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(token, field, value)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(token, field)
    with pytest.raises((AttributeError, TypeError)):
        setattr(token, field + "_", value)
    assert token == before


@given(TOKENS)
@settings(max_examples=100, deadline=None)
def test_a_token_is_a_value(token: StoredToken) -> None:
    assert pickle.loads(pickle.dumps(token)) == token
    assert hash(copy.deepcopy(token)) == hash(token)
    assert not hasattr(token, "__dict__")


def test_each_token_founds_a_family_unless_it_is_said() -> None:
    families = {StoredToken("jti", "ada", NOW, NOW).family_id for _ in range(10)}
    assert len(families) == 10
    assert all(families)


def test_a_subclass_adds_fields() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class DeviceToken(StoredToken):
        device: str = ""

    assert DeviceToken("jti", "ada", NOW, NOW, "f", device="phone").device == "phone"
