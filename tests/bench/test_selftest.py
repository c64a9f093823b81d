"""The selftest: what it says follows from what it saw."""

from __future__ import annotations

import math

import pytest

from backends.telemetry import HostActivity
from bench.commands.selftest import verdict
from bench.selftest import ClockResult, LoopResult, NoiseResult, SpinResult, clock, loop, spin
from tests.command import Bench, one_line

QUIET = SpinResult(median_ns=1_000_200, p99_ns=1_001_000, worst_ns=1_100_000)
LOOP = LoopResult(bias_ns=150, call_ns=90)


def noise(sd: float, pairs: int = 12, shift: float = 0.0) -> NoiseResult:
    """Differences with exactly that standard deviation."""
    half = sd * math.sqrt((pairs - 1) / pairs)
    differences = tuple(shift + (half if index % 2 else -half) for index in range(pairs))
    return NoiseResult(differences, within_sd=0.02, between_sd=0.01, activity=HostActivity())


def test_the_detectable_difference_is_the_formulas() -> None:
    assert noise(0.0121).difference_sd == pytest.approx(0.0121)
    assert noise(0.0121).detectable(12) == pytest.approx(0.0258, abs=2e-4)
    assert "With 12 interleaved pairs this machine finds a slow-down of 2.6%" in " ".join(
        verdict(LOOP, QUIET, noise(0.0121))
    )


def test_more_noise_takes_more_pairs_until_none_suffice() -> None:
    few, many = noise(0.005).pairs_for(0.03), noise(0.015).pairs_for(0.03)
    assert few is not None
    assert many is not None
    assert few < many
    assert noise(2.0).pairs_for(0.03) is None
    assert "cannot be told from the noise here" in " ".join(verdict(LOOP, QUIET, noise(2.0)))


def test_a_busy_core_and_a_false_alarm_are_said() -> None:
    busy = SpinResult(median_ns=1_200_000, p99_ns=3e6, worst_ns=5e6)
    assert not busy.quiet
    assert "takes this core away" in " ".join(verdict(LOOP, busy, noise(0.01)))
    assert noise(0.001, shift=0.05).false_alarm()
    assert "equal processes were just called different" in " ".join(verdict(LOOP, QUIET, noise(0.001, shift=0.05)))
    assert not noise(0.01).false_alarm()


def test_clock_loop_and_spin_are_measured_on_this_machine() -> None:
    found: ClockResult = clock()
    assert found.step_ns >= 1
    assert found.read_ns > 0
    assert loop().bias_ns > 0
    # Only the lower bound is a matter of correctness: a spin is never shorter than it is.
    assert spin().median_ns >= 1_000_000


def test_the_command_speaks_plainly(bench: Bench) -> None:
    done = bench("selftest", "--pairs", "4")
    for words in (
        "clock",
        "spin of 1 ms",
        "noise of a pair",
        "With 4 interleaved pairs this machine finds a slow-down",
    ):
        assert words in done.stdout
    one_line(bench("selftest", "--pairs", "3", code=2).stderr, "'3' is no number of pairs", "12")
