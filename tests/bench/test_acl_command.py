"""The command line on a simulated Atlas 300I, in real worker processes: never a rule broken, nothing left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import store
from reports.records import CellRecord, Run
from tests.command import FAST, Bench, one_line
from tests.doubles import acl, atc, npu_smi

ACL = "simulated-acl"


class Machine:
    """A Bench on a host with npu-smi, atc and a card of four chips, all of them doubles."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folder = bench.folder
        self.journal = bench.folder / "journal.jsonl"
        tools = bench.folder / "tools"
        place = atc.install(tools, runnable=True)
        npu_smi.install(place, npu_smi.CARD_300I)
        bench.environment["PATH"] = os.pathsep.join([str(place), bench.environment["PATH"]])
        bench.environment.pop("ASCEND_RT_VISIBLE_DEVICES", None)
        self.describe()

    def describe(self, **settings: Any) -> None:
        """What the machine is from now on."""
        config = acl.Config(journal=str(self.journal), base_ms=1.0, image_ms=0.5, **settings)
        given = acl.install(self.folder / "simulated", config)
        doubles = self.folder / "doubles"
        self.bench.environment |= given | {"PYTHONPATH": os.pathsep.join([given["PYTHONPATH"], str(doubles)])}

    def run(self, *arguments: str, code: int = 0) -> Run:
        self.bench(
            "--model", self.bench.model, "--backend", ACL, *arguments, *FAST, "--out", "o", code=code
        )  # fmt: skip
        return store.read(self.folder / "o")


@pytest.fixture
def machine(bench: Bench) -> Iterator[Machine]:
    made = Machine(bench)
    yield made
    entries = acl.read_journal(made.journal)
    assert entries, "no process used the double"
    assert acl.faults_found(entries) == []


def by_batch(run: Run) -> dict[int, CellRecord]:
    return {cell.identity.batch: cell for cell in run.cells if cell.identity.backend == ACL}


def test_one_command_measures_the_card_and_never_looks_measured(machine: Machine) -> None:
    run = machine.run("--bs", "1", "4", "--chips", "all")
    cells = by_batch(run)
    assert [cell.status for cell in cells.values()] == ["ok", "ok"]
    for batch, cell in cells.items():
        assert (cell.provenance, cell.identity.precision, cell.identity.card) == ("simulated", "fp16", "Atlas 300I")
        assert cell.chips == 4
        assert cell.artifact is not None
        assert cell.artifact.settings["soc_version"] == "Ascend310"
        assert cell.session["precision_mode"] == "fp16 (force_fp16, atc's default)"
        assert cell.latency is not None
        assert cell.fps_per_card == pytest.approx(4 * batch * 1000 / cell.latency.mean_ms)
        assert cell.throughput is not None
        assert len(cell.throughput.workers) == 4
    report = (machine.folder / "o" / "report.md").read_text()
    assert "SIMULATED" in report
    assert "4 chips" in report


def test_a_batch_size_without_a_file_costs_only_itself(machine: Machine) -> None:
    acl.write_om(machine.folder / "tiny_bs1.om", Path(machine.bench.model), [1])
    run = machine.run("--bs", "1", "8", "--compiled", ".")
    cells = by_batch(run)
    assert cells[1].status == "ok"
    assert cells[8].failure is not None
    assert "no .om for batch size 8" in cells[8].failure.message


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (acl.Fault(call="mdl.execute_async", nth=3, code=507011), ("507011", "the model failed while it ran")),
        (acl.Fault(call="rt.malloc", nth=2, code=207001), ("207001", "out of device memory")),
        (acl.Fault(call="mdl.load_from_file", code=507008), ("507008", "--soc-version")),
        (acl.Fault(call="rt.set_device", code=507033), ("507033", "the device does not start")),
        (acl.Fault(call="mdl.execute_async", nth=2, effect="exit"), ("SIGSEGV",)),
    ],
    ids=lambda value: value.call if isinstance(value, acl.Fault) else "",
)
def test_a_fault_is_one_line_in_a_failed_cell_and_the_others_are_measured(
    machine: Machine, fault: acl.Fault, words: tuple[str, ...]
) -> None:
    machine.describe(faults=(fault,))
    run = machine.run("ort", "--bs", "1", "--no-plots")
    states = {cell.identity.backend: cell.status for cell in run.cells}
    assert states == {ACL: "failed", "onnxruntime": "ok"}
    failure = by_batch(run)[1].failure
    assert failure is not None
    assert "\n" not in failure.message
    for word in words:
        assert word in failure.message


def test_a_chip_that_hangs_is_given_up_after_its_phase_limit(machine: Machine) -> None:
    machine.describe(faults=(acl.Fault(call="rt.synchronize_stream", nth=4, effect="hang"),))
    run = machine.run("ort", "--bs", "1", "--phase-limit", "measure=3", "check=3")
    assert {cell.identity.backend: cell.status for cell in run.cells} == {ACL: "failed", "onnxruntime": "ok"}


def test_outputs_that_are_nan_are_wrong_and_have_no_speed(machine: Machine) -> None:
    machine.describe(faults=(acl.Fault(call="mdl.execute_async", effect="nan"),))
    run = machine.run("--bs", "1", code=1)
    cell = by_batch(run)[1]
    assert (cell.status, cell.fps_per_card) == ("wrong", None)


