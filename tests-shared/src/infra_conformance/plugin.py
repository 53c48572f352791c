"""
The pytest side of the kit: declared failures, capabilities, seeds and the report.

It is loaded by pytest wherever the kit is installed.
"""

import json
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from infra_conformance.engines import nats_url, postgres_url, rabbitmq_url, redis_url, standalone_url
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import ConformanceFailure
from infra_conformance.report import Entry, Report, Verdict
from infra_conformance.suite import Check, Suite

__all__ = [
    "nats_url",
    "postgres_url",
    "rabbitmq_url",
    "redis_url",
    "standalone_url",
]  # pytest takes fixtures from its plugins by name

_PROPERTY: Final = "conformance"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the kit."""
    group = parser.getgroup("conformance", "conformance suites")
    group.addoption("--conformance-report", metavar="FILE", help="write the conformance report as JSON to FILE")
    group.addoption("--conformance-seed", metavar="N", type=int, help="start all random choices of the suites from N")


def pytest_configure(config: pytest.Config) -> None:
    """Take the seed, and collect the report."""
    if (seed := config.getoption("--conformance-seed")) is not None:
        Suite.seed = seed
    path = config.getoption("--conformance-report")
    if not hasattr(
        config, "workerinput"
    ):  # under pytest-xdist, the workers send what they find to the one that reports
        target = None if path is None else config.invocation_params.dir / path
        config.pluginmanager.register(_Collector(target), "conformance-collector")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Apply to each check what its suite declares."""
    checked: set[type[Suite[Any]]] = set()
    for item in items:
        suite: Any = getattr(item, "cls", None)
        check = getattr(getattr(item, "function", None), "conformance_check", None)
        if not isinstance(check, Check):
            continue
        if suite not in checked:
            checked.add(suite)
            _refuse_unknown_ids(suite)
        _declare(item, suite, check)


def _refuse_unknown_ids(suite: type[Suite[Any]]) -> None:
    ids = {check.id for check in suite.checks().values()}
    for id in suite.known_failures:
        if id not in ids:
            raise pytest.UsageError(ConformanceMessages.UNKNOWN_ID.format(suite=suite.__name__, id=id))


def _declare(item: pytest.Item, suite: type[Suite[Any]], check: Check) -> None:
    about: dict[str, Any] = {
        "subject": f"{item.nodeid.partition('::')[0]}::{suite.__name__}",
        "id": check.id,
        "promise": check.promise,
        "requirements": list(check.validates),
        "declared": None,
    }
    if (lack := suite.lacks(check)) is not None:
        about["declared"] = ConformanceMessages.LACKS.format(capability=lack)
        item.add_marker(pytest.mark.skip(reason=about["declared"]))
    elif (reason := suite.known_failures.get(check.id)) is not None:
        about["declared"] = reason
        item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    item.user_properties.append((_PROPERTY, about))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Have a broken promise told by its message alone; where the subject raised, the traceback is shown too."""
    report = yield
    failure = call.excinfo
    if report.failed and failure and isinstance(failure.value, ConformanceFailure) and failure.value.__cause__ is None:
        report.longrepr = failure.getrepr(style="value")
    return report


class _Collector:
    """Gathers what became of each check; the user properties carry it across pytest-xdist too."""

    def __init__(self, target: Path | None) -> None:
        self._target = target
        self._report = Report()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        about: Any = dict(report.user_properties).get(_PROPERTY)
        if about is None:
            return
        if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
            verdict = _verdict(report, about["declared"])
            if verdict is Verdict.SKIPPED:
                about = about | {"declared": _reason(report)}
            failure = report.longreprtext if verdict is Verdict.FAILED else ""
            self._report.add(Entry(**about, verdict=verdict, failure=failure))

    def pytest_sessionfinish(self) -> None:
        if self._target is not None:
            self._target.write_text(json.dumps(self._report.to_dict(), indent=2) + "\n", encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._report.entries:
            terminalreporter.section("conformance")
            for line in self._report.lines():
                terminalreporter.write_line(line)


def _verdict(report: pytest.TestReport, declared: str | None) -> Verdict:
    # A strict xfail that passes is reported as failed.
    if report.outcome != "skipped":
        return Verdict.PASSED if report.outcome == "passed" else Verdict.FAILED
    if hasattr(report, "wasxfail"):
        return Verdict.KNOWN_FAILURE
    return Verdict.NOT_SUPPORTED if _reason(report) == declared else Verdict.SKIPPED


def _reason(report: pytest.TestReport) -> str:
    # For a skip, pytest keeps where it was and why.
    return report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else report.longreprtext
