"""infra-result against a tuple, plain calls, and the two Result libraries in use."""

from typing import Any

from result import Ok as RustedOk
from returns.result import Success

from infra_result import Err, Ok
from tools.bench.harness import Contender, Table, compare


def tables() -> list[Table]:
    """Measure creation, a chain of maps, and single calls."""
    return [
        compare(
            "Creating a result",
            "creating a tuple `(x,)`",
            [
                Contender("tuple", _tuple),
                Contender("infra_result.Ok", _ok, must=10.5, aim=9),
                Contender("result.Ok", _rusted),
                Contender("returns.Success", _success),
            ],
            number=20_000,
        ),
        compare(
            "Mapping three times",
            "calling the three functions",
            [
                Contender("three calls", _calls),
                Contender("infra_result.Ok", _map_ok, must=12.5, aim=11),
                Contender("infra_result.Err", _map_err),
                Contender("result.Ok", _map_rusted),
                Contender("returns.Success", _map_success),
            ],
            number=10_000,
        ),
        compare(
            "One call",
            "calling a function",
            [
                Contender("a call", _call),
                Contender("infra_result.Ok.is_ok", _is_ok),
                Contender("infra_result.Ok.unwrap", _unwrap),
                Contender("infra_result.Ok.flat_map", _flat_map),
                Contender("result.Ok.is_ok", _is_ok_rusted),
                Contender("result.Ok.and_then", _and_then_rusted),
            ],
            number=20_000,
        ),
    ]


def _tuple(n: int) -> None:
    for x in range(n):
        _ = (x,)


def _ok(n: int) -> None:
    for x in range(n):
        _ = Ok(x)


def _rusted(n: int) -> None:
    for x in range(n):
        _ = RustedOk(x)


def _success(n: int) -> None:
    for x in range(n):
        _ = Success(x)


def _add(x: int) -> int:
    return x + 1


def _calls(n: int) -> None:
    for _ in range(n):
        _add(_add(_add(1)))


def _map_ok(n: int) -> None:
    ok = Ok(1)
    for _ in range(n):
        ok.map(_add).map(_add).map(_add)


def _map_err(n: int) -> None:
    err = Err(1)
    for _ in range(n):
        err.map(_add).map(_add).map(_add)


def _map_rusted(n: int) -> None:
    ok = RustedOk(1)
    for _ in range(n):
        ok.map(_add).map(_add).map(_add)


def _map_success(n: int) -> None:
    ok = Success(1)
    for _ in range(n):
        ok.map(_add).map(_add).map(_add)


def _call(n: int) -> None:
    for _ in range(n):
        _add(1)


def _is_ok(n: int) -> None:
    ok = Ok(1)
    for _ in range(n):
        ok.is_ok()


def _unwrap(n: int) -> None:
    ok = Ok(1)
    for _ in range(n):
        ok.unwrap()


def _flat_map(n: int) -> None:
    ok = Ok(1)
    for _ in range(n):
        ok.flat_map(_same)


def _is_ok_rusted(n: int) -> None:
    ok = RustedOk(1)
    for _ in range(n):
        ok.is_ok()


def _and_then_rusted(n: int) -> None:
    ok = RustedOk(1)
    for _ in range(n):
        ok.and_then(_same)


_OK = Ok(1)


def _same(x: object) -> Any:
    return _OK
