"""The conformance suites of the workspace, with many more examples than a test run has time for."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis

from infra_conformance import Suite
from infra_conformance.examine import examine

ROOT = Path(__file__).parents[2]


def suites() -> Iterator[type[Suite[Any]]]:
    """Yield every suite that a package of the workspace runs on an implementation of its own."""
    for path in sorted(ROOT.glob("packages/*/tests/test_conformance*.py")):
        spec = importlib.util.spec_from_file_location(f"nightly_{path.parts[-3]}_{path.stem}".replace("-", "_"), path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, member in vars(module).items():
            if name.startswith("Test") and isinstance(member, type) and issubclass(member, Suite):
                yield member


def run(examples: int, seed: int) -> bool:
    """Examine all suites, print what fails, and say whether nothing did."""
    Suite.seed = seed
    settings = hypothesis.settings(max_examples=examples, database=None)
    good = True
    for suite in suites():
        failures = {id: failure for id, failure in examine(suite, settings=settings).items() if failure}
        print(f"{suite.__name__} (seed {seed}, {examples} examples): {len(failures)} failed")
        for failure in failures.values():
            print(failure)
        good = good and not failures
    return good
