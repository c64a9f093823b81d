"""`bench import`: other tools' logs as a run, with the guide's own figures as known answers."""

from __future__ import annotations

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
    sixteen = logs.TRT_GUIDE.replace(":1x", ":16x").replace("5.34373", "67.8021").replace("5.32825", "67.15")
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
    cells = run("msame", "310_bs1.log", "310_bs1.log", "310_bs16.log", "--bs", "1", "1", "16", "--card", "310").cells
    assert [(cell.identity.batch, cell.invocation) for cell in cells] == [(1, 0), (1, 1), (16, 0)]


def test_fp32_of_a_card_with_tf32_is_not_known(at: Path) -> None:
    (cell,) = run("trtexec", "t4_bs1.log", "--card", "A10").cells
    assert cell.identity.precision == "unknown"
    assert cell.origin is not None
    assert any("TF32" in remark for remark in cell.origin.remarks)


def test_users_mistakes_are_one_line_and_nothing_is_written(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, ["msame", "310_bs1.log", "--card", "310"], "310_bs1.log", "does not tell its batch size", "--bs")
    refused(capsys, ["trtexec", "t4_bs1.log", "--bs", "4", "--card", "T4"], "batch size 1", "real_img:1x3x128x128", "4")
    refused(capsys, ["msame", "310_bs1.log", "310_bs16.log", "--bs", "1", "2", "3", "--card", "310"], "3 batch sizes")
    refused(capsys, ["msame", "t4_bs1.log", "--bs", "1", "--card", "310"], "import trtexec")
    refused(capsys, ["trtexec", "t4_bs1.log", "--precision", "fp16", "--card", "T4"], "fp16", "fp32")
    refused(capsys, ["msame", "310_bs1.log", "absent.log", "--bs", "1", "--card", "310"], "absent.log", "cannot read")
    with pytest.raises(SystemExit) as ended:
        main(["import", "msame", "310_bs1.log", "--bs", "1"])
    assert ended.value.code == 2
    assert "--card" in capsys.readouterr().err


def test_a_model_of_another_name_is_said(at: Path) -> None:
    Path("loop.log").write_text(logs.MSAME_LOOP)
    (cell,) = run("msame", "loop.log", "--bs", "1", "--card", "310").cells
    assert cell.origin is not None
    assert any("resnet50.om" in remark for remark in cell.origin.remarks)
