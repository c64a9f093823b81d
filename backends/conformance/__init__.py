"""The checks that any backend must pass before its figures mean anything; for our own and for third parties' tests.

`check_backend` runs all of them for one backend on one device. Each is also a function of its own, and each raises
ConformanceError with what was broken and what it does to a measurement.
"""

from backends.conformance.case import Case, tiny_case
from backends.conformance.errors import ConformanceError
from backends.conformance.events import check_device_events
from backends.conformance.kit import Check, CheckResult, check_backend, checks
from backends.conformance.leaks import check_leaks
from backends.conformance.results import (
    check_host_memory,
    check_inputs_matter,
    check_outputs,
    check_precision,
    infer,
)
from backends.conformance.states import check_closes, check_describes, check_device, check_refuses
from backends.conformance.timing import CALLS, TOLERANCE, check_computes, check_device_time, check_waits

__all__ = [
    "CALLS",
    "TOLERANCE",
    "Case",
    "Check",
    "CheckResult",
    "ConformanceError",
    "check_backend",
    "check_closes",
    "check_computes",
    "check_describes",
    "check_device",
    "check_device_events",
    "check_device_time",
    "check_host_memory",
    "check_inputs_matter",
    "check_leaks",
    "check_outputs",
    "check_precision",
    "check_refuses",
    "check_waits",
    "checks",
    "infer",
    "tiny_case",
]