def test_gears_are_a_column_of_their_own(machine: Machine) -> None:
    run = machine.run(f"{ACL}:batch=dynamic,gears=1-4", "--bs", "4")
    assert [cell.session["batch"] for cell in run.cells] == ["static", "dynamic, gears 1-4"]
    assert run.cells[1].identity.options == {"batch": "dynamic", "gears": "1-4"}


def test_the_guide_from_weights_to_msames_text_files_is_three_commands(machine: Machine, stargan_home: Path) -> None:
    bench = machine.bench
    shutil.copytree(stargan_home, bench.environment["XDG_CACHE_HOME"])
    bench("convert", "--to", "om", "--soc-version", "Ascend310", "--bs", "1", "--out", "converted")
    bench("prepare", "--limit", "1", "--bs", "1", "--pictures", "none", "--out", "prepared")
    bench(
        "translate", "--backend", ACL, "--compiled", "converted", "--bins", "prepared", "--format", "txt",
        "--out", "translated",
    )  # fmt: skip
    outputs = sorted(path.name for path in (machine.folder / "translated" / "outputs").glob("*.txt"))
    assert outputs == [f"{number}_output_0.txt" for number in range(5)]
    lines = (machine.folder / "translated" / "outputs" / outputs[0]).read_text().splitlines()
    assert (len(lines), {len(line.split()) for line in lines}) == (3 * 128, {128})
    acl.write_om(machine.folder / "converted" / "StarGAN_bs1.om", machine.folder / "converted" / "StarGAN.onnx", [1],
                 precision="fp32")  # fmt: skip
    (machine.folder / "converted" / "StarGAN_bs1.om.json").unlink()
    again = bench(
        "translate", "--backend", ACL, "--compiled", "converted", "--bins", "prepared", "--format", "txt",
        "--out", "translated", code=2,
    )  # fmt: skip
    one_line(again.stderr, "translated holds a translation with compiled sha256", "another folder with --out")
    done = bench("accuracy", "--reference", "prepared/baseline", "--candidate", "translated", "--out", "accuracy")
    assert "fp16" in done.stdout


def test_the_diagnosis_opens_the_chip_in_a_process_of_its_own(machine: Machine) -> None:
    out = machine.bench("backends", "--verbose").stdout
    for words in ("npu:0: Atlas 300I", "chip 0 opened", "1 MiB copied there and back: the same", "ASCEND_HOME_PATH"):
        assert words in out


def test_a_run_does_not_go_on_with_other_compiled_files(machine: Machine) -> None:
    om = machine.folder / "tiny_bs1.om"
    acl.write_om(om, Path(machine.bench.model), [1])
    assert machine.run("--compiled", om.name, "--bs", "1").run.workload.compiled_sha256
    acl.write_om(om, Path(machine.bench.model), [4])
    one_line(machine.bench("--resume", "o", code=2).stderr, "its compiled files changed since it began")


def test_a_check_holds_one_compiled_file_against_another(machine: Machine) -> None:
    for name, precision in (("before", "fp16"), ("after", "fp32")):
        acl.write_om(machine.folder / f"{name}.om", Path(machine.bench.model), [1], precision=precision)
    process = machine.bench.start(
        "check", "--model", machine.bench.model, "--base-compiled", "before.om", "--new-compiled", "after.om",
        "--backend", ACL, "--bs", "1", "--pairs", "2", "--noisy-pairs", "2", "--samples", "10", "--max-time", "0.3",
        "--one-by-one", "--out", "o",
    )  # fmt: skip
    process.communicate(timeout=120)
    assert process.returncode in (0, 1, 3)  # two pairs show nothing
    sides = [store.read(machine.folder / "o" / f"{name}.jsonl") for name in ("base", "new")]
    assert len({run.run.workload.compiled_sha256 for run in sides}) == 2
    assert [len({cell.artifact.sha256 for cell in run.cells if cell.artifact}) for run in sides] == [1, 1]
    assert {cell.status for run in sides for cell in run.cells} == {"ok"}
    page = (machine.folder / "o" / "check.md").read_text()
    assert "compiled before.om" in page
    assert "compiled after.om" in page


def test_what_fails_after_the_samples_costs_no_figures(machine: Machine) -> None:
    machine.describe(
        faults=(acl.Fault(call="rt.event_elapsed_time", code=207000), acl.Fault(call="rt.reset_device", code=507899))
    )
    cell = by_batch(machine.run("--bs", "1"))[1]
    assert (cell.status, cell.device_times) == ("ok", None)
    assert "acl.rt.reset_device failed with 507899" in cell.session["after the measurement"]


def test_compiled_files_that_no_backend_would_use_are_refused(bench: Bench) -> None:
    acl.write_om(bench.folder / "tiny_bs1.om", Path(bench.model), [1])
    for option, command in (
        ("--compiled", ("--backend", "ort", "--bs", "1")),
        ("--compiled", ("translate", "--backend", "ort", "--bs", "8", "--out", "t")),
        ("--new-compiled", ("check", "--model", bench.model, "--backend", "ort", "--bs", "1", "--out", "c")),
    ):
        one_line(bench(*command, option, "tiny_bs1.om", code=2).stderr, "tiny_bs1.om", "onnxruntime would not use it")


def test_a_compiled_file_that_is_not_there_is_said_at_once(bench: Bench) -> None:
    one_line(bench("--backend", "ort", "--compiled", "nowhere", code=2).stderr, "--compiled nowhere", "bench convert")
