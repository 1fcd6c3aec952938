"""Looks for frames that we and ``websockets`` understand differently, for as long as one likes.

``python -m bench.fuzz --minutes 60 --seed 7`` does what the tests do, with other examples each
round: every byte split, legal and illegal frames, with and without compression. It prints the
seed and how many examples were tried, and fails at the first that the two disagree on, which
Hypothesis makes small. The same seed tries the same examples, up to the time.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from time import monotonic

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.websocket.conversations import Conversation, check, conversations

EXAMPLES = 500
REPORT_SECONDS = 60.0


class Fuzzer:
    """Rounds of examples; ``tried`` counts them."""

    def __init__(self, first_seed: int) -> None:
        self._seed = first_seed
        self.tried = 0

    def run_round(self) -> None:
        """Try EXAMPLES more; raises AssertionError for one that is understood differently."""

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        )
        @seed(self._seed)
        @given(conversation=conversations())
        def examine(conversation: Conversation) -> None:
            self.tried += 1
            check(conversation)

        examine()
        self._seed += 1


def fuzz(first_seed: int, seconds: float) -> int:
    """Run rounds until ``seconds`` have passed, one at least; return the number of examples."""
    fuzzer = Fuzzer(first_seed)
    start = reported = monotonic()
    while not fuzzer.tried or monotonic() - start < seconds:
        try:
            fuzzer.run_round()
        except BaseException:
            print(f"seed {first_seed}: stopped after {fuzzer.tried} examples", flush=True)
            raise
        if monotonic() - reported >= REPORT_SECONDS:
            reported = monotonic()
            print(f"seed {first_seed}: {fuzzer.tried} examples so far", flush=True)
    return fuzzer.tried


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None, help="any number; a new one without it")
    options = parser.parse_args(arguments)
    first_seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {first_seed}", flush=True)
    tried = fuzz(first_seed, options.minutes * 60)
    print(f"seed {first_seed}: {tried} examples, no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
