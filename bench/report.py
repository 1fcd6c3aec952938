"""The results as a table to read and as JSON to keep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.contender import BASELINE, Contender, Target
from bench.harness import Results
from bench.workload import Metric, Size, Workload


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether ``contender`` has reached ``target``, with the value that was compared."""

    contender: Contender
    target: Target
    value: float

    @property
    def is_met(self) -> bool:
        """Whether the target is reached."""
        if self.target.at_most is not None:
            return self.value <= self.target.at_most
        return self.value >= self.target.at_least

    @property
    def word(self) -> str:
        """The same for a table."""
        return "met" if self.is_met else "MISSED"


def judge(results: Results, contenders: Iterable[Contender]) -> list[Verdict]:
    """Return a verdict for each target whose figures are there."""
    verdicts = []
    for contender in contenders:
        for target in contender.targets:
            if target.at_most is not None:
                value = results.median(target.metric, contender.name)
            else:
                value = results.ratio(
                    target.metric, contender.name, of=target.of, of_metric=target.of_metric
                )
            if value is not None:
                verdicts.append(Verdict(contender, target, value))
    return verdicts


def table(
    results: Results,
    contenders: Sequence[Contender],
    workloads: Sequence[tuple[Workload, Size]],
) -> str:
    """Return an aligned table: a row for each metric, a column for each contender."""
    verdicts = judge(results, contenders)
    rows = [_headings(contenders)]
    for workload, size in workloads:
        for metric in workload.metrics(size):
            rows.append(_row(metric, results, contenders, verdicts))
    lines = _aligned(rows)
    lines += [f"x: of {_title(BASELINE, contenders)}, in the same round; the middle round counts."]
    lines += [
        f"{each.title} does a {each.divisor}th of everything: of the operations and of the crowd."
        for each in contenders
        if each.divisor > 1
    ]
    others = [each for each in verdicts if not _is_in_the_row(each.target)]
    if others:
        lines += ["", "Further targets"]
        lines += _aligned([_sentence(each, contenders) for each in others])
    missed = sum(1 for each in verdicts if not each.is_met)
    lines += ["", f"{len(verdicts) - missed} of {len(verdicts)} targets are met."]
    return "\n".join(lines)


def _is_in_the_row(target: Target) -> bool:
    return target.of == BASELINE and not target.of_metric


def _headings(contenders: Sequence[Contender]) -> list[str]:
    cells = ["workload"]
    for each in contenders:
        cells.append(each.title)
        cells += ["x"] if each.name != BASELINE else []
        cells += ["target", ""] if each.targets else []
    return cells


def _row(
    metric: Metric,
    results: Results,
    contenders: Sequence[Contender],
    verdicts: Sequence[Verdict],
) -> list[str]:
    cells = [metric.title]
    for each in contenders:
        cells.append(figure_text(results.median(metric.name, each.name), metric.unit))
        if each.name != BASELINE:
            cells.append(_ratio_text(results.ratio(metric.name, each.name)))
        if each.targets:
            found = [
                verdict
                for verdict in verdicts
                if verdict.contender is each
                and verdict.target.metric == metric.name
                and _is_in_the_row(verdict.target)
            ]
            cells += [_bound_text(found[0].target, metric), found[0].word] if found else ["", ""]
    return cells


def _bound_text(target: Target, metric: Metric) -> str:
    if target.at_most is not None:
        return f"<= {figure_text(target.at_most, metric.unit)}"
    return f">= {target.at_least:g}"


def _sentence(verdict: Verdict, contenders: Sequence[Contender]) -> list[str]:
    target = verdict.target
    what = f"its own {target.of_metric}" if target.of_metric else _title(target.of, contenders)
    return [
        f"{verdict.contender.title}, {target.metric} of {what}",
        _ratio_text(verdict.value),
        f">= {target.at_least:g}",
        verdict.word,
    ]


def _title(name: str, contenders: Sequence[Contender]) -> str:
    return next((each.title for each in contenders if each.name == name), name)


def figure_text(figure: float | None, unit: str) -> str:
    """Return a figure with three digits and its unit."""
    if figure is None:
        return "-"
    if unit != "/s":
        return f"{figure:,.2f} {unit}" if unit == "ms" else f"{figure:,.0f} {unit}"
    for name, size in (("M", 1e6), ("k", 1e3)):
        if figure >= size:
            return f"{figure / size:#.3g}".rstrip(".") + f" {name}/s"
    return f"{figure:.0f} /s"


def _ratio_text(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:#.3g}".rstrip(".")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [
            # Words line up on the left, figures on the right.
            cell.ljust(width) if cell in ("met", "MISSED") else cell.rjust(width)
            for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def as_json(
    results: Results, contenders: Sequence[Contender], machine: dict[str, str], rounds: int
) -> dict[str, object]:
    """Return everything: the rounds, medians, ratios, counts, verdicts, and the machine."""
    metrics = {
        metric: {
            name: {
                "rounds": [_short(figure) for figure in series],
                "median": _short(results.median(metric, name)),
                "ratio": _short(results.ratio(metric, name)),
            }
            for name, series in by_contender.items()
        }
        for metric, by_contender in results.figures.items()
    }
    targets = [
        {
            "contender": verdict.contender.name,
            "metric": verdict.target.metric,
            "of": verdict.target.of if verdict.target.at_most is None else None,
            "of_metric": verdict.target.of_metric or None,
            "at_least": verdict.target.at_least if verdict.target.at_most is None else None,
            "at_most": verdict.target.at_most,
            "value": _short(verdict.value),
            "is_met": verdict.is_met,
        }
        for verdict in judge(results, contenders)
    ]
    return {
        "machine": machine,
        "rounds": rounds,
        "repeated": results.repeated,
        "contenders": {each.name: each.title for each in contenders},
        "metrics": metrics,
        "counted": results.counted,
        "targets": targets,
    }


def _short(figure: float | None) -> float | None:
    return None if figure is None else float(f"{figure:.5g}")
