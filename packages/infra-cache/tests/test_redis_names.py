"""No two caches meet in Redis, whatever they and their keys are called."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from infra_cache.redis._names import Names

# Few and alike: what names are made of where somebody wants them to run together.
TEXTS = st.text(alphabet="a1:{}%*[\\é\ud800eti3A", min_size=1, max_size=6)
PLACES = st.tuples(TEXTS, st.booleans(), st.sampled_from(["entry", "signal"]), TEXTS)


def key(place: tuple[str, bool, str, str]) -> bytes:
    namespace, tags, kind, name = place
    names = Names(namespace, tags=tags)
    return names.entry(name) if kind == "entry" else names.signal(name)


@settings(max_examples=300, deadline=None)
@given(PLACES, PLACES)
def test_two_places_have_two_keys(one: tuple[str, bool, str, str], other: tuple[str, bool, str, str]) -> None:
    assert (key(one) == key(other)) == (one == other)


@settings(max_examples=300, deadline=None)
@given(PLACES, TEXTS, st.booleans())
def test_no_key_lies_under_the_prefix_of_another_namespace(
    place: tuple[str, bool, str, str], namespace: str, tags: bool
) -> None:
    assume((namespace, tags) != place[:2])
    assert not key(place).startswith(Names(namespace, tags=tags).prefix)


@settings(max_examples=300, deadline=None)
@given(PLACES)
def test_what_a_key_stands_for_can_be_told(place: tuple[str, bool, str, str]) -> None:
    namespace, tags, kind, name = place
    names = Names(namespace, tags=tags)
    assert names.named(key(place)) == ("entry" if kind == "entry" else "tag", name)
    assert names.named(names.tags) is None


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_a_prefix_matches_itself_alone_in_a_pattern(namespace: str) -> None:
    # Redis would take these for more than themselves (SCAN ... MATCH).
    assert not set(b"*?[]\\^") & set(Names(namespace, tags=True).prefix)


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_with_tags_all_of_a_namespace_has_one_hash_tag(namespace: str, name: str, tag: str) -> None:
    names = Names(namespace, tags=True)
    hashed = {
        each[each.index(b"{") + 1 : each.index(b"}")] for each in (names.entry(name), names.signal(tag), names.tags)
    }
    assert len(hashed) == 1
    assert hashed != {b""}


def test_a_namespace_is_written_out_as_ever() -> None:
    # Were it written otherwise, what lies in Redis would be lost to the caches of the next version.
    assert Names("aZ-9_.~ :{é}\ud800", tags=True).prefix == b"{aZ-9_.%7E%20%3A%7B%C3%A9%7D%ED%A0%80}:"
