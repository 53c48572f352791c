"""The correctness properties of the design, for the store in memory; the suite checks them for every store."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from infra_auth import InMemoryTokenStore
from infra_protocols import Clock, StoredToken, ValidationError, or_raise

BLANK = st.text(" \t\n\r\v\f\u00a0\u2003\u3000", max_size=10)
NAMES = st.text(min_size=1, max_size=10).filter(lambda text: not text.isspace())


BORN = datetime(2026, 1, 1, tzinfo=UTC)


class StandingClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return BORN

    def monotonic(self) -> float:
        return 0.0


CLOCK: Clock = StandingClock()


def token(jti: str, user: str = "ada", family: str = "f") -> StoredToken:
    return StoredToken(jti, user, BORN, BORN + timedelta(hours=1), family)


# **Feature: infrastructure-generics-review-2025, Property 9: Token Store Input Validation**
# **Validates: Requirements 8.3**
@given(BLANK, st.sampled_from(["jti", "user", "family"]))
@settings(max_examples=100, deadline=None)
async def test_a_blank_identifier_is_refused(blank: str, field: str) -> None:
    store = InMemoryTokenStore(clock=CLOCK)
    refused = (await store.store(token(**{"jti": "jti", field: blank}))).unwrap_err()
    assert isinstance(refused, ValidationError)
    assert refused.field == {"jti": "jti", "user": "user_id", "family": "family_id"}[field]
    assert len(store) == 0


# **Feature: infrastructure-generics-review-2025, Property 10: Token Revocation Atomicity**
# **Validates: Requirements 8.5**
@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.data())
@settings(max_examples=100, deadline=None)
async def test_a_revoked_token_is_revoked_in_every_answer(names: list[str], data: st.DataObject) -> None:
    store = InMemoryTokenStore(clock=CLOCK)
    for name in names:
        or_raise(await store.store(token(name)))
    gone = data.draw(st.sampled_from(names))
    how = data.draw(st.sampled_from(["token", "family", "user"]))
    match how:
        case "token":
            assert await store.revoke(gone)
        case "family":
            assert await store.revoke_family("f") == len(names)
        case _:
            assert await store.revoke_all_for_user("ada") == len(names)
    for _ in range(2):
        assert not await store.is_valid(gone)
        found = await store.get(gone)
        assert found is not None
        assert found.revoked
        assert not await store.revoke(gone)
        assert (await store.store(token(gone))).is_err()
        assert (await store.rotate(gone, token("successor of " + gone))).is_err()
    for name in set(names) - {gone}:
        assert await store.is_valid(name) == (how == "token")
