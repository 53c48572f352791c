"""The data that crosses the port of health checks, and what a report shows."""

import copy
import dataclasses
import json
import math
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_protocols import (
    HealthComponent,
    HealthPolicy,
    HealthReport,
    HealthResult,
    HealthStatus,
    Measurement,
    ValidationError,
)

NOW = datetime(2025, 1, 1, tzinfo=UTC)
DOWN, GOOD = HealthStatus.UNHEALTHY, HealthStatus.HEALTHY


class Named:
    dependency = None

    def __init__(self, name: Any) -> None:
        self.name = name

    async def check(self) -> HealthResult:
        return HealthResult(GOOD)


class TestResult:
    def test_is_a_value(self) -> None:
        result = HealthResult(DOWN, "OSError", "gone", results={"a": HealthResult(GOOD)})
        assert result == HealthResult(DOWN, "OSError", "gone", results={"a": HealthResult(GOOD)})
        assert pickle.loads(pickle.dumps(result)) == copy.deepcopy(result) == result
        with pytest.raises(dataclasses.FrozenInstanceError):
            result.status = GOOD  # pyright: ignore[reportAttributeAccessIssue]

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("status", {"status": "healthy"}),
            ("cause", {"cause": "cannot connect to db1"}),
            ("cause", {"cause": ""}),
            ("message", {"message": 3}),
            ("duration", {"duration": -0.1}),
            ("duration", {"duration": math.nan}),
        ],
    )
    def test_refuses_what_is_none(self, field: str, values: dict[str, Any]) -> None:
        with pytest.raises(ValidationError) as caught:
            HealthResult(**dict[str, Any](status=DOWN) | values)
        assert caught.value.field == field

    @pytest.mark.parametrize(
        "text", ["no route to postgres://ada:s3cret@db1/x", "refused: host=db1 password=s3cret user=ada"]
    )
    def test_keeps_no_secret(self, text: str) -> None:
        for result in (HealthResult.failed(OSError(text)), HealthResult(DOWN, message=text)):
            assert result.message is not None
            assert "db1" in result.message
            assert "s3cret" not in repr(result)

    def test_bounds_what_an_error_says(self) -> None:
        message = HealthResult.failed(OSError("x" * 100_000)).message
        assert message is not None
        assert len(message) < 1000

    def test_is_made_of_an_error_that_cannot_be_shown(self) -> None:
        class Shy(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        assert HealthResult.failed(Shy()) == HealthResult(DOWN, "Shy", "Shy")


class TestMeasurement:
    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("name", ("two words", 1.0, "s")),
            ("value", ("lag", math.nan, "s")),
            ("value", ("lag", "1", "s")),
            ("unit", ("lag", 1.0, "postgres://db1")),
            ("unit", ("lag", 1.0, None)),
        ],
    )
    def test_is_a_number_and_no_text(self, field: str, values: tuple[Any, ...]) -> None:
        with pytest.raises(ValidationError) as caught:
            Measurement(*values)
        assert caught.value.field == field


class TestComponent:
    @pytest.mark.parametrize("name", ["", " ", " a", "a ", "a:b", "a/b", "a\n", 3, None])
    def test_has_a_name_that_a_report_can_show(self, name: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            HealthComponent(Named(name))
        assert caught.value.field == "name"

    @pytest.mark.parametrize("check", [None, "a", HealthResult(GOOD)])
    def test_has_a_check(self, check: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            HealthComponent(check)
        assert caught.value.field == "check"

    @pytest.mark.parametrize("name", ["a", "db 1", "é", "a.b-c_d"])
    def test_may_be_called_anything_else(self, name: str) -> None:
        assert HealthComponent(Named(name)).check.name == name

    @pytest.mark.parametrize("status", list(HealthStatus))
    def test_counts_in_full_unless_it_is_not_critical(self, status: HealthStatus) -> None:
        assert HealthComponent(Named("a")).weigh(status) is status
        weighed = HealthComponent(Named("a"), critical=False).weigh(status)
        assert weighed is (HealthStatus.DEGRADED if status is DOWN else status)


class TestPolicy:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("timeout", 0),
            ("timeout", math.nan),
            ("max_age", 0),
            ("healthy_ttl", -1),
            ("healthy_ttl", 61),
            ("unhealthy_ttl", 61),
            ("failure_threshold", 0),
            ("failure_threshold", 1.5),
            ("success_threshold", True),
        ],
    )
    def test_is_within_bounds(self, field: str, value: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            HealthPolicy(**{field: value})
        assert caught.value.field == field


NESTED = HealthResult(
    DOWN,
    results={
        "db": HealthResult(
            DOWN,
            results={
                "primary": HealthResult(DOWN, "OSError", "db1 is down", checked_at=NOW, duration=0.25),
                "replica": HealthResult(GOOD, observed=DOWN, measurement=Measurement("lag", 3, "s")),
            },
        ),
        "disk": HealthResult(DOWN, "HealthTimeoutError", checked=False),
    },
)


class TestReport:
    def test_shows_each_check_under_its_path(self) -> None:
        assert json.loads(str(HealthReport(result=NESTED, release_id="7", service_id="i-1"))) == {
            "status": "fail",
            "releaseId": "7",
            "serviceId": "i-1",
            "checks": {
                "db/primary:responseTime": [
                    {
                        "status": "fail",
                        "observedValue": 0.25,
                        "observedUnit": "s",
                        "time": "2025-01-01T00:00:00+00:00",
                        "cause": "OSError",
                    }
                ],
                "db/replica:lag": [{"status": "pass", "observedValue": 3, "observedUnit": "s", "observed": "fail"}],
                "disk:responseTime": [
                    {
                        "status": "fail",
                        "observedValue": 0.0,
                        "observedUnit": "s",
                        "checked": False,
                        "cause": "HealthTimeoutError",
                    }
                ],
            },
        }

    def test_shows_messages_only_when_asked_to(self) -> None:
        report = HealthReport(result=NESTED)
        assert "db1" not in str(report)
        assert "db1 is down" in json.dumps(report.to_dict(messages=True))

    def test_shows_no_more_than_the_status_when_asked_to(self) -> None:
        assert HealthReport(result=NESTED, description="shop").to_dict(checks=False) == {
            "status": "fail",
            "description": "shop",
        }

    @given(st.sampled_from(HealthStatus), st.text(max_size=20), st.floats(0))
    @settings(max_examples=100, deadline=None)
    def test_is_strict_json_whatever_it_holds(self, status: HealthStatus, text: str, seconds: float) -> None:
        part = HealthResult(status, message=text, duration=seconds)
        report = HealthReport(result=HealthResult(status, results={"a": part}), description=text)
        json.dumps(report.to_dict(messages=True), allow_nan=False).encode()
        str(report).encode()
