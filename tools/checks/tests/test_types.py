"""What pyright answers about completeness."""

from __future__ import annotations

import json
from typing import Any

from tools.checks.types import incomplete


def answer(score: float, *symbols: dict[str, Any], message: str = "") -> str:
    diagnostics = [{"message": message}] if message else []
    completeness = {"completenessScore": score, "symbols": symbols}
    return json.dumps({"generalDiagnostics": diagnostics, "typeCompleteness": completeness})


def test_complete() -> None:
    assert incomplete(answer(1, {"name": "a.b", "isExported": True, "isTypeKnown": True})) == []


def test_names_the_public_symbols_without_a_type_and_says_why() -> None:
    known = {"name": "a.known", "isExported": True, "isTypeKnown": True}
    unknown = {"isTypeKnown": False, "diagnostics": [{"message": "Type is missing\nInferred is int"}]}
    public = {"name": "a.unknown", "isExported": True, **unknown}
    private = {"name": "a._private", "isExported": False, **unknown}
    assert incomplete(answer(0.5, known, public, private)) == ["a.unknown: Type is missing"]


def test_a_package_without_py_typed() -> None:
    assert incomplete(answer(0, message="No py.typed file found")) == ["No py.typed file found"]


def test_a_package_without_names() -> None:
    assert incomplete(answer(0)) == ["no public name at all"]
