"""
`python -m tools.nightly`: what is too long for every run.

It soaks the caches and pools, fuzzes what comes from strangers, runs the conformance suites with many examples, and
then the whole test suite again and again, each time from another seed.
"""

import argparse
import random
import subprocess
import sys

from tools.nightly import fuzz_auth, fuzz_compress, messaging, soak, soak_pool, soak_postgres, soak_redis, suites


def main() -> int:
    """Run everything, print what came out, and return an exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.nightly", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=600, help="how long to soak or fuzz, each time (default: %(default)s)"
    )
    parser.add_argument("--examples", type=int, default=2_000, help="examples a check (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="runs of the whole test suite (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="where the choices start from")
    options = parser.parse_args()
    verdicts = [
        soak.run(options.seconds, options.seed),
        soak_redis.run(options.seconds, options.seed),
        soak_pool.run(soak_pool.OPERATIONS, options.seed),
        soak_postgres.run(soak_postgres.OPERATIONS, options.seed),
        *[messaging.run(engine, messaging.MESSAGES, options.seed) for engine in messaging.ENGINES],
        fuzz_auth.run(options.seconds, options.seed),
        fuzz_compress.run(options.seconds, options.seed),
        suites.run(options.examples, options.seed),
    ]
    for number in range(options.repeat):
        seed = options.seed + number + 1
        command = ["pytest", "-q", f"--conformance-seed={seed}", f"--hypothesis-seed={seed}"]
        print(f"run {number + 1} of {options.repeat}: {' '.join(command)}", flush=True)
        verdicts.append(subprocess.run([sys.executable, "-m", *command], check=False).returncode == 0)
    print(f"{sum(verdicts)} passed, {len(verdicts) - sum(verdicts)} failed")
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
