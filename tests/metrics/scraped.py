"""What /metrics says, as numbers."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.serving import http

Sample = tuple[str, frozenset[tuple[str, str]]]


class Scrape:
    """The samples of one answer of /metrics."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples: dict[Sample, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """Return one sample; 0 where there is none, as for a counter that has not begun."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)

    def labels(self, name: str) -> set[str]:
        """Return the names of the labels that the samples of a metric have."""
        return {key for sample, labels in self.samples if sample == name for key, _ in labels}


def scrape(address: str, path: str = "/metrics") -> Scrape:
    """Ask a served application for its metrics."""
    status, headers, body = http(address, path)
    assert status == 200, body
    assert headers["content-type"].startswith("text/plain")
    return Scrape(body)
