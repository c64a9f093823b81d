"""`bench import`: other tools' logs as a run, with the guide's own figures as known answers."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bench.cli import main
from reports import store
from reports.records import Run
from tests.reports.importers import logs


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the guide's logs."""
    monkeypatch.chdir(tmp_path)
    for batch, ms in ((1, "21.04"), (16, "313.39")):
        Path(f"310_bs{batch}.log").write_text(f"(310 bs{batch}) Inference average time: {ms} ms\n")
    Path("t4_bs1.log").write_text(logs.TRT_GUIDE)
    sixteen = logs.TRT_GUIDE.replace(":1x", ":16x")
    for one, other in (("4.5766", "65.5917"), ("8.12921", "76.011"), ("5.34373", "67.8021"), ("5.32825", "67.15"),
                       ("6.91772", "76.011"), ("2.93371", "3.1189")):  # fmt: skip
        sixteen = sixteen.replace(one, other)
    Path("t4_bs16.log").write_text(sixteen)
    return tmp_path


def run(*arguments: str) -> Run:
    assert main(["import", *arguments, "--out", "imported"]) == 0
    return store.read(Path("imported"))


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str], *words: str) -> None:
    before = set(Path().rglob("*"))
    assert main(["import", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    for word in words:
        assert word in line, line
    assert set(Path().rglob("*")) == before, "nothing is half-written"


def test_the_guide_s_lines_give_its_fps_per_card(at: Path) -> None:
    cells = run("msame", "310_bs1.log", "310_bs16.log", "--bs", "1", "16", "--card", "Ascend 310").cells
    assert [f"{cell.fps_per_card:.3f}" for cell in cells] == ["190.114", "204.218"]
    assert {(cell.identity.card, cell.chips, cell.clock, cell.provenance) for cell in cells} == {
        ("Atlas 300I", 4, "host", "imported")
    }
    assert {cell.identity.precision for cell in cells} == {"unknown"}
    Path("imported/run.jsonl").unlink()
    cells = run("trtexec", "t4_bs1.log", "t4_bs16.log", "--card", "T4").cells
    assert [f"{cell.fps_per_card:.6g}" for cell in cells] == ["187.135", "235.981"], "the guide cuts 235.98089 off"
    assert {(cell.identity.card, cell.chips, cell.clock) for cell in cells} == {("Tesla T4", 1, "device-events")}
    assert {cell.identity.precision for cell in cells} == {"fp32"}, "a T4 has no TF32"
    assert [cell.identity.batch for cell in cells] == [1, 16]


def test_both_sides_turn_into_the_guide_s_table(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "msame", "310_bs1.log", "310_bs16.log", "--bs", "1", "16", "--card", "310", "--precision",
                 "fp16", "--out", "a"]) == 0  # fmt: skip
    assert main(["import", "trtexec", "t4_bs1.log", "t4_bs16.log", "--card", "T4", "--out", "b"]) == 0
    assert main(["report", "a", "b", "--ratio", "Ascend 310/T4", "-o", "report.md", "--no-plots"]) == 0
    text = Path("report.md").read_text()
    assert "| 1 | 190.114 | 187.135 | 101.6% |" in text
    assert "| 16 | 204.218 | 235.981 | 86.54% |" in text
    assert "Atlas 300I (msame) computed in fp16, Tesla T4 (trtexec) in fp32" in text
    assert "19.92 GFLOP" in text
    assert "101.6%" in Path("report.html").read_text()


def test_samples_give_statistics_and_the_tool_s_own_average_is_remarked_on(at: Path) -> None:
    Path("folder.log").write_text(logs.MSAME_FOLDER)
    (cell,) = run("msame", "folder.log", "--bs", "16", "--card", "310").cells
    assert cell.samples is not None
    assert cell.latency is not None
    assert cell.samples.samples_ns == [320_500_000, 310_250_000, 312_050_000]
    assert cell.samples.overhead_ns is None
    assert cell.fps_per_card == pytest.approx(4 * 16 * 1000 / cell.latency.mean_ms)
    assert cell.flags is not None
    assert (cell.flags.accuracy, cell.flags.throttled) == (None, None)
    assert cell.origin is not None
    assert (cell.origin.model, cell.origin.source, len(cell.origin.sha256)) == ("StarGAN_bs16.om", "folder.log", 64)


def test_several_logs_of_one_cell_are_its_invocations(at: Path) -> None:
    Path("again.log").write_text(Path("310_bs1.log").read_text())
    cells = run("msame", "310_bs1.log", "again.log", "310_bs16.log", "--bs", "1", "1", "16", "--card", "310").cells
    assert [(cell.identity.batch, cell.invocation) for cell in cells] == [(1, 0), (1, 1), (16, 0)]


def test_fp32_of_a_card_with_tf32_is_not_known(at: Path) -> None:
    (cell,) = run("trtexec", "t4_bs1.log", "--card", "A10").cells
    assert cell.identity.precision == "unknown"
    assert cell.origin is not None
    assert any("TF32" in remark for remark in cell.origin.remarks)


def test_users_mistakes_are_one_line_and_nothing_is_written(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("plain.log").write_text("Inference average time: 21.04 ms\n")
    refused(capsys, ["msame", "plain.log", "--card", "310"], "plain.log", "does not tell its batch size", "--bs")
    refused(capsys, ["msame", "310_bs16.log", "--bs", "1", "--card", "310"], "batch size 16", "--bs says 1")
    refused(capsys, ["trtexec", "t4_bs1.log", "--bs", "4", "--card", "T4"], "batch size 1", "real_img:1x3x128x128", "4")
    refused(capsys, ["msame", "310_bs1.log", "310_bs16.log", "--bs", "1", "2", "3", "--card", "310"], "3 batch sizes")
    refused(capsys, ["msame", "t4_bs1.log", "--bs", "1", "--card", "310"], "import trtexec")
    refused(capsys, ["trtexec", "t4_bs1.log", "--precision", "fp16", "--card", "T4"], "fp16", "fp32")
    refused(capsys, ["msame", "310_bs1.log", "absent.log", "--bs", "1", "--card", "310"], "absent.log", "cannot read")
    with pytest.raises(SystemExit) as ended:
        main(["import", "msame", "310_bs1.log", "--bs", "1"])
    assert ended.value.code == 2
    assert "--card" in capsys.readouterr().err


def remarks(*arguments: str) -> list[str]:
    (cell,) = run(*arguments).cells
    assert cell.origin is not None
    return cell.origin.remarks


def test_a_model_whose_name_does_not_fit_is_said(at: Path) -> None:
    Path("loop.log").write_text(logs.MSAME_LOOP)
    found = remarks("msame", "loop.log", "--bs", "1", "--card", "310")
    assert any("resnet50.om; that it is stargan" in remark for remark in found)
    Path("imported/run.jsonl").unlink()
    Path("folder.log").write_text(logs.MSAME_FOLDER)
    found = remarks("msame", "folder.log", "--bs", "8", "--card", "310")
    assert any("called StarGAN_bs16.om, and the batch size is given as 8" in remark for remark in found)


def test_a_log_that_is_named_twice_is_no_second_measurement(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, ["msame", "310_bs1.log", "310_bs1.log", "--card", "310"], "310_bs1.log is named twice")
    for name in ("folder.log", "copy.log"):
        Path(name).write_text(logs.MSAME_FOLDER)
    arguments = ["msame", "folder.log", "copy.log", "--bs", "16", "--card", "310"]
    refused(capsys, arguments, "copy.log holds the same as folder.log", "every log once")


def test_logs_of_unlike_settings_are_not_silently_repetitions(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, flag in (("a.log", "--useSpinWait"), ("b.log", "--useCudaGraph")):
        Path(name).write_text(logs.TRT_10.replace("--useCudaGraph", flag))
    run("trtexec", "a.log", "b.log", "--card", "T4")
    assert (
        "the 2 logs of batch size 8 differ in CUDA Graph, Spin-wait: they are no repetitions" in capsys.readouterr().out
    )
    Path("imported/run.jsonl").unlink()
    Path("b.log").write_text(logs.TRT_10.replace("--useCudaGraph", "--useSpinWait").replace("279.07", "280"))
    run("trtexec", "a.log", "b.log", "--card", "T4")
    assert "differ in" not in capsys.readouterr().out
    Path("imported/run.jsonl").unlink()
    Path("b.log").write_text(
        Path("a.log").read_text().replace("[06/01/2023-10:00:00] [I] Data transfers: Enabled\n", "")
    )
    run("trtexec", "a.log", "b.log", "--card", "T4")
    assert "differ in" not in capsys.readouterr().out, "on, and on by default"


def test_where_inputs_begin_with_different_numbers_one_of_them_is_the_batch_size(
    at: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("two.log").write_text(logs.TRT_8.replace("attr:8x5", "steps:1x5"))
    refused(capsys, ["trtexec", "two.log", "--card", "T4"], "no single batch size", "steps:1x5", "--bs")
    refused(capsys, ["trtexec", "two.log", "--card", "T4", "--bs", "4"], "real_img:8x3x128x128", "--bs says 4")
    (cell,) = run("trtexec", "two.log", "--card", "T4", "--bs", "8").cells
    assert cell.identity.batch == 8


def test_the_card_is_the_one_that_the_log_names(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, device in (("t4.log", "Tesla T4"), ("mobile.log", "NVIDIA GeForce MX150")):
        Path(name).write_text(logs.TRT_8.replace("[W] *", f"[I] Selected Device: {device}\n[W] *"))
    refused(capsys, ["trtexec", "t4.log", "--card", "A10"], "ran on Tesla T4", "--card is NVIDIA A10")
    assert not any("device" in remark for remark in remarks("trtexec", "t4.log", "--card", "T4")[1:])
    Path("imported/run.jsonl").unlink()
    assert any(
        "names its device NVIDIA GeForce MX150" in each for each in remarks("trtexec", "mobile.log", "--card", "T4")
    )
    Path("imported/run.jsonl").unlink()
    found = remarks("trtexec", "mobile.log", "--card", "NVIDIA GeForce MX150")
    assert any("counts as one chip" in remark for remark in found)


def test_a_name_of_several_cards_is_refused(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, ["msame", "310_bs1.log", "--card", "310P"], "Atlas 300I Pro or Atlas 300I Duo")


def test_what_another_program_pipes_in_is_a_log(at: Path) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as pipe:
        pipe.write(logs.TRT_8)
    try:
        (cell,) = run("trtexec", f"/dev/fd/{reader}", "--card", "T4").cells
    finally:
        os.close(reader)
    assert cell.origin is not None
    assert cell.origin.sha256 == hashlib.sha256(logs.TRT_8.encode()).hexdigest()


def test_notes_name_the_logs_that_they_are_on(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("unsteady.log").write_text(logs.TRT_8)
    Path("steady.log").write_text(logs.TRT_8.replace("[W] * GPU", "[I] GPU").replace("279.07", "279.08"))
    run("trtexec", "unsteady.log", "steady.log", "--card", "T4")
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert "note: unsteady.log: GPU compute time is unstable, with coefficient of variance = 3.1%." in notes
    assert any(note.startswith("note: GPU Compute: the device's own events") for note in notes)


def test_queries_a_second_are_images_once_the_batch_size_is_known(at: Path) -> None:
    Path("no_shapes.log").write_text(logs.TRT_8.replace(" --optShapes=real_img:8x3x128x128,attr:8x5", ""))
    (cell,) = run("trtexec", "no_shapes.log", "--bs", "8", "--card", "T4").cells
    assert cell.stated is not None
    assert cell.stated.fps == pytest.approx(279.07 * 8)
    assert cell.fps_per_card == pytest.approx(8 * 1000 / 3.58)
