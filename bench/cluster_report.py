"""The results of ``bench/cluster.py`` as Markdown to read and as JSON to keep."""

from __future__ import annotations

from collections.abc import Sequence

from bench.cluster_work import BOUNDS, CLIENTS, ENGINE, OURS
from bench.harness import Results
from bench.wire.bound import Bound, Verdict, judge
from bench.wire.report import text
from bench.workload import Metric, Size, Workload

Sized = tuple[Workload, Size]


def metrics_of(workloads: Sequence[Sized]) -> list[Metric]:
    """Return the metrics in the order of the workloads."""
    return [metric for workload, size in workloads for metric in workload.metrics(size)]


def markdown(results: Results, workloads: Sequence[Sized], machine: dict[str, str]) -> str:
    """Return the whole summary."""
    metrics = metrics_of(workloads)
    lines = ["# Nodes of a cluster", ""]
    lines += [", ".join(f"{name} {value}" for name, value in machine.items()) + ".", ""]
    verdicts = judge(results, BOUNDS)
    if verdicts:
        lines += ["## Targets", "", *_targets(verdicts, metrics), ""]
    lines += ["## Figures", "", "Medians of the rounds; beside them, of the engine by itself.", ""]
    lines += _figures(results, metrics)
    return "\n".join(lines) + "\n"


def _targets(verdicts: Sequence[Verdict], metrics: Sequence[Metric]) -> list[str]:
    units = {metric.name: metric for metric in metrics}
    rows = [["what", "measured", "target", ""]]
    for verdict in verdicts:
        bound = verdict.bound
        unit = units[bound.metric].unit
        sign = "<=" if bound.is_most else ">="
        rows.append(
            [
                units[bound.metric].title,
                text(verdict.value, unit),
                f"{sign} {text(bound.goal, unit)}",
                "met" if is_met(verdict) else "**missed**",
            ]
        )
    number = sum(map(is_met, verdicts))
    return [*_table(rows), "", f"{number} of {len(verdicts)} targets are met."]


def is_met(verdict: Verdict) -> bool:
    """Whether a target is reached; there are no goals beyond."""
    return verdict.reaches(verdict.bound.goal)


def _figures(results: Results, metrics: Sequence[Metric]) -> list[str]:
    rows = [["", *(client.title for client in CLIENTS)]]
    for metric in metrics:
        cells = [metric.title]
        for client in CLIENTS:
            cell = text(results.median(metric.name, client.name), metric.unit)
            ratio = results.ratio(metric.name, client.name, of=ENGINE.name)
            is_compared = ratio is not None and client is not ENGINE
            cells.append(f"{cell} ({text(ratio, 'x')})" if is_compared else cell)
        rows.append(cells)
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def as_json(
    results: Results, workloads: Sequence[Sized], machine: dict[str, str], rounds: int
) -> dict[str, object]:
    """Return everything: the rounds, medians, counts, verdicts, and the machine."""
    metrics = {
        metric: {
            name: {
                "rounds": [_short(figure) for figure in series],
                "median": _short(results.median(metric, name)),
                "of_engine": _short(results.ratio(metric, name, of=ENGINE.name)),
            }
            for name, series in by_client.items()
        }
        for metric, by_client in results.figures.items()
    }
    return {
        "machine": machine,
        "rounds": rounds,
        "clients": {client.name: client.title for client in CLIENTS},
        "titles": {metric.name: metric.title for metric in metrics_of(workloads)},
        "metrics": metrics,
        "counted": results.counted,
        "targets": [_target(verdict) for verdict in judge(results, BOUNDS)],
    }


def _target(verdict: Verdict) -> dict[str, object]:
    bound: Bound = verdict.bound
    return {
        "client": OURS.name,
        "metric": bound.metric,
        "at_most" if bound.is_most else "at_least": bound.goal,
        "value": _short(verdict.value),
        "is_met": is_met(verdict),
    }


def _short(figure: float | None) -> float | None:
    return None if figure is None else float(f"{figure:.5g}")
