"""Run every check, cheap ones first, and print a table of what they said."""

from __future__ import annotations

import sys
import time

from tools.checks import boundaries, bounds, lowest, text, types, wheels
from tools.checks.report import arguments, verdict

CHECKS = {
    "bounds": bounds.check,
    "text": text.check,
    "boundaries": boundaries.check,
    "types": types.check,
    "wheels": wheels.check,
    "lowest": lowest.check,
}


def main() -> int:
    workspace = arguments()
    rows: list[tuple[str, bool, float]] = []
    for name, check in CHECKS.items():
        start = time.monotonic()
        good = verdict(name, check, workspace)
        rows.append((name, good, time.monotonic() - start))
    print(f"\n{'check':12}{'verdict':9}{'seconds':>7}")
    for name, good, seconds in rows:
        print(f"{name:12}{'ok' if good else 'FAULT':9}{seconds:7.1f}")
    return 0 if all(good for _, good, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
