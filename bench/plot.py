"""The results as a picture: how many times plain gevent each contender is, target included."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.contender import BASELINE, Contender
from bench.harness import Results
from bench.report import figure_text
from bench.workload import Metric, Size, Workload

# Told apart by those who see colours differently too (Okabe and Ito).
COLOURS = ("#009E73", "#56B4E9", "#E69F00", "#CC79A7", "#999999", "#0072B2", "#D55E00")
BAR = 0.8
ROW_INCHES = 0.7


def draw(
    results: Results,
    contenders: Sequence[Contender],
    workloads: Sequence[tuple[Workload, Size]],
    path: Path,
) -> None:
    """Write the picture to ``path``; rates above, what should be small below."""
    metrics = [
        metric
        for workload, size in workloads
        for metric in workload.metrics(size)
        if metric.name in results.figures and metric.unit != "KiB"
    ]
    rates = [metric for metric in metrics if metric.is_rate]
    costs = [metric for metric in metrics if not metric.is_rate]
    panels = [panel for panel in (rates, costs) if panel]
    figure = Figure(figsize=(11, 1.8 + ROW_INCHES * len(metrics)), dpi=110, layout="constrained")
    axes = figure.subplots(
        len(panels), squeeze=False, gridspec_kw={"height_ratios": [len(each) for each in panels]}
    )
    rivals = [each for each in contenders if each.name != BASELINE]
    for panel, ax in zip(panels, axes[:, 0], strict=True):
        _fill(ax, panel, results, rivals)
    base = next((each.title for each in contenders if each.name == BASELINE), BASELINE)
    first: Axes = axes[0, 0]
    first.set_title(
        f"Processes, compared with {base} (1x; its figure is under each name)",
        loc="left",
        pad=30,
        fontsize=12,
        weight="bold",
    )
    handles, labels = first.get_legend_handles_labels()
    # One line for the targets, after the bars.
    legend = dict(sorted(zip(labels, handles, strict=True), key=lambda each: each[0] == "target"))
    first.legend(
        legend.values(),
        legend.keys(),
        loc="lower left",
        bbox_to_anchor=(-0.2, 1),
        ncols=len(legend),
        frameon=False,
        fontsize=9,
    )
    figure.savefig(path)


def _fill(
    ax: Axes, metrics: Sequence[Metric], results: Results, rivals: Sequence[Contender]
) -> None:
    height = BAR / len(rivals)
    for index, contender in enumerate(rivals):
        offset = (index - (len(rivals) - 1) / 2) * height
        _bars(ax, metrics, results, contender, COLOURS[index % len(COLOURS)], offset, height)
    ax.axvline(1, color="black", linewidth=1)
    for row in range(1, len(metrics)):
        ax.axhline(row - 0.5, color="#eeeeee", linewidth=0.8, zorder=0)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    labels = [
        f"{metric.title}\n{figure_text(results.median(metric.name, BASELINE), metric.unit)}"
        for metric in metrics
    ]
    ax.set_yticks(range(len(metrics)), labels, fontsize=9)
    ax.set_ylim(len(metrics) - 0.5, -0.5)
    ax.grid(axis="x", color="#dddddd", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    better = "right" if metrics[0].is_rate else "left"
    ax.set_xlabel(f"further to the {better} is better", fontsize=9)


def _bars(
    ax: Axes,
    metrics: Sequence[Metric],
    results: Results,
    contender: Contender,
    colour: str,
    offset: float,
    height: float,
) -> None:
    ratios = [results.ratio(metric.name, contender.name) for metric in metrics]
    places = [row for row, ratio in enumerate(ratios) if ratio]
    found = [ratio for ratio in ratios if ratio]
    ax.barh(
        [row + offset for row in places],
        [ratio - 1 for ratio in found],
        height * 0.92,
        left=1,
        color=colour,
        label=contender.title,
    )
    bounds = [_bound(metric, results, contender) for metric in metrics]
    rows = [row for row, bound in enumerate(bounds) if bound]
    ax.scatter(
        [bound for bound in bounds if bound],
        [row + offset for row in rows],
        marker="|",
        s=130,
        linewidths=2.5,
        color="black",
        zorder=3,
        label="target" if contender.targets else None,
    )


def _bound(metric: Metric, results: Results, contender: Contender) -> float | None:
    base = results.median(metric.name, BASELINE)
    for target in contender.targets:
        if target.metric != metric.name or target.of != BASELINE or target.of_metric:
            continue
        if target.at_most is None:
            return target.at_least
        return target.at_most / base if base else None
    return None
