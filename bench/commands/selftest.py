"""`bench selftest`: what differences this machine can tell, in plain words."""

from __future__ import annotations

import sys
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench import selftest
from bench.environment import describe_conditions, describe_host
from bench.errors import ExitCode
from bench.locks import hold
from bench.placement import cpu_locks
from bench.process import take_charge
from bench.progress import counted
from reports.host import activity_in_words, conditions_in_words
from reports.records import Activity


def run_selftest(pairs: int, lock_timeout_s: float) -> int:
    """Measure the machine and say what it is good for. Raises UsageError when its cores are in use by another run."""
    take_charge()
    console = Console(highlight=False)
    host, conditions = describe_host(), describe_conditions()

    def say(text: str) -> None:
        print(f"bench: {text}", file=sys.stderr)

    with hold(cpu_locks(), lock_timeout_s, say):
        clock, loop, spin = selftest.clock(), selftest.loop(), selftest.spin()
        with counted("equal pairs of processes", pairs) as progress:
            noise = selftest.noise(pairs, progress)
    table = Table(title=f"{host.cpu}, {host.physical_cores} cores usable", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("figure", overflow="fold")
    rows = [
        ("clock", f"steps of {clock.step_ns} ns, a reading costs {clock.read_ns:.0f} ns"),
        ("loop", f"adds {loop.bias_ns:.0f} ns to a sample; calls through it cost {loop.call_ns:.0f} ns each"),
        (
            "spin of 1 ms",
            f"median {spin.median_ns / 1e6:.4f} ms, p99 {spin.p99_ns / 1e6:.4f} ms, worst {spin.worst_ns / 1e6:.3f} ms",
        ),
        ("host", conditions_in_words(conditions)),
        (
            "noise within a process",
            f"{noise.within_sd:.2%} of the median (standard deviation by quartiles, samples of about 1 ms)",
        ),
        ("noise between processes", f"{noise.between_sd:.2%} (standard deviation of the medians of equal processes)"),
        ("noise of a pair", f"{noise.difference_sd:.2%} (standard deviation of {noise.pairs} differences)"),
    ]
    if meanwhile := activity_in_words(Activity(**asdict(noise.activity))):
        rows.append(("meanwhile", meanwhile))
    for name, figure in rows:
        table.add_row(name, escape(figure))
    console.print(table)
    for line in verdict(loop, spin, noise):
        console.print(escape(line), soft_wrap=True)
    return ExitCode.DONE


def verdict(loop: selftest.LoopResult, spin: selftest.SpinResult, noise: selftest.NoiseResult) -> list[str]:
    """What the figures mean, one sentence a line."""
    lines = [
        f"The loop is below 0.1 % of any call longer than {loop.bias_ns / 1e3:.2g} ms; shorter calls are timed in"
        f" groups, down to {loop.call_ns / 1e3:.2g} ms: below that the cell's verdict says how much the loop adds.",
    ]
    if spin.undisturbed:
        lines.append("A busy wait is timed right: this core is not taken away while a sample runs.")
    elif spin.quiet:
        lines.append(
            "A busy wait is timed right in the median, but the core is taken away now and then (p99 of a wait of 1 ms:"
            f" {spin.p99_ns / 1e6:.2f} ms). Medians hold; distrust means and percentiles, or end other work."
        )
    else:
        lines.append(
            f"A busy wait of 1 ms reads as {spin.median_ns / 1e6:.3f} ms: something takes this core away in the middle"
            " of samples. End other work, or measure elsewhere."
        )
    lines.append(
        f"With {noise.pairs} interleaved pairs this machine finds a slow-down of {noise.detectable(noise.pairs):.1%}"
        " (95 times in 100, with at most 1 false alarm in 100) of a job as short as this one."
    )
    for effect in selftest.EFFECTS:
        needed = noise.pairs_for(effect)
        lines.append(
            f"  a slow-down of {effect:.0%} takes {needed} pairs" if needed
            else f"  a slow-down of {effect:.0%} cannot be told from the noise here"
        )  # fmt: skip
    if noise.false_alarm():
        lines.append(
            "But equal processes were just called different: the machine changes its speed while it is measured."
            " Do not trust small differences here."
        )
    return lines
