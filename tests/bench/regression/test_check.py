"""`bench check` as a user runs it: exit statuses of known differences, sides by environment, mistakes in a line."""

from __future__ import annotations

import math
import signal
import sys
import time
from pathlib import Path

import pytest

from reports import store
from reports.records import Run
from tests.bench.regression.recorded import noisy_runs, write_runs
from tests.command import ROOT, Bench, one_line
from tests.doubles import slowed
from tests.reports import samples

#: As few and as short processes as a check can have.
FEW = ("--pairs", "2", "--noisy-pairs", "2", "--samples", "10", "--max-time", "0.3", "--bs", "1")
SAME = {"ort": 10.0, "ov": 20.0}


@pytest.fixture
def sides(bench: Bench) -> Bench:
    """With a backend that can be slowed by an environment variable."""
    (bench.folder / "slowed").mkdir()
    slowed.install(bench.folder / "slowed")
    bench.environment["PYTHONPATH"] += f":{bench.folder / 'slowed'}"
    return bench


def recorded(bench: Bench, base: dict[str, float], new: dict[str, float], count: int = 24) -> list[str]:
    """Options of a check whose sides take these times in ms, with 0.8 % of noise."""
    commands = [
        write_runs(bench.folder / name, noisy_runs(seed, count, times))
        for seed, (name, times) in enumerate({"base": base, "new": new}.items())
    ]
    return ["check", "--base-cmd", commands[0], "--new-cmd", commands[1], "--out", "o"]


def both(folder: Path) -> tuple[Run, Run]:
    return store.read(folder / "base.jsonl"), store.read(folder / "new.jsonl")


def test_equal_sides_pass(bench: Bench) -> None:
    done = bench(*recorded(bench, SAME, SAME), "--junit", "junit.xml", code=0)
    assert "Passed: all 2 rows are shown to be less than 3.0% slower." in done.stdout
    base, new = both(bench.folder / "o")
    assert [len(run.cells) for run in (base, new)] == [24, 24]
    page = (bench.folder / "o" / "check.md").read_text()
    assert page.startswith("<!-- written by bench -->\n# Regression check: passed\n")
    assert page.count("| unchanged |") == 2
    assert 'failures="0"' in (bench.folder / "junit.xml").read_text()


def test_a_slower_row_is_measured_again_and_fails_the_check(bench: Bench) -> None:
    done = bench(*recorded(bench, SAME, SAME | {"ov": 20.8}), "--junit", "junit.xml", code=1)
    assert "Regressed: ov bs1 fp32 takes " in done.stdout
    assert "in each of two measurements" in done.stdout
    # Commands measure all rows at once, so the other row has as many invocations; its verdict is of the first twelve.
    base, new = both(bench.folder / "o")
    assert [len(run.cells) for run in (base, new)] == [48, 48]
    medians = {
        name: [cell.latency.median_ms for cell in run.cells if cell.latency and cell.identity.backend == "ov"]
        for name, run in (("base", base), ("new", new))
    }
    change = math.exp(sum(math.log(b / a) for a, b in zip(medians["base"], medians["new"], strict=True)) / 24) - 1
    row = next(line for line in (bench.folder / "o" / "check.md").read_text().splitlines() if line.startswith("| ov"))
    assert f"| {change:+.1%} |" in row
    assert row.split("|")[-3:-1] == [row.split("|")[-3], " regressed "]
    assert 'failures="1"' in (bench.folder / "junit.xml").read_text()


def test_what_noise_hides_is_neither_passed_nor_failed(bench: Bench) -> None:
    options = recorded(bench, {"ort": 10.0}, {"ort": 10.25}, count=4)
    done = bench(*options, "--pairs", "4", "--noisy-pairs", "4", code=3)
    assert "Inconclusive: ort bs1 fp32" in done.stdout


