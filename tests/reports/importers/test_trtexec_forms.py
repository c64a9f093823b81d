"""trtexec's log in the forms it is met in: builds, engines, implicit batches, prefixes of other programs, cuts."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.importers import LogError, ToolLog, read_log
from tests.reports.importers import logs


def told(tmp_path: Path, text: str | bytes) -> ToolLog:
    path = tmp_path / "trt.log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_log("trtexec", path)


def remark(log: ToolLog, words: str) -> bool:
    return any(words in clause for clause in log.remarks)


def test_a_loaded_engine_has_the_batch_of_its_bindings_and_no_known_precision(tmp_path: Path) -> None:
    log = told(tmp_path, logs.TRT_ENGINE)
    assert (log.batch, log.shapes) == (10, {"real_img": [10, 3, 128, 128], "attr": [10, 5]}), "not 'Batch: 1'"
    assert (log.precision, log.version, log.model) == ("unknown", "8.2.5", "StarGAN_fp16_bs10.trt")
    assert (log.stated.mean_ms, log.stated.count) == (23.8, 126)
    assert log.stated.fps == pytest.approx(410), "queries are batches of ten"
    assert log.device == "Tesla T4"
    assert remark(log, "the engine was built elsewhere")
    assert log.samples_ms == ()


def test_an_implicit_batch_counts_images_and_has_bindings_of_one(tmp_path: Path) -> None:
    log = told(tmp_path, logs.TRT_IMPLICIT.replace(
        "[I] Streams", "[I] Created input binding for data with dimensions 3x224x224\n[01/12/2021-17:36:31] [I] Streams"
    ))  # fmt: skip
    assert (log.batch, log.shapes) == (4, {}), "3 is a number of channels"
    assert (log.stated.count, log.stated.fps) == (17, 20.01)
    assert (log.precision, log.model) == ("int8", "resnet-50.prototxt")
    assert log.settings["Spin-wait"] == "on"
    assert log.settings["CUDA Graph"] == "off (default of TensorRT 7)"
    assert remark(log, "higher precision")
    assert (log.stated.mean_ms, log.stated.median_ms) == (199.649, None)
    headless = logs.TRT_IMPLICIT.partition("\n")[2].rpartition("&&&&")[0]
    assert told(tmp_path, headless).batch == 4, "the option dump tells it"


@pytest.mark.parametrize("prefix", ["trt-1  | ", "2023-06-01T10:00:00.1Z stdout F ", "    ", "> "])
@pytest.mark.parametrize("text", [logs.TRT_ENGINE, logs.TRT_IMPLICIT, logs.TRT_7, logs.TRT_11])
def test_what_other_programs_put_before_a_line_changes_nothing(tmp_path: Path, text: str, prefix: str) -> None:
    prefixed = "".join(prefix + line for line in text.splitlines(keepends=True))
    assert told(tmp_path, prefixed) == told(tmp_path, text)


def test_the_end_of_a_log_alone_tells_the_command_too(tmp_path: Path) -> None:
    tail = "\n".join(logs.TRT_8.splitlines()[-12:])
    log = told(tmp_path, tail)
    assert (log.version, log.batch, log.precision, log.model) == ("8.6.1", 8, "fp16", "StarGAN.onnx")
    assert not remark(log, "was cut")


def test_the_end_of_another_run_before_a_log_does_no_harm(tmp_path: Path) -> None:
    for end in ("PASSED", "FAILED"):
        text = f"&&&& {end} TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=other.onnx\n" + logs.TRT_8
        assert told(tmp_path, text) == told(tmp_path, logs.TRT_8)


def test_grep_with_context_leaves_the_sections_readable(tmp_path: Path) -> None:
    lines = logs.TRT_7.splitlines()
    kept = [*lines[5:12], "--", *lines[-9:-1]]
    assert lines[-8].endswith("GPU Compute")
    assert told(tmp_path, "\n".join(kept)).stated.mean_ms == 5.34373
    with pytest.raises(LogError, match="no GPU Compute"):
        told(tmp_path, "\n".join(line for line in lines if "mean" in line))


def test_averages_of_one_run_are_all_the_samples(tmp_path: Path) -> None:
    each = "".join(f"[I] Average on 1 runs - GPU latency: {ms} ms - Host latency: 4 ms (enqueue 0.2 ms)\n"
                   for ms in (3.5, 3.58, 3.66))  # fmt: skip
    text = logs.TRT_8.replace("[06/01/2023-10:00:40] [I] === Performance", each + "[I] === Performance")
    assert told(tmp_path, text).samples_ms == (3.5, 3.58, 3.66)
    assert told(tmp_path, text.replace("latency: 3.66 ms", "latency: 9.66 ms")).samples_ms == (), "some are missing"
    assert told(tmp_path, text.replace("Average on 1 runs", "Average on 10 runs")).samples_ms == ()


def test_a_run_that_only_built_an_engine_is_refused(tmp_path: Path) -> None:
    build = "\n".join(line for line in logs.TRT_8.splitlines() if " = " not in line and "Throughput" not in line)
    with pytest.raises(LogError, match="only built an engine"):
        told(tmp_path, build)


def test_settings_tell_what_is_documented_default_and_what_was_said(tmp_path: Path) -> None:
    log = told(tmp_path, logs.TRT_10)
    assert log.settings == {
        "Data transfers": "on", "CUDA Graph": "on", "Spin-wait": "off (default of TensorRT 10)",
        "ExposeDMA": "off (default of TensorRT 10)", "streams": "1", "--noTF32": "given",
    }  # fmt: skip
    serial = told(tmp_path, logs.TRT_10.replace("--noTF32", "--exposeDMA --builderOptimizationLevel=5"))
    assert serial.settings["--builderOptimizationLevel"] == "5"
    assert remark(serial, "one query after another")
    assert not remark(serial, "enqueued already")
    assert serial.tf32_allowed


@pytest.mark.parametrize(
    ("flags", "dump", "precision"),
    [
        ("", "FP32+FP16+INT8", "int8"), ("", "FP32+FP16 (obey precision constraints)", "fp16"),
        ("", "Strongly Typed", "unknown"), ("", "FP32+FP8", "unknown"), ("--fp16", "FP32+FP16", "fp16"),
        ("--stronglyTyped", "FP32", "unknown"),
    ],
)  # fmt: skip
def test_the_option_dump_tells_the_precision_too(tmp_path: Path, flags: str, dump: str, precision: str) -> None:
    text = logs.TRT_8.replace(" --fp16", f" {flags}").replace("Precision: FP32+FP16", f"Precision: {dump}")
    assert told(tmp_path, text).precision == precision


@pytest.mark.parametrize(
    ("banner", "version"),
    [("v7103", "7.1.3"), ("v8001", "8.0.1"), ("v8510", "8.5.10"), ("v8601", "8.6.1"), ("v8.6.1", "8.6.1"),
     ("v100900", "10.9.0"), ("v101303", "10.13.3"), ("v110200", "11.2.0"), ("v11.1.0.106", "11.1.0.106"), ("v1", "")],
)  # fmt: skip
def test_the_banner_s_number_is_a_version(tmp_path: Path, banner: str, version: str) -> None:
    assert told(tmp_path, logs.TRT_8.replace("v8601", banner)).version == version


def test_what_ran_goes_before_what_was_asked(tmp_path: Path) -> None:
    bound = "[I] Input binding for real_img with dimensions 4x3x128x128 is created.\n"
    text = logs.TRT_8.replace("[06/01/2023-10:00:40] [W]", bound + "[06/01/2023-10:00:40] [W]")
    assert told(tmp_path, text).batch == 4


def test_text_that_is_not_unicode_and_zeros_after_a_crash_do_not_matter(tmp_path: Path) -> None:
    expected = told(tmp_path, logs.TRT_8)
    chinese = "正在构建引擎，请稍候\n".encode("gb18030") * 200
    assert told(tmp_path, chinese + logs.TRT_8.encode() + chinese) == expected
    assert told(tmp_path, logs.TRT_8.encode() + bytes(5000)) == expected
    appended = logs.TRT_8.partition("[I] Throughput")
    mixed = appended[0].encode() + (appended[1] + appended[2]).encode("utf-16-le")
    assert told(tmp_path, mixed) == expected, "PowerShell's >> on a file of another program"


def test_exported_times_say_how_many_queries_were_warm_up(tmp_path: Path) -> None:
    assert remark(told(tmp_path, logs.TRT_TIMES_8), "2 of its 2 queries began in the first 200 ms")
    late = logs.TRT_TIMES_8.replace('"startComputeMs" : 0.2', '"startComputeMs" : 201.5').replace(
        '"startComputeMs" : 3.9', '"startComputeMs" : 205.5'
    )
    log = told(tmp_path, late)
    assert not remark(log, "warm-up")
    assert remark(log, "8.4 or newer")
    assert log.stated.count == 2
