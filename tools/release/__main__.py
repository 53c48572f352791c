"""Check a release tag and print the distribution that it releases: `python -m tools.release TAG`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tools.checks.workspace import ROOT
from tools.release.tag import RefusedTagError, released


def main(argv: Sequence[str]) -> int:
    if len(argv) != 1:
        print("usage: python -m tools.release TAG", file=sys.stderr)
        return 2
    try:
        print(released(ROOT, argv[0]).name)
    except RefusedTagError as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
