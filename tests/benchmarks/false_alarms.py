"""How often the regression check is wrong, by simulation: every count that the default tests only bound.

    python tests/benchmarks/false_alarms.py [--trials 1000] [--families 500]

Noise as in `tests/reports/hosts.py`, which is assumed; `real_false_alarms.py` asks this machine.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from reports.regression import Settings
from tests.reports.hosts import NOISY, QUIET, checks, verdicts

_ALONE = Settings(margin=0.0, remeasure=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000, help="checks of one row (default 1000)")
    parser.add_argument("--families", type=int, default=500, help="checks of 16 rows (default 500)")
    given = parser.parse_args()
    for seed, (name, host) in enumerate({"quiet host": QUIET, "noisy host": NOISY}.items()):
        for slowdown in (0.0, 0.02, 0.03, 0.05):
            found = list(checks(host, np.random.default_rng([seed, 1]), given.trials, slowdown=slowdown))
            counts = verdicts(iter(found))
            detectable = np.median([check.rows[0].mde or 0 for check in found])
            _tell(f"{name}, {slowdown:+.0%}", counts, given.trials, f"; minimum detectable effect {detectable:.1%}")
        counts = verdicts(checks(host, np.random.default_rng([seed, 2]), given.trials, settings=_ALONE))
        _tell(f"{name}, +0%, margin 0, first measurement alone", counts, given.trials)
        for settings, words in ((Settings(), ""), (_ALONE, ", margin 0, first measurement alone")):
            families = checks(host, np.random.default_rng([seed, 3]), given.families, rows=16, settings=settings)
            answers: Counter[str] = Counter(check.answer for check in families)
            _tell(f"{name}, +0%, 16 rows{words}: answers", answers, given.families)


def _tell(what: str, counts: Counter[str], trials: int, more: str = "") -> None:
    shown = ", ".join(f"{verdict} {count} ({count / trials:.1%})" for verdict, count in counts.most_common())
    print(f"{what}: {shown}{more}", flush=True)


if __name__ == "__main__":
    main()
