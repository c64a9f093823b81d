"""The real command in a real process: what it prints, what it leaves behind, how it exits."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

import datasets
from reports import store
from tests.command import FAST, Bench, one_line


def test_help_is_there_without_any_heavy_import(bench: Bench) -> None:
    code = (
        "import sys\nfrom bench.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit as end: assert end.code == 0\n"
        "heavy = ('torch', 'pandas', 'matplotlib', 'onnx', 'onnxruntime', 'openvino', 'numpy', 'rich')\n"
        "sys.exit([name for name in heavy if name in sys.modules] or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=bench.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--backend" in done.stdout


@pytest.mark.parametrize(("arguments", "code"), [(["backends"], 0), (["--backend", "ort:thread=1"], 2)])
def test_a_process_that_was_forked_says_what_one_that_was_started_does(
    bench: Bench, arguments: list[str], code: int
) -> None:
    """Nearly all tests of commands rest on that; see `tests.forked`."""
    forked, started = bench(*arguments, code=code), bench(*arguments, code=code, fresh=True)
    assert (forked.stdout, forked.stderr) == (started.stdout, started.stderr)


def test_two_engines_two_batch_sizes_give_a_run_a_report_and_plots(bench: Bench) -> None:
    done = bench(
        "--model", bench.model, "--backend", "ort", "ov", "--bs", "1", "4", "--max-time", "0.2", "--out", "results"
    )
    folder = bench.folder / "results"
    run = store.read(folder)
    assert [(c.identity.backend, c.identity.batch, c.status) for c in run.cells] == [
        ("onnxruntime", 1, "ok"), ("openvino", 1, "ok"), ("onnxruntime", 4, "ok"), ("openvino", 4, "ok"),
    ]  # fmt: skip
    for cell in run.cells:
        assert cell.provenance == "measured"
        assert cell.samples is not None
        assert cell.latency is not None
        assert len(cell.samples.samples_ns) == cell.latency.cut + cell.latency.count > 0
        assert cell.samples.overhead_ns > 0
        assert cell.fps_per_card == pytest.approx(cell.identity.batch * 1000 / cell.latency.mean_ms)
        assert all(output.passed for output in cell.accuracy)
        assert cell.session["threads"]
    report = (folder / "report.md").read_text()
    assert "openvino / onnxruntime" in report
    for name in ("compute-latency.png", "compute-fps.png", "cells.csv"):
        assert (folder / name).stat().st_size > 0
    assert "report: " in done.stdout
    assert not list(folder.glob(".*"))
    # The report can be had again from the run file alone.
    (folder / "report.md").unlink()
    bench("report", "results", "--baseline", "openvino")
    assert "onnxruntime / openvino" in (folder / "report.md").read_text()


def test_end_to_end_scope_is_a_table_of_its_own(bench: Bench) -> None:
    bench("--model", bench.model, "--backend", "ort", "--bs", "2", "--scope", "compute", "end-to-end", *FAST,
          "--out", "o")  # fmt: skip
    run = store.read(bench.folder / "o")
    assert [c.identity.scope for c in run.cells] == ["compute", "end-to-end"]
    assert all(c.status == "ok" for c in run.cells)


def test_invocations_are_processes_of_their_own_a_round_apart_and_one_column(bench: Bench) -> None:
    bench("--model", bench.model, "--backend", "ort", "ov", "--bs", "1", "--invocations", "2", *FAST, "--out", "o")
    cells = store.read(bench.folder / "o").cells
    assert [(c.identity.backend, c.invocation) for c in cells] == [
        ("onnxruntime", 0), ("openvino", 0), ("onnxruntime", 1), ("openvino", 1),
    ]  # fmt: skip
    assert cells[0].id == cells[2].id
    assert cells[0].samples != cells[2].samples
    report = (bench.folder / "o" / "report.md").read_text()
    assert "| Batch size | onnxruntime | openvino |" in report
    assert ", ×2" in report


def test_stargan_on_the_bundled_pictures_agrees_on_three_engines(bench: Bench, stargan_home: Path) -> None:
    bench.environment["XDG_CACHE_HOME"] = str(stargan_home)
    done = bench("--backend", "pytorch", "onnxruntime", "openvino", "--bs", "1", *FAST, "--out", "o")
    run = store.read(bench.folder / "o")
    assert [c.status for c in run.cells] == ["ok"] * 3, done.stderr
    assert "fixed seed" in done.stderr
    report = (bench.folder / "o" / "report.md").read_text()
    assert "weights come from a fixed seed" in report
    assert "public domain" in report


def test_simulated_figures_never_look_measured(bench: Bench) -> None:
    done = bench("--model", bench.model, "--backend", "ort", "double", "--bs", "1", *FAST, "--out", "o")
    run = store.read(bench.folder / "o")
    assert [c.provenance for c in run.cells] == ["measured", "simulated"]
    report = (bench.folder / "o" / "report.md").read_text()
    assert "SIMULATED" in report
    assert "SIMULATED" in done.stdout
    assert "double simulated / onnxruntime" not in report


def test_wrong_outputs_have_no_speed_and_exit_1(bench: Bench) -> None:
    bench("--model", bench.model, "--backend", "ort", "wrong", "nan", "--bs", "1", *FAST, "--out", "o", code=1)
    good, *bad = store.read(bench.folder / "o").cells
    assert good.status == "ok"
    assert [(cell.status, cell.fps_per_card, cell.samples) for cell in bad] == [("wrong", None, None)] * 2
    report = (bench.folder / "o" / "report.md").read_text()
    assert "max abs 1" in report
    assert "NaN or infinite" in report


def test_nothing_measured_is_exit_2_but_the_failure_is_kept(bench: Bench) -> None:
    bench("--model", bench.model, "--backend", "raises", "--bs", "1", *FAST, "--out", "o", code=2)
    assert "507011" in (bench.folder / "o" / "report.md").read_text()


def test_ctrl_c_keeps_what_was_measured_and_leaves_no_process(bench: Bench) -> None:
    process = bench.start("--model", bench.model, "--backend", "double", "slow", "--bs", "1", "--max-time", "3",
                          "--out", "o")  # fmt: skip
    path = bench.folder / "o" / "run.jsonl"
    deadline = time.monotonic() + 120
    # Line 1 is the run, line 2 the first cell; then the slow one is at work.
    while time.monotonic() < deadline and not (path.exists() and path.read_bytes().count(b"\n") == 2):
        time.sleep(0.2)
        assert process.poll() is None, process.communicate()
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "1 of 2 cells" in error
    assert "Traceback" not in error
    assert [c.status for c in store.read(path).cells] == ["ok"]
    assert "Unfinished" in (path.parent / "report.md").read_text()
    leftovers = subprocess.run(["pgrep", "-f", "bench.worker"], capture_output=True, text=True).stdout.split()
    ours = [pid for pid in leftovers if str(bench.folder).encode() in _environment_of(pid)]
    assert not ours


def _environment_of(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def test_backends_lists_all_with_reasons_and_a_broken_plugin(bench: Bench) -> None:
    done = bench("backends", "--verbose")
    for name in ("pytorch", "onnxruntime", "openvino", "tensorrt", "acl", "double (simulated)", "broken"):
        assert name in done.stdout
    assert "set_env.sh" in done.stdout
    assert "DoesNotExist" in done.stdout


def test_backends_warns_when_another_datasets_shadows_ours(bench: Bench) -> None:
    other = bench.folder / "other"
    (other / "datasets").mkdir(parents=True)
    (other / "datasets" / "__init__.py").write_text("")
    bench.environment["PYTHONPATH"] = os.pathsep.join([str(other), bench.environment["PYTHONPATH"]])
    done = bench("backends", fresh=True)
    assert str(other) in done.stdout
    assert "not this project's" in done.stdout


def test_unusable_backend_alone_is_exit_2_beside_another_it_is_a_line(bench: Bench) -> None:
    alone = bench("--backend", "acl", "--bs", "1", "4", "8", "16", code=2)
    one_line(alone.stderr, "acl", "CANN is not installed", "set_env.sh", "pyacl")
    assert not (bench.folder / "runs").exists() or not any((bench.folder / "runs").iterdir())
    bench("--model", bench.model, "--backend", "acl", "ort", "--bs", "1", *FAST, "--out", "o")
    assert "`acl` was not measured" in (bench.folder / "o" / "report.md").read_text()


BAD_USAGE: list[tuple[Sequence[str], Sequence[str]]] = [
    (["--backend", "onnxrunime"], ["onnxrunime", "did you mean 'onnxruntime'"]),
    (["--backend", "ort:thread=1"], ["no option 'thread'", "did you mean 'threads'"]),
    (["--backend", "ort:threads"], ["KEY=VALUE"]),
    (["--backend", "ort", "onnxruntime"], ["given twice"]),
    (["--bs", "0"], ["--bs", "'0' is no batch size"]),
    (["--bs", "a"], ["--bs", "'a' is no batch size"]),
    (["--bs", "1.5"], ["--bs"]),
    (["--device", "cuda:x"], ["write cpu, cuda"]),
    (["--backend", "ov", "--device", "gpu"], ["no device gpu:0", "cpu"]),
    (["--cache", "~nobody-of-this-name/x"], ["--cache"]),
    (["--out", "x" * 300], ["--out"]),
    (["--backend", "ov", "--device", "cuda:0"], ["openvino", "no device cuda:0", "cpu"]),
    (["--backend", "ort", "--precision", "fp16"], ["fp32, not fp16"]),
    (["--precision", "fp31"], ["fp31"]),
    (["--max-time", "nan"], ["seconds above 0"]),
    (["--quick", "--max-time", "3"], ["--quick and --max-time"]),
    (["--model", "no.onnx"], ["no.onnx does not exist"]),
    (["--model", "x.onnx", "--weights", "w.pth"], ["--weights belongs to --workload stargan"]),
    (["--workload", "onnx"], ["--model"]),
    (["--weights", "no.pth"], ["no.pth does not exist"]),
    (["--data", "nowhere.zip"], ["nowhere.zip"]),
    (["--attributes", "Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Yuong"], ["Yuong", "Young"]),
    (["--attributes", "Black_Hair"], ["5 attributes"]),
    (["--baseline", "tensorrt", "--backend", "ort"], ["--baseline tensorrt", "onnxruntime"]),
    (["--out", "/dev/null/x"], ["cannot write", "--out"]),
    (["frobnicate"], ["frobnicate"]),
    (["report", "nowhere"], ["cannot read", "nowhere"]),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_USAGE, ids=[" ".join(a) for a, _ in BAD_USAGE])
def test_a_users_mistake_is_one_line_and_exit_2(bench: Bench, arguments: Sequence[str], words: Sequence[str]) -> None:
    done = bench(*arguments, code=2)
    one_line(done.stderr, *words)
    runs = bench.folder / "runs"
    assert not runs.exists() or not any(runs.iterdir()), "nothing half-written"


def _sample(folder: Path) -> Path:
    return Path(shutil.copytree(datasets.sample_folder(), folder / "celeba"))


def test_bad_pictures_and_lists_are_one_line(bench: Bench) -> None:
    celeba = _sample(bench.folder)
    listing = celeba / "list_attr_celeba.txt"
    text = listing.read_text()
    listing.write_text(text.replace(text.split("\n", 1)[0], "999", 1))
    one_line(bench("--data", str(celeba), code=2).stderr, "list_attr_celeba.txt", "999")
    listing.write_text(text)
    for picture in (celeba / "images").glob("*.jpg"):
        picture.write_bytes(picture.read_bytes()[:300])
    one_line(bench("--data", str(celeba), code=2).stderr, ".jpg")


def test_bad_zips_are_one_line(bench: Bench) -> None:
    path = bench.folder / "celeba.zip"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    one_line(bench("--data", str(path), code=2).stderr, "celeba.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../escape.txt", "x")
    one_line(bench("--data", str(path), code=2).stderr, "celeba.zip", "../escape.txt")
    assert not (bench.folder.parent / "escape.txt").exists()


def test_an_existing_run_is_never_overwritten(bench: Bench) -> None:
    common = ("--model", bench.model, "--backend", "ort", "--bs", "1", *FAST, "--out", "o")
    bench(*common)
    before = (bench.folder / "o" / "run.jsonl").read_bytes()
    one_line(bench(*common, code=2).stderr, "not empty", "--out")
    assert (bench.folder / "o" / "run.jsonl").read_bytes() == before


def test_nothing_of_the_users_is_overwritten_or_removed(bench: Bench) -> None:
    notes = bench.folder / "notes"
    notes.mkdir()
    (notes / "report.md").write_text("mine")
    one_line(bench("--model", bench.model, "--out", "notes", code=2).stderr, "not empty")
    assert (notes / "report.md").read_text() == "mine"
    empty = bench.folder / "empty"
    empty.mkdir()
    bench("--model", "no.onnx", "--out", "empty", code=2)
    assert empty.is_dir(), "a folder that was there before stays"


def test_repeated_options_add_up_variants_are_columns_and_aliases_work_everywhere(bench: Bench) -> None:
    bench("--model", bench.model, "--backend", "ort:threads=1,spinning=off", "--backend", "ort", "--bs", "1",
          "--bs", "2", *FAST, "--baseline", "ort", "--out", "o")  # fmt: skip
    labels = [cell.identity.label() for cell in store.read(bench.folder / "o").cells]
    assert labels == ["onnxruntime:spinning=off,threads=1", "onnxruntime"] * 2
    # The plain backend, not the variant that happens to come first.
    report = (bench.folder / "o" / "report.md").read_bytes()
    assert b"onnxruntime:spinning=off,threads=1 / onnxruntime |" in report
    one_line(bench("report", "o", "--baseline", "ov", code=2).stderr, "openvino", "onnxruntime")
    assert (bench.folder / "o" / "report.md").read_bytes() == report


def test_a_bad_plugin_is_never_fatal(bench: Bench) -> None:
    """Its probe raises, it finds no device, or it leaves at import: a line, and the others are measured."""
    done = bench("backends")
    assert "its probe failed (RuntimeError: driver says no)" in done.stdout
    assert "its probe found no device" in done.stdout
    bench("--model", bench.model, "--backend", "badprobe", "nodevice", "ort", "--bs", "1", *FAST, "--out", "o")
    run = store.read(bench.folder / "o")
    assert [skipped.backend for skipped in run.run.skipped] == ["badprobe", "nodevice"]
    assert [c.status for c in run.cells] == ["ok"]


def test_a_plugins_own_device_kind_and_loose_description_are_kept(bench: Bench) -> None:
    done = bench("--model", bench.model, "--backend", "tpu", "--bs", "1", *FAST, "--out", "o")
    (cell,) = store.read(bench.folder / "o").cells
    assert (cell.identity.device, cell.identity.card, cell.status) == ("tpu:1", "a card", "ok")
    assert cell.session == {"cores": "4"}
    assert "note: tpu: its fan is slow." in done.stdout + done.stderr


def test_a_device_that_is_not_there_is_told_with_what_the_probe_warns_of(bench: Bench) -> None:
    done = bench("--model", bench.model, "--backend", "tpu", "--device", "tpu:7", "--bs", "1", "--out", "o", code=2)
    one_line(done.stderr, "it finds no device tpu:7 here, but tpu:1 (its fan is slow); change --device.")


def test_a_precision_that_one_backend_lacks_costs_only_that(bench: Bench) -> None:
    done = bench("--model", bench.model, "--backend", "bf16", "ort", "--bs", "1", "--precision", "fp32", "bf16", *FAST,
                 "--baseline", "bf16", "--include-flagged", "--out", "o")  # fmt: skip
    run = store.read(bench.folder / "o")
    assert [(c.identity.backend, c.identity.precision, c.status) for c in run.cells] == [
        ("bf16", "fp32", "ok"), ("onnxruntime", "fp32", "ok"), ("bf16", "bf16", "ok"),
    ], done.stderr  # fmt: skip
    assert [skipped.backend for skipped in run.run.skipped] == ["onnxruntime bf16"]
    report = (bench.folder / "o" / "report.md").read_text()
    assert "bf16 bf16 simulated / bf16 fp32 simulated" in report
    assert "compares unequal things" in report
