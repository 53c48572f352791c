"""The page for people: one document that needs nothing else, and works without its script."""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from string import Template
from typing import Final

from infra_health._history import History
from infra_health._shown import MARKS, measured, remarks, seconds
from infra_protocols import HealthReport, HealthResult, HealthStatus

_STYLE: Final = """
:root { color-scheme: light dark; --pass: #1a7f37; --warn: #8a5a00; --fail: #c62828; --line: #d0d4da; --soft: #57606a;
  --back: #ffffff; --text: #1f2328 }
@media (prefers-color-scheme: dark) { :root { --pass: #4ac26b; --warn: #e3b341; --fail: #ff7b72; --line: #3d444d;
  --soft: #9da7b3; --back: #0d1117; --text: #e6edf3 } }
body { font: 16px/1.5 system-ui, sans-serif; background: var(--back); color: var(--text); margin: 0 auto;
  max-width: 68rem; padding: 1.5rem }
h1 { font-size: 1.25rem; margin: 0 }
header { align-items: baseline; display: flex; flex-wrap: wrap; gap: 1rem; justify-content: space-between }
button { font: inherit; padding: .2rem .8rem }
.whole { border-left: .4rem solid; font-size: 1.5rem; font-weight: 600; margin: 1rem 0; padding: .5rem 1rem }
.healthy { color: var(--pass) } .degraded { color: var(--warn) } .unhealthy { color: var(--fail) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid var(--line); padding: .5rem .75rem .5rem 0; text-align: left; vertical-align: top }
thead th { color: var(--soft); font-size: .85rem; font-weight: 500 }
tbody th { font-weight: 600 }
.status { font-weight: 600; white-space: nowrap }
.number { font-variant-numeric: tabular-nums; white-space: nowrap }
.soft, footer { color: var(--soft); font-size: .85rem }
svg { display: block }
rect { fill: currentColor }
"""

# It fetches the same page again and takes over what has changed; whoever reads can stop it (WCAG 2.2.2).
_SCRIPT: Final = """
const button = document.querySelector("button");
let going = true;
button.hidden = false;
button.addEventListener("click", () => {
  going = !going;
  button.textContent = going ? "Pause updates" : "Resume updates";
});
async function update() {
  if (!going || document.hidden) return;
  const lost = document.querySelector("#lost");
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = next.title;
    for (const id of ["whole", "checks", "told"]) {
      const now = document.getElementById(id), then = next.getElementById(id);
      if (now.innerHTML !== then.innerHTML) now.innerHTML = then.innerHTML;
    }
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
}
setInterval(update, 5000);
"""

_PAGE: Final = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$status: $title</title>
<link rel="icon" href="data:,">
<style>$style</style>
</head>
<body>
<header><h1>$title</h1><button type="button" hidden>Pause updates</button></header>
<main>
<div id="whole" role="status"><p class="whole $status">$mark $status</p></div>
<p id="lost" role="alert" class="unhealthy" hidden>No answer from the service: what is shown is old.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Checks">
<table>
<thead><tr><th scope="col">Check</th><th scope="col">Status</th><th scope="col">Took</th><th scope="col">Measured</th>
<th scope="col">Remarks</th><th scope="col">History, latest right</th></tr></thead>
<tbody id="checks">$rows</tbody>
</table>
</div>
</main>
<footer id="told"><p>$about</p></footer>
<script>$script</script>
</body>
</html>
""")

_BAR: Final = 4
_TALL: Final = 24
_HEIGHTS: Final = {HealthStatus.HEALTHY: 8, HealthStatus.DEGRADED: 16, HealthStatus.UNHEALTHY: _TALL}


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{_hash(_STYLE)}'; script-src 'sha256-{_hash(_SCRIPT)}'"
)


def page(report: HealthReport, history: History, *, messages: bool) -> str:
    status = report.status
    rows = [_row(path, found, history, messages=messages) for path, found in report.result.leaves()]
    told = [
        f"{label} {escape(value)}"
        for label, value in (
            ("Version", report.version),
            ("Release", report.release_id),
            ("Instance", report.service_id),
        )
        if value is not None
    ]
    if report.result.checked_at is not None:
        told.append(f"Checked at {report.result.checked_at:%Y-%m-%d %H:%M:%S %Z}")
    return _PAGE.substitute(
        title=escape(report.description or "Health"),
        status=status.value,
        mark=MARKS[status],
        rows="".join(rows),
        about=" · ".join(told),
        style=_STYLE,
        script=_SCRIPT,
    )


def _row(path: str, found: HealthResult, history: History, *, messages: bool) -> str:
    status = found.status.value
    return (
        f'<tr><th scope="row">{escape(path)}</th>'
        f'<td class="status {status}">{MARKS[found.status]} {status}</td>'
        f'<td class="number">{seconds(found.duration)}</td>'
        f'<td class="number">{escape(measured(found))}</td>'
        f"<td>{escape(remarks(found, messages=messages))}</td>"
        f"<td>{_bars(history.of(path), history.length)}</td></tr>"
    )


def _bars(results: Sequence[HealthResult], places: int) -> str:
    # Heights besides colours; the label tells the same to those who see neither.
    counts = ", ".join(
        f"{count} {status.value}" for status in MARKS if (count := sum(each.status is status for each in results))
    )
    width, first = places * _BAR, places - len(results)
    bars = "".join(
        f'<rect class="{each.status.value}" x="{place * _BAR}" y="{_TALL - _HEIGHTS[each.status]}"'
        f' width="{_BAR - 1}" height="{_HEIGHTS[each.status]}"><title>{_when(each)}</title></rect>'
        for place, each in enumerate(results, first)
    )
    label = f'role="img" aria-label="The last {len(results)}: {counts}"'
    return f'<svg {label} width="{width}" height="{_TALL}" viewBox="0 0 {width} {_TALL}">{bars}</svg>'


def _when(result: HealthResult) -> str:
    moment = "" if result.checked_at is None else f"{result.checked_at:%H:%M:%S} "
    return escape(f"{moment}{result.status.value} {result.cause or ''}".rstrip())
