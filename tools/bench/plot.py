"""The tables as pictures: a bar a contender, with the promise as a line."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tools.bench.harness import Table
from tools.bench.hit_ratio import MUST, OURS, REFERENCE, SIZES, HitTable


def plot(tables: list[Table] | list[HitTable], path: Path) -> None:
    """Write all `tables` as one SVG picture."""
    mpl.rcParams["svg.hashsalt"] = "infra"  # the same figures make the same file
    figure = Figure(figsize=(9, 1.1 * sum(1 + 0.35 * len(table.rows) for table in tables)), layout="constrained")
    axes = figure.subplots(len(tables), 1, height_ratios=[1 + len(table.rows) for table in tables], squeeze=False)
    for ax, table in zip(axes[:, 0], tables, strict=True):
        if isinstance(table, Table):
            _plot_ratios(ax, table)
        else:
            _plot_points(ax, table)
        ax.set_title(table.title, fontsize=10, loc="left")
        ax.tick_params(labelsize=8)
        ax.margins(x=0.15)
    figure.savefig(path, format="svg", metadata={"Date": None})


def _plot_ratios(ax: Axes, table: Table) -> None:
    """Draw ratios to the floor, on a logarithmic scale."""
    rows = table.rows[::-1]
    ours = ["tab:blue" if row.must or row.name.startswith(("infra", "InMemory")) else "silver" for row in rows]
    bars = ax.barh([row.name for row in rows], [row.ratio for row in rows], color=ours)
    ax.bar_label(bars, [f"{row.ratio:.1f}x" for row in rows], padding=3, fontsize=8)
    for bound in {row.must for row in rows if row.must}:
        ax.axvline(bound, color="tab:red", linestyle=":", linewidth=1)
    ax.set_xscale("log")


def _plot_points(ax: Axes, table: HitTable) -> None:
    """Draw hit ratios, the larger cache behind the smaller one."""
    names = list(table.rows)[::-1]
    for nth in reversed(range(len(SIZES))):
        colors = [("tab:blue" if name == OURS else "silver", 1 / (nth + 1)) for name in names]
        bars = ax.barh(names, [table.rows[name][nth] for name in names], color=colors)
        ax.bar_label(bars, [f"{table.rows[name][nth]:.1f} %" for name in names], padding=3, fontsize=8)
        ax.axvline(table.rows[REFERENCE][nth] - MUST, color="tab:red", linestyle=":", linewidth=1)
