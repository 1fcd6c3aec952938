"""The results as Markdown to read and as JSON to keep."""

from __future__ import annotations

from collections.abc import Sequence

from bench.harness import Results
from bench.report import figure_text
from bench.wire.bound import Bound, Verdict, judge
from bench.wire.load import Kind, Load
from bench.wire.peer import CEILING, RAW, Peer
from bench.workload import Metric, Size

WORDS = {"goal": "goal reached", "gate": "gate holds", "MISSED": "**missed**"}


def peers_of(loads: Sequence[Load]) -> list[Peer]:
    """Return whoever has a load, in the order they are named, ours last."""
    found: dict[str, Peer] = {}
    for load in loads:
        found |= {peer.name: peer for peer in load.peers}
    return sorted(found.values(), key=lambda peer: (peer.is_ours, not peer.is_ceiling))


def metrics_of(loads: Sequence[tuple[Load, Size]]) -> list[Metric]:
    """Return the metrics in the order of the loads."""
    return [metric for load, size in loads for metric in load.metrics(size)]


def markdown(
    title: str,
    results: Results,
    loads: Sequence[tuple[Load, Size]],
    bounds: Sequence[Bound],
    machine: dict[str, str],
    failures: Sequence[str] = (),
) -> str:
    """Return the whole summary; ``failures`` are of those that have no figure therefore."""
    verdicts = judge(results, bounds)
    peers = peers_of([load for load, _ in loads])
    titles = {peer.name: peer.title for peer in peers}
    metrics = metrics_of(loads)
    lines = [f"# {title}", ""]
    lines += [", ".join(f"{name} {value}" for name, value in machine.items()) + ".", ""]
    if verdicts:
        lines += ["## Gates and goals", "", *_bounds(verdicts, metrics, titles), ""]
    lines += ["## Figures", "", "Medians of the rounds; beside them, of raw gevent TCP.", ""]
    lines += _figures(results, metrics, peers)
    if failures:
        lines += ["", "Not done:", "", *(f"- {failure}" for failure in failures)]
    if any(load.kind is Kind.ECHO for load, _ in loads):
        lines += ["", "## The load generator", "", *_generator(results, loads)]
    return "\n".join(lines) + "\n"


def _bounds(
    verdicts: Sequence[Verdict], metrics: Sequence[Metric], titles: dict[str, str]
) -> list[str]:
    units = {metric.name: metric for metric in metrics}
    rows = [["what", "of", "measured", "gate", "goal", ""]]
    for verdict in verdicts:
        bound = verdict.bound
        metric = units[bound.metric]
        unit = "x" if bound.of else metric.unit
        sign = "<=" if bound.is_most else ">="
        rows.append(
            [
                f"{titles[bound.peer]}: {metric.title}",
                titles.get(bound.of, bound.of),
                text(verdict.value, unit),
                f"{sign} {text(bound.gate, unit)}",
                f"{sign} {text(bound.goal, unit)}",
                WORDS[verdict.word],
            ]
        )
    missed = sum(verdict.word == "MISSED" for verdict in verdicts)
    reached = sum(verdict.word == "goal" for verdict in verdicts)
    summary = (
        f"{len(verdicts) - missed} of {len(verdicts)} gates hold, {reached} goals are reached."
    )
    return [*_table(rows), "", summary]


def _figures(results: Results, metrics: Sequence[Metric], peers: Sequence[Peer]) -> list[str]:
    rows = [["", *(peer.title for peer in peers)]]
    for metric in metrics:
        cells = [metric.title]
        for peer in peers:
            cell = text(results.median(metric.name, peer.name), metric.unit)
            ratio = results.ratio(metric.name, peer.name, of=RAW.name)
            is_compared = ratio is not None and peer is not RAW and metric.unit != "x"
            cells.append(f"{cell} ({text(ratio, 'x')})" if is_compared else cell)
        rows.append(cells)
    return _table(rows)


def _generator(results: Results, loads: Sequence[tuple[Load, Size]]) -> list[str]:
    """Say whether the generator could have been what was measured."""
    rows = [["load", "its ceiling", "the fastest server", "its core was busy"]]
    for load, size in loads:
        if load.kind is not Kind.ECHO:
            continue
        ceiling = results.median(load.name, CEILING.name)
        servers = [peer for peer in load.peers if not peer.is_ceiling]
        rates = {peer.name: results.median(load.name, peer.name) or 0.0 for peer in servers}
        fastest = max(servers, key=lambda peer: rates[peer.name])
        busy = results.median(f"{load.name}_load_cpu", fastest.name) or 0.0
        rows.append(
            [
                load.metrics(size)[0].title,
                text(ceiling, "/s"),
                f"{text(rates[fastest.name], '/s')}, {fastest.title}",
                f"{busy:.0%}",
            ]
        )
    note = "The ceiling is what a trivial echo server in C gets out of it, on the server's core."
    return [*_table(rows), "", note]


def text(figure: float | None, unit: str) -> str:
    """Return a figure with its unit; a ratio has none."""
    if figure is not None and unit == "x":
        return f"{figure:.0f}" if figure >= 100 else f"{figure:#.3g}".rstrip(".")
    return figure_text(figure, unit)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def as_json(
    results: Results,
    loads: Sequence[tuple[Load, Size]],
    bounds: Sequence[Bound],
    machine: dict[str, str],
) -> dict[str, object]:
    """Return everything: the rounds, medians, counts, verdicts, and the machine."""
    peers = peers_of([load for load, _ in loads])
    metrics = {
        metric: {
            name: {
                "rounds": [_short(figure) for figure in series],
                "median": _short(results.median(metric, name)),
                "of_raw": _short(results.ratio(metric, name, of=RAW.name)),
            }
            for name, series in by_peer.items()
        }
        for metric, by_peer in results.figures.items()
    }
    verdicts = [
        {
            "peer": verdict.bound.peer,
            "metric": verdict.bound.metric,
            "of": verdict.bound.of or None,
            "is_most": verdict.bound.is_most,
            "gate": verdict.bound.gate,
            "goal": verdict.bound.goal,
            "value": _short(verdict.value),
            "verdict": verdict.word,
        }
        for verdict in judge(results, bounds)
    ]
    return {
        "machine": machine,
        "repeated": results.repeated,
        "peers": {peer.name: peer.title for peer in peers},
        "titles": {metric.name: metric.title for metric in metrics_of(loads)},
        "metrics": metrics,
        "counted": results.counted,
        "bounds": verdicts,
    }


def _short(figure: float | None) -> float | None:
    return None if figure is None else float(f"{figure:.5g}")
