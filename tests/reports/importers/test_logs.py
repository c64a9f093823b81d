"""What is read from logs of msame, ais_bench and trtexec, and what is refused with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.importers import LogError, Tool, ToolLog, read_log
from tests.reports.importers import logs


def told(tmp_path: Path, tool: Tool, text: str | bytes) -> ToolLog:
    path = tmp_path / "tool.log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_log(tool, path)


def refused(tmp_path: Path, tool: Tool, text: str | bytes, *words: str) -> None:
    with pytest.raises(LogError) as caught:
        told(tmp_path, tool, text)
    message = str(caught.value)
    assert "\n" not in message
    assert "tool.log" in message
    for word in words:
        assert word in message, message


def remark(log: ToolLog, words: str) -> bool:
    return any(words in clause for clause in log.remarks)


def test_msame_on_folders_tells_every_run_and_both_averages(tmp_path: Path) -> None:
    log = told(tmp_path, "msame", logs.MSAME_FOLDER)
    assert log.samples_ms == (320.5, 310.25, 312.05)
    assert (log.stated.mean_ms, log.stated.mean_without_first_ms, log.stated.count) == (314.27, 311.15, 3)
    assert (log.model, log.settings, log.clock) == ("StarGAN_bs16.om", {"device": "0"}, "host")
    assert (log.batch, log.precision, log.version) == (None, "unknown", "")
    assert not remark(log, "cold")


def test_msame_in_a_loop_has_no_space_before_the_colon(tmp_path: Path) -> None:
    log = told(tmp_path, "msame", logs.MSAME_LOOP)
    assert (log.samples_ms, log.stated.mean_ms, log.stated.mean_without_first_ms) == ((2.3, 2.1), 2.2, 2.1)


def test_the_guide_s_lines_tell_an_average_that_holds_the_cold_run(tmp_path: Path) -> None:
    log = told(tmp_path, "msame", logs.MSAME_GUIDE)
    assert (log.samples_ms, log.stated.mean_ms, log.stated.count) == ((), 21.04, None)
    assert remark(log, "cold")


def test_an_average_that_its_own_times_do_not_give_is_remarked(tmp_path: Path) -> None:
    assert not remark(told(tmp_path, "msame", logs.MSAME_FOLDER), "not of the same inferences"), "314.267 is 314.27"
    log = told(tmp_path, "msame", logs.MSAME_FOLDER.replace("Inference time: 310.25ms\n", ""))
    assert remark(log, "states an average of 314.27 ms, the 2 times in the log give 316.27 ms (-0.6%)")
    summary = told(tmp_path, "ais_bench", logs.AIS_JSON.replace('"mean": 315.0', '"mean": 312.0', 1))
    assert remark(summary, "the 4 times in the log give 315 ms (-1.0%)")


def test_msame_cut_off_before_its_average_keeps_the_runs_it_has(tmp_path: Path) -> None:
    log = told(tmp_path, "msame", logs.MSAME_FOLDER.partition("Inference average")[0])
    assert log.samples_ms == (320.5, 310.25, 312.05)
    assert log.stated.mean_ms is None
    assert remark(log, "cut off")


def test_ais_bench_tells_all_its_figures_and_the_batch_it_reckoned_with(tmp_path: Path) -> None:
    log = told(tmp_path, "ais_bench", logs.AIS_TEXT)
    stated = log.stated
    assert (stated.min_ms, stated.max_ms, stated.mean_ms, stated.median_ms) == (310.1, 320.5, 313.0, 312.5)
    assert stated.percentiles_ms == {"99": 320.1}
    assert (log.batch, log.model) == (16, "StarGAN_bs16.om")
    assert log.settings == {"device": "0"}
    assert remark(log, "copies took 0.55 ms to the device and 0.15 ms back")
    assert stated.fps == 51.11821086261981
    assert remark(log, "reciprocal")
    assert told(tmp_path, "ais_bench", logs.AIS_OLD).batch == 4


def test_the_summary_of_ais_bench_tells_every_run(tmp_path: Path) -> None:
    log = told(tmp_path, "ais_bench", logs.AIS_JSON)
    assert log.samples_ms == (310.0, 320.0, 314.0, 316.0)
    assert (log.batch, log.model, log.stated.mean_ms) == (16, "StarGAN_bs16.om", 315.0)
    assert log.stated.percentiles_ms == {"99": 319.9}


def test_trtexec_7_reads_gpu_compute_and_no_other_section(tmp_path: Path) -> None:
    log = told(tmp_path, "trtexec", logs.TRT_7)
    stated = log.stated
    assert (stated.min_ms, stated.max_ms, stated.mean_ms, stated.median_ms) == (4.5766, 8.12921, 5.34373, 5.32825)
    assert (stated.percentiles_ms, stated.fps) == ({"99": 6.91772}, None)
    assert (log.batch, log.shapes) == (1, {"real_img": [1, 3, 128, 128], "attr": [1, 5]})
    assert (log.precision, log.tf32_allowed, log.version, log.clock) == ("fp32", True, "", "device-events")
    assert log.settings["streams"] == "1"
    assert told(tmp_path, "trtexec", logs.TRT_GUIDE).stated == stated


def test_without_time_stamps_or_severity_it_is_the_same_log(tmp_path: Path) -> None:
    expected = told(tmp_path, "trtexec", logs.TRT_8)
    bare = "\n".join(line.partition("] [I] ")[2] or line for line in logs.TRT_8.splitlines())
    assert told(tmp_path, "trtexec", bare).stated == expected.stated
    only = "\n".join(line for line in logs.TRT_8.splitlines() if "GPU Compute Time" in line)
    assert told(tmp_path, "trtexec", only).stated.mean_ms == 3.58
    assert told(tmp_path, "trtexec", only).precision == "unknown", "the command was cut off by grep"


def test_trtexec_8_tells_version_flags_queries_and_warnings(tmp_path: Path) -> None:
    log = told(tmp_path, "trtexec", logs.TRT_8)
    assert (log.version, log.model, log.batch, log.precision) == ("8.6.1", "StarGAN.onnx", 8, "fp16")
    assert log.stated.percentiles_ms == {"90": 3.6, "95": 3.7, "99": 4.1}
    assert (log.stated.count, log.stated.mean_ms) == (840, 3.58)
    assert log.stated.fps == pytest.approx(279.07 * 8), "qps counts batches"
    assert log.settings["Data transfers"] == "on"
    assert log.settings["Spin-wait"] == "off (default of TensorRT 8)"
    assert remark(log, "unstable")
    assert remark(log, "higher precision")
    assert not remark(log, "was cut")


def test_trtexec_10_and_11_have_other_numbers_and_other_defaults(tmp_path: Path) -> None:
    ten = told(tmp_path, "trtexec", logs.TRT_10)
    assert (ten.version, ten.precision, ten.tf32_allowed) == ("10.9.0", "fp32", False)
    assert ten.settings["CUDA Graph"] == "on"
    eleven = told(tmp_path, "trtexec", logs.TRT_11)
    assert (eleven.version, eleven.precision, eleven.batch) == ("11.1.0", "unknown", 4)
    assert eleven.settings["CUDA Graph"] == "on (default of TensorRT 11)"
    assert eleven.settings["Data transfers"] == "off (default of TensorRT 11)"


@pytest.mark.parametrize(
    ("flags", "batch", "shapes"),
    [
        ("--shapes=images:0:16x3x8x8", 16, {"images:0": [16, 3, 8, 8]}),
        ("--shapes=16,3,500,500", None, {}),
        ("--shapes=a:4x3,b:8x3", None, {"a": [4, 3], "b": [8, 3]}),
        ("--batch=32", 32, {}),
        ("", None, {}),
    ],
)
def test_the_batch_size_comes_from_shapes_and_is_never_guessed(
    tmp_path: Path, flags: str, batch: int | None, shapes: dict[str, list[int]]
) -> None:
    text = logs.TRT_GUIDE.replace("--shapes=real_img:1x3x128x128,attr:1x5", flags)
    log = told(tmp_path, "trtexec", text)
    assert (log.batch, log.shapes) == (batch, shapes)


@pytest.mark.parametrize(
    "line",
    ["[I] Created input binding for input with dimensions 4x3x8x8",
     "[I] Input binding for input with dimensions 4x3x8x8 is created.",
     "[I] Input inference shape : input=4x3x8x8"],
)  # fmt: skip
def test_without_shapes_in_the_command_bindings_tell_them(tmp_path: Path, line: str) -> None:
    text = logs.TRT_8.replace(" --optShapes=real_img:8x3x128x128,attr:8x5", "").replace(
        "[06/01/2023-10:00:40] [I]\n", f"{line}\n"
    )
    assert told(tmp_path, "trtexec", text).batch == 4


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("--fp16", "fp16"), ("--bf16", "bf16"), ("--int8 --fp16", "int8"), ("--best", "int8"), ("", "fp32"),
     ("--fp16 --bf16", "unknown"), ("--fp8", "unknown"), ("--stronglyTyped", "unknown"),
     ("--loadEngine=a.plan", "unknown")],
)  # fmt: skip
def test_precision_is_what_flags_and_documented_defaults_say(tmp_path: Path, flags: str, precision: str) -> None:
    text = logs.TRT_10.replace("--noTF32 --useCudaGraph", flags)
    assert told(tmp_path, "trtexec", text).precision == precision


def test_streams_and_scientific_numbers(tmp_path: Path) -> None:
    text = logs.TRT_10.replace("--useCudaGraph", "--infStreams=4").replace(
        "Inference Streams: 1", "Inference Streams: 4"
    )
    text = text.replace(
        "GPU Compute Time: min = 3.5 ms, max = 4.7 ms", "GPU Compute Time: min = 3.5 ms, max = 2.54521e+06 ms"
    )
    log = told(tmp_path, "trtexec", text)
    assert log.stated.max_ms == 2545210.0
    assert remark(log, "4 inference streams")


def test_exported_times_of_both_generations(tmp_path: Path) -> None:
    new = told(tmp_path, "trtexec", logs.TRT_TIMES_8)
    assert (new.samples_ms, new.clock, new.batch) == ((3.5, 3.7), "device-events", None)
    old = told(tmp_path, "trtexec", logs.TRT_TIMES_7)
    assert old.samples_ms == (5.5,)
    assert remark(old, "TensorRT 7")


@pytest.mark.parametrize("tool", ["msame", "ais_bench", "trtexec"])
def test_empty_and_binary_files_and_folders_are_refused(tmp_path: Path, tool: Tool) -> None:
    refused(tmp_path, tool, "", "is empty")
    refused(tmp_path, tool, b"\xff\xfe", "is empty")
    refused(tmp_path, tool, bytes(range(256)) * 50, "no text")
    refused(tmp_path, tool, "nothing of interest\n", "tool.log")
    (tmp_path / "tool.log").unlink()
    (tmp_path / "tool.log").mkdir()
    with pytest.raises(LogError, match="cannot read"):
        read_log(tool, tmp_path / "tool.log")
    with pytest.raises(LogError, match="cannot read"):
        read_log(tool, tmp_path / "absent.log")


@pytest.mark.parametrize(
    ("tool", "text", "right"),
    [("msame", logs.TRT_8, "trtexec"), ("msame", logs.AIS_TEXT, "ais_bench"), ("ais_bench", logs.TRT_7, "trtexec"),
     ("ais_bench", logs.MSAME_FOLDER, "msame"), ("trtexec", logs.MSAME_FOLDER, "msame"),
     ("trtexec", logs.AIS_TEXT, "ais_bench"), ("trtexec", logs.AIS_JSON, "ais_bench"),
     ("ais_bench", logs.TRT_TIMES_8, "trtexec")],
)  # fmt: skip
def test_a_log_of_another_tool_is_refused_with_the_right_command(
    tmp_path: Path, tool: Tool, text: str, right: str
) -> None:
    refused(tmp_path, tool, text, f"python -m bench import {right}")


def test_failed_runs_are_refused_with_the_tool_s_own_words(tmp_path: Path) -> None:
    refused(tmp_path, "trtexec", logs.TRT_FAILED, "failed", "Could not open file missing.onnx")
    refused(tmp_path, "msame", logs.MSAME_FAILED, "failed", "load model from file failed")
    refused(tmp_path, "ais_bench", "[ERROR] ACL: load model failed\n", "failed", "load model failed")
    late = logs.TRT_8.replace("&&&& PASSED", "[06/01/2023-10:00:41] [E] Cuda failure\n&&&& FAILED")
    refused(tmp_path, "trtexec", late, "Cuda failure")


@pytest.mark.parametrize(
    ("tool", "text"),
    [("msame", logs.MSAME_FOLDER), ("msame", logs.MSAME_GUIDE), ("ais_bench", logs.AIS_TEXT), ("trtexec", logs.TRT_7),
     ("trtexec", logs.TRT_8)],
)  # fmt: skip
def test_two_logs_in_one_file_are_refused_at_the_second(tmp_path: Path, tool: Tool, text: str) -> None:
    with pytest.raises(LogError, match=r"line (\d+)") as caught:
        told(tmp_path, tool, text + text)
    assert int(str(caught.value).partition("line ")[2].partition(":")[0]) > len(text.splitlines())
    assert "one log a file" in str(caught.value)


def test_figures_that_cannot_be_of_one_measurement_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, "trtexec", logs.TRT_8.replace("mean = 3.58 ms", "mean = 35.8 ms"), "mean of 35.8 ms", "4.7 ms")
    refused(tmp_path, "ais_bench", logs.AIS_TEXT.replace("median = 312.5", "median = 3.125"), "median of 3.125 ms")


@pytest.mark.parametrize("figure", ["nan", "inf", "-3.58", "0", "1e30", "3.5.8"])
def test_figures_that_are_no_latency_are_refused_with_their_line(tmp_path: Path, figure: str) -> None:
    refused(tmp_path, "trtexec", logs.TRT_8.replace("mean = 3.58 ms", f"mean = {figure} ms"), "line 14", figure)
    refused(tmp_path, "msame", logs.MSAME_GUIDE.replace("21.04", figure), "line 1", figure)
    refused(tmp_path, "ais_bench", logs.AIS_TEXT.replace("mean = 313.0,", f"mean = {figure},"), "line 8", figure)


@pytest.mark.parametrize(
    ("tool", "text", "words"),
    [
        ("ais_bench", logs.AIS_JSON[:-60], "no JSON"),
        ("ais_bench", '{"a": 1}', "no NPU_compute_time"),
        ("ais_bench", '{"NPU_compute_time": {"mean": "5"}}', "no latency"),
        ("ais_bench", '{"NPU_compute_time": {}, "npu_compute_time_list": 7}', "no list"),
        ("ais_bench", '{"NPU_compute_time": {}}', "neither"),
        ("trtexec", logs.TRT_TIMES_8[:-20], "no JSON"),
        ("trtexec", "[]", "no query"),
        ("trtexec", '[{"count": 5}, {"name": "conv"}]', "--exportProfile"),
        ("trtexec", '[{"computeMs": 1.0}, {"latencyMs": 2}]', "query 1"),
        ("trtexec", '[{"computeMs": true}]', "no latency"),
        ("trtexec", "[" * 100_000, "no JSON"),
    ],
)
def test_json_that_is_not_what_it_should_be_is_refused(tmp_path: Path, tool: Tool, text: str, words: str) -> None:
    if text.startswith("[[["):
        text = "[{" + text
    refused(tmp_path, tool, text, words)


def test_a_log_cut_in_the_middle_of_its_figures_is_refused_and_after_them_remarked(tmp_path: Path) -> None:
    refused(tmp_path, "trtexec", logs.TRT_7.partition("[I] mean: 5.34373")[0], "cut off")
    assert remark(told(tmp_path, "trtexec", logs.TRT_8.partition("D2H Latency")[0]), "was cut")
    refused(tmp_path, "ais_bench", logs.AIS_TEXT.partition("mean = 313.0")[0], "line 8", "cut off")
    log = told(tmp_path, "ais_bench", logs.AIS_TEXT.partition("[INFO] throughput")[0])
    assert log.batch is None
    assert remark(log, "cut off before the throughput")
