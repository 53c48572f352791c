"""The grammar of topics and headers, and the data that crosses the port of messaging."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_protocols import (
    DispatchError,
    HandlerFailure,
    OutboxMessage,
    SubscriptionConfig,
    ValidationError,
    require_group,
    require_headers,
    require_key,
    require_message_id,
    require_pattern,
    require_topic,
    topic_matches,
)

WORDS = st.text("ab-_Z9", min_size=1, max_size=3)
TOPICS = st.lists(WORDS, min_size=1, max_size=5)


class TestTopics:
    @pytest.mark.parametrize("topic", ["a", "a.b", "A-b_c.9", "a" * 200, ".".join("a" * 100)])
    def test_takes_words_with_dots_between(self, topic: str) -> None:
        assert require_topic(topic).is_ok()
        assert require_pattern(topic).is_ok()

    @pytest.mark.parametrize(
        "topic",
        [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a b",
            "a\n",
            "\u00e9",
            "a*",
            "*a",
            "a.b*",
            ">a",
            "a>",
            "a/b",
            "a:b",
            "a" * 201,
            3,
            None,
        ],
    )
    def test_refuses_what_is_malformed(self, topic: Any) -> None:
        for refusal in (require_topic(topic).unwrap_err(), require_pattern(topic).unwrap_err()):
            assert refusal.kind == type(topic).__name__

    @pytest.mark.parametrize("pattern", ["*", ">", "*.a", "a.*.b", "a.>", "*.>"])
    def test_a_wildcard_is_for_patterns(self, pattern: str) -> None:
        assert require_pattern(pattern).is_ok()
        assert require_topic(pattern).unwrap_err().field == "topic"

    @pytest.mark.parametrize("pattern", [">.a", "a.>.b", "**", "a.*b", "a.", "#"])
    def test_refuses_a_wildcard_in_the_wrong_place(self, pattern: str) -> None:
        assert require_pattern(pattern).unwrap_err().field == "pattern"

    @given(topic=TOPICS, data=st.data())
    def test_a_word_may_be_any_word(self, topic: list[str], data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(topic) - 1))
        pattern = ".".join([*topic[:place], "*", *topic[place + 1 :]])
        assert topic_matches(pattern, ".".join(topic))
        assert not topic_matches(pattern, ".".join([*topic, "a"]))
        assert not topic_matches(pattern, ".".join(topic[:-1]) or "a.b.c.d.e.f")
        assert topic_matches(pattern, ".".join([*topic[:place], "other", *topic[place + 1 :]]))

    @given(topic=TOPICS, more=TOPICS)
    def test_the_rest_is_one_word_or_more(self, topic: list[str], more: list[str]) -> None:
        pattern = ".".join([*topic, ">"])
        assert topic_matches(pattern, ".".join(topic + more))
        assert not topic_matches(pattern, ".".join(topic))
        assert not topic_matches(pattern, ".".join(["other", *topic[1:], *more]))


class TestNames:
    @pytest.mark.parametrize(("check", "most"), [(require_key, 1000), (require_message_id, 200)])
    def test_a_key_and_an_id_are_what_a_header_can_carry(self, check: Any, most: int) -> None:
        for text in ("7", "customer 7", "\u00e9 \u4e2d", "a" * most):
            assert check(text).unwrap() == text
        for wrong in ("", " ", " 7", "7 ", "7\n", "a\0b", "\ud800", "a" * (most + 1), 7, None):
            assert check(wrong).unwrap_err().kind == type(wrong).__name__

    def test_a_group_is_a_word(self) -> None:
        for text in ("a", "A-b_9", "a" * 64):
            assert require_group(text).unwrap() == text
        for wrong in ("", "a.b", "a b", "\u00e9", "a" * 65, "*", None):
            assert require_group(wrong).unwrap_err().field == "group"


class TestHeaders:
    @pytest.mark.parametrize("headers", [{}, {"a": ""}, {"traceparent": "00-ab-cd-01"}, {"x-1": "\u00e9 \u4e2d"}])
    def test_takes_text(self, headers: dict[str, str]) -> None:
        assert require_headers(headers).unwrap() is headers

    @pytest.mark.parametrize(
        ("headers", "field"),
        [
            (None, "headers"),
            ([("a", "b")], "headers"),
            ({"A": "b"}, "headers"),
            ({"a b": "c"}, "headers"),
            ({"": "c"}, "headers"),
            ({1: "c"}, "headers"),
            ({"a": 1}, "headers.a"),
            ({"a": "b\nc"}, "headers.a"),
            ({"a": "b\n"}, "headers.a"),
            ({"a": " b"}, "headers.a"),
            ({"a": "b "}, "headers.a"),
            ({"a": "\ud800"}, "headers.a"),
            ({"a": "b" * 4097}, "headers.a"),
        ],
    )
    def test_refuses_what_no_engine_carries(self, headers: Any, field: str) -> None:
        assert require_headers(headers).unwrap_err().field == field


class TestConfig:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("partitions", 0),
            ("partitions", 65),
            ("partitions", 1.5),
            ("concurrency", 0),
            ("prefetch", 0),
            ("prefetch", True),
            ("max_deliveries", 0),
            ("lease", 0.0),
            ("lease", float("nan")),
            ("retry_delay", -0.1),
            ("retry_delay_max", 0.01),
        ],
    )
    def test_refuses_what_is_out_of_bounds(self, field: str, value: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            SubscriptionConfig(**{field: value})
        assert caught.value.field == field

    def test_refuses_both_ways_of_running_at_once(self) -> None:
        with pytest.raises(ValidationError, match="not both"):
            SubscriptionConfig(partitions=2, concurrency=2)


class TestFailures:
    def test_a_copy_names_the_handler(self) -> None:
        error = DispatchError.of(
            [HandlerFailure(lambda: None, ValueError("no")), HandlerFailure(print, OSError())], "x"
        )
        name = "TestFailures.test_a_copy_names_the_handler.<locals>.<lambda>"
        assert error.message == f"2 handlers failed: {name}: ValueError, print: OSError"
        copy = pickle.loads(pickle.dumps(error))
        assert [each.handler for each in copy.failures] == [name, "print"]
        assert repr(copy.failures[0].error) == "ValueError('no')"
        assert copy.operation == "x"


class TestOutboxMessage:
    @pytest.mark.parametrize(
        ("field", "values"),
        [("topic", {"topic": "a.*"}), ("key", {"key": " "}), ("id", {"id": ""}), ("headers", {"headers": {"A": ""}})],
    )
    def test_refuses_what_no_broker_takes(self, field: str, values: dict[str, Any]) -> None:
        with pytest.raises(ValidationError) as caught:
            OutboxMessage(**dict[str, Any](topic="a", message=1) | values)
        assert caught.value.field == field

    def test_each_has_an_id_of_its_own(self) -> None:
        assert OutboxMessage("a", 1).id != OutboxMessage("a", 1).id
