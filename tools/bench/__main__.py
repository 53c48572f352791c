"""`python -m tools.bench [NAME ...]`: run the benches, or some, write RESULTS.md and a picture for each."""

import importlib
import platform
import re
import sys
from pathlib import Path

from tools.bench.plot import plot

HERE = Path(__file__).parent
BENCHES = {
    "result": "infra-result",
    "codec": "infra-protocols: codecs",
    "auth": "infra-auth",
    "cache": "infra-cache",
    "hit_ratio": "infra-cache, hit ratios",
    "redis": "infra-cache on Redis",
    "pool": "infra-pool",
    "compress": "infra-compress",
    "health": "infra-health",
    "events": "infra-messaging, events",
    "messaging_rabbitmq": "infra-messaging on RabbitMQ",
    "messaging_redis": "infra-messaging on Redis",
    "messaging_nats": "infra-messaging on NATS",
    "messaging": "infra-messaging, in memory",
    "outbox": "infra-messaging: outbox and inbox",
}


def main(names: list[str]) -> None:
    """Run the benches called `names`, or all."""
    for name in names or BENCHES:
        title = BENCHES[name]
        tables = importlib.import_module(f"tools.bench.{name}").tables()
        plot(tables, HERE / f"{name}.svg")
        section = "\n\n".join([f"## {title}", f"![{title}]({name}.svg)", *(t.markdown() for t in tables)])
        print(section, end="\n\n")
        _replace(title, section)


def _replace(title: str, section: str) -> None:
    path = HERE / "RESULTS.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    sections = {
        match[1]: match[0].strip() for match in re.finditer(r"^## ([^\n]+)\n.*?(?=\n## |\Z)", text, re.S | re.M)
    }
    sections[title] = section
    head = (
        "# Bench results\n\n"
        f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, "
        "all contenders of a table in one process, in turn; medians. "
        "Run anew: `uv run --isolated --group bench python -m tools.bench`.\n"
    )
    path.write_text(
        "\n\n".join([head.strip(), *(sections[each] for each in BENCHES.values() if each in sections)]) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
