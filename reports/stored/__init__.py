"""What stored runs say about each other: ratios with intervals, and the verdict of a check against a baseline.

Runs of different days differ by more than their own spread. So what two runs alone give is a figure to look at; a
verdict needs a history of runs that tells how much sessions differ when nothing has changed.
"""

from reports.stored.check import BaselineError, check_stored
from reports.stored.comparison import ComparedCell, NothingComparableError, RunComparison, compare
from reports.stored.sessions import StartError

__all__ = [
    "BaselineError",
    "ComparedCell",
    "NothingComparableError",
    "RunComparison",
    "StartError",
    "check_stored",
    "compare",
]
