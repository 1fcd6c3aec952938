"""The results of ``bench/cluster.py`` as a picture: a panel for a metric, a bar for a client."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.cluster_report import metrics_of
from bench.cluster_work import BOUNDS, CLIENTS, OURS
from bench.harness import Results
from bench.wire.report import text
from bench.workload import Metric, Size, Workload

COLUMNS = 3
OWN, OTHERS, TARGET = "#009E73", "#9AA5B1", "#D55E00"
PANEL_INCHES = 1.5


def draw(results: Results, workloads: Sequence[tuple[Workload, Size]], path: Path) -> None:
    """Write the picture to ``path``."""
    metrics = [each for each in metrics_of(workloads) if each.name in results.figures]
    rows = ceil(len(metrics) / COLUMNS)
    figure = Figure(figsize=(14, 0.8 + PANEL_INCHES * rows), dpi=100, layout="constrained")
    figure.suptitle(
        "Nodes of a cluster: medians; green is greenrelay, | its target",
        x=0.01,
        ha="left",
        weight="bold",
    )
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for ax, metric in zip(axes, metrics, strict=False):
        _panel(ax, metric, results)
    for ax in list(axes)[len(metrics) :]:
        ax.set_axis_off()
    figure.savefig(path)


def _panel(ax: Axes, metric: Metric, results: Results) -> None:
    medians = {client: results.median(metric.name, client.name) for client in CLIENTS}
    found = [(client, figure) for client, figure in medians.items() if figure is not None]
    colours = [OWN if client is OURS else OTHERS for client, _ in found]
    ax.barh(range(len(found)), [figure for _, figure in found], 0.8, color=colours)
    for row, (client, figure) in enumerate(found):
        mark = _mark(metric) if client is OURS else None
        if mark is not None:
            ax.plot([mark] * 2, [row - 0.4, row + 0.4], color=TARGET, linewidth=2)
        # Beyond the mark, which would be drawn over it.
        place = (max(figure, mark or 0.0), row)
        ax.annotate(f" {text(figure, metric.unit)}", place, va="center", fontsize=8)
    ax.set_yticks(range(len(found)), [client.title for client, _ in found], fontsize=8)
    ax.set_ylim(len(found) - 0.4, -0.6)
    better = "more" if metric.is_rate or metric.unit == "x" else "less"
    ax.set_title(f"{metric.title}  ({better} is better)", loc="left", fontsize=9)
    ax.margins(x=0.2)
    ax.set_xticks([])
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _mark(metric: Metric) -> float | None:
    """Return where the target of a metric is, None where there is none."""
    for bound in BOUNDS:
        if bound.metric == metric.name:
            return bound.goal
    return None
