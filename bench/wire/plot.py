"""The results as a picture: a small panel for each metric, a bar for each server."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.harness import Results
from bench.wire.bound import Bound
from bench.wire.load import Load
from bench.wire.peer import Peer
from bench.wire.report import metrics_of, peers_of, text
from bench.workload import Metric, Size

COLUMNS = 3
OURS, OTHERS, CEILING = "#009E73", "#9AA5B1", "#E3E7EB"
GATE, GOAL = "#D55E00", "#0072B2"
BAR_INCHES = 0.21


def draw(
    title: str,
    results: Results,
    loads: Sequence[tuple[Load, Size]],
    bounds: Sequence[Bound],
    path: Path,
) -> None:
    """Write the picture to ``path``."""
    metrics = [each for each in metrics_of(loads) if each.name in results.figures]
    peers = peers_of([load for load, _ in loads])
    rows = ceil(len(metrics) / COLUMNS)
    height = 1.2 + rows * (0.75 + BAR_INCHES * len(peers))
    figure = Figure(figsize=(14, height), dpi=100, layout="constrained")
    figure.suptitle(
        f"{title}: medians; green is greenrelay, | orange its gate, | blue its goal",
        x=0.01,
        ha="left",
        weight="bold",
    )
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for ax, metric in zip(axes, metrics, strict=False):
        _panel(ax, metric, results, peers, bounds)
    for ax in list(axes)[len(metrics) :]:
        ax.set_axis_off()
    figure.savefig(path)


def _panel(
    ax: Axes,
    metric: Metric,
    results: Results,
    peers: Sequence[Peer],
    bounds: Sequence[Bound],
) -> None:
    medians = {peer.name: results.median(metric.name, peer.name) for peer in peers}
    found = [(peer, figure) for peer in peers if (figure := medians[peer.name]) is not None]
    figures = [figure for _, figure in found]
    colours = [
        OURS if peer.is_ours else CEILING if peer.is_ceiling else OTHERS for peer, _ in found
    ]
    ax.barh(range(len(found)), figures, 0.8, color=colours)
    # One that is far above all others would make them all look alike.
    is_wide = max(figures) > 50 * (min(figures) or 1)
    if is_wide:
        ax.set_xscale("log")
    for row, (peer, figure) in enumerate(found):
        own = [each for each in bounds if (each.metric, each.peer) == (metric.name, peer.name)]
        marks = [mark for bound in own for mark in _marks(ax, row, bound, medians)]
        # Beyond the marks, which would be drawn over it.
        place = (max([figure, *marks]), row)
        ax.annotate(f" {text(figure, metric.unit)}", place, va="center", fontsize=7)
    ax.set_yticks(range(len(found)), [peer.title for peer, _ in found], fontsize=7)
    ax.invert_yaxis()
    better = "more" if metric.is_rate else "less"
    ax.set_title(f"{metric.title}  ({better} is better)", loc="left", fontsize=9)
    ax.margins(x=0.2)
    ax.set_xticks([])
    ax.set_xticks([], minor=True)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _marks(ax: Axes, row: int, bound: Bound, medians: dict[str, float | None]) -> list[float]:
    """Draw gate and goal, and return where."""
    base = medians.get(bound.of) if bound.of else 1.0
    if base is None:
        return []
    for limit, colour in ((bound.gate, GATE), (bound.goal, GOAL)):
        ax.plot([limit * base] * 2, [row - 0.4, row + 0.4], color=colour, linewidth=1.5)
    return [bound.gate * base, bound.goal * base]