def test_what_one_side_lacks_never_passes(bench: Bench) -> None:
    done = bench(*recorded(bench, SAME, {"ort": 10.0}), code=2)
    assert "Incomplete: 1 of 2 rows could not be measured." in done.stdout
    assert "ov bs1 fp32 was not measured: the new side did not measure it." in done.stdout


def test_wrong_outputs_of_the_new_side_fail_the_check(bench: Bench) -> None:
    right, wrong = samples.cell("ort", 1, 10.0), samples.wrong("ort", 1)
    commands = [write_runs(bench.folder / name, [[cell]]) for name, cell in (("base", right), ("new", wrong))]
    done = bench("check", "--base-cmd", commands[0], "--new-cmd", commands[1], "--out", "o", code=1)
    assert "Inaccurate: outputs of the new side are wrong" in done.stdout
    assert "cosine 0.2 < 0.9" in done.stdout


def test_commands_that_share_no_cell_are_refused(bench: Bench) -> None:
    base, new = [[samples.cell("ort", 1, 10.0)]], [[samples.cell("ort", 4, 10.0)]]
    commands = [write_runs(bench.folder / name, runs) for name, runs in (("base", base), ("new", new))]
    refused = bench("check", "--base-cmd", commands[0], "--new-cmd", commands[1], "--out", "o", code=2)
    assert "no cell of the two commands is the same: the base side's ort bs1" in refused.stderr


def test_each_side_has_its_own_environment_and_fresh_processes(sides: Bench) -> None:
    process = sides.start("check", "--backend", "slowed:threads=1", "--model", sides.model, *FEW, "--new-env",
                          "BENCH_SLOWED_BY=3", "--out", "o")  # fmt: skip
    out, error = process.communicate(timeout=300)
    # What two pairs on a busy machine say is left open here; `.ci/check-itself` asks for more.
    assert process.returncode in (0, 1, 3), error
    assert "SIMULATED" in out
    base, new = both(sides.folder / "o")
    for run, share in ((base, "0%"), (new, "300%")):
        assert [cell.invocation for cell in run.cells] in ([0, 1], [0, 1, 2, 3])
        assert {cell.session["slowed by"] for cell in run.cells} == {share}
        assert all(cell.status == "ok" and cell.provenance == "simulated" for cell in run.cells)
        assert all(cell.samples and len(cell.samples.samples_ns) >= 10 for cell in run.cells)
        assert run.run.packages["numpy"]
    page = (sides.folder / "o" / "check.md").read_text()
    assert "- new: `BENCH_SLOWED_BY=3`; every invocation is in `new.jsonl`" in page


def test_backends_of_the_two_sides_are_held_against_each_other(sides: Bench) -> None:
    done = sides("check", "--base-backend", "double", "--new-backend", "wrong", "--model", sides.model, *FEW,
                 "--out", "o", code=1)  # fmt: skip
    assert "double → wrong bs1 fp32 was not measured: the outputs of the new side are wrong" in done.stdout
    assert [len(run.cells) for run in both(sides.folder / "o")] == [1, 1]


def test_what_fails_twice_is_not_measured_and_the_rest_goes_on(sides: Bench) -> None:
    done = sides("check", "--base-backend", "double", "double", "--new-backend", "raises", "bf16", "--model",
                 sides.model, *FEW, "--margin", "90", "--tolerated", "99", "--out", "o", code=2)  # fmt: skip
    assert "double → raises bs1 fp32 was not measured: the new side failed twice: in phase 'measure'" in done.stdout
    base, new = both(sides.folder / "o")
    assert [cell.identity.backend for cell in new.cells].count("raises") == 2
    assert [cell.identity.backend for cell in new.cells].count("bf16") >= 2
    assert [cell.status for cell in base.cells] == ["ok"] * len(base.cells)


def test_a_checkout_of_another_version_is_sent_to_commands(bench: Bench) -> None:
    old = bench.folder / "old"
    (old / "bench").mkdir(parents=True)
    for name in ("__init__.py", "__main__.py"):
        (old / "bench" / name).touch()
    options = ("check", "--backend", "double", "--model", bench.model, "--base-checkout", "old")
    one_line(bench(*options, code=2).stderr, "the base side has no `bench check` of this version", "--base-cmd")
    for package in ("bench", "backends", "datasets", "reports"):
        (bench.folder / "newer" / package).parent.mkdir(exist_ok=True)
        (bench.folder / "newer" / package).symlink_to(ROOT / package)
    # The same files under another name are the same version.
    refused = bench(*options[:-2], "--new-checkout", "newer", "--bs", "1", "--new-env", "NOTHING", code=2)
    one_line(refused.stderr, "'NOTHING' sets no variable", "KEY=VALUE")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--base-cmd", "true {out}"], ["--base-cmd takes a --new-cmd beside it"]),
        (["--base-cmd", "true {out}", "--new-cmd", "true"], ["--new-cmd 'true'", "{out}"]),
        (["--base-cmd", "x {out}", "--new-cmd", "x {out}", "--bs", "1"], ["--bs means nothing beside --base-cmd"]),
        (["--base-cmd", "x {out}", "--new-cmd", "x {out}", "--new-env", "A=1"], ["--new-env means nothing"]),
        (["--new-python", "no-such-python"], ["no-such-python is no program"]),
        (["--new-python", "false"], ["the new side cannot start"]),
        (["--new-checkout", "nowhere"], ["nowhere is no checkout"]),
        (["--base-backend", "double"], ["the base has 1 backends and the new side 0"]),
        (["--new-model", "m.onnx"], ["only the new side has a model"]),
        (["--backend", "no-such-backend"], ["the base side: --backend: backend 'no-such-backend' is not known"]),
        (["--backend", "tensorrt"], ["nothing can be measured on both sides", "TensorRT needs"]),
        (["--margin", "4"], ["--tolerated 3.000% is less than --margin 4.000%"]),
        (["--noisy-pairs", "10"], ["--noisy-pairs 10 is less than --pairs 12"]),
        (["--pairs", "3"], ["'3' is no number of pairs"]),
        (["--alpha", "0"], ["no share of false alarms"]),
        (["--samples", "1"], ["no number of samples"]),
        (["--margin", "much"], ["'much' is no percentage"]),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(bench: Bench, options: list[str], words: list[str]) -> None:
    model = [] if {"--base-cmd", "--new-model"} & set(options) else ["--model", bench.model]
    one_line(bench("check", *options, *model, "--out", "o", code=2).stderr, *words)
    assert not (bench.folder / "o").exists()


def test_ctrl_c_keeps_what_was_measured(sides: Bench) -> None:
    started = sides.start("check", "--backend", "double", "--model", sides.model, "--bs", "1", "--out", "o")
    measured = sides.folder / "o" / "new.jsonl"
    while started.poll() is None and not (measured.exists() and measured.read_bytes().count(b"\n") > 1):
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, error = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "interrupted; what was measured is in o (base.jsonl, new.jsonl), and no verdict is built on it" in error
    assert len(both(sides.folder / "o")[1].cells) >= 1
    assert not (sides.folder / "o" / "check.md").exists()


def test_another_python_measures_its_own_side(sides: Bench) -> None:
    wrapper = sides.folder / "python"
    wrapper.write_text(f'#!/bin/sh\necho started >> "{sides.folder}/seen"\nexec "{sys.executable}" "$@"\n')
    wrapper.chmod(0o755)
    sides("check", "--base-backend", "double", "--new-backend", "wrong", "--model", sides.model, *FEW,
          "--new-python", "./python", "--out", "o", code=1)  # fmt: skip
    # Once to look at its backends, once to prepare, once to measure.
    assert (sides.folder / "seen").read_text() == "started\n" * 3
    assert "- new: `python ./python, backend wrong`" in (sides.folder / "o" / "check.md").read_text()
