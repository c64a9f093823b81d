"""msame's and ais_bench's logs as they are met: labels, failures, several devices, threads, old versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reports.importers import LogError, Tool, ToolLog, read_log
from tests.reports.importers import logs


def told(tmp_path: Path, tool: Tool, text: str) -> ToolLog:
    path = tmp_path / "npu.log"
    path.write_text(text, encoding="utf-8")
    return read_log(tool, path)


def remark(log: ToolLog, words: str) -> bool:
    return any(words in clause for clause in log.remarks)


@pytest.mark.parametrize(
    "line",
    ["Inference average time : 223.22ms", "Inference average time: 223.220000 ms",
     "[INFO] Inference average time : 223.22 ms", "Inference average time：223.22 ms",
     "\tInference average time : 2.2322e+02 ms"],
)  # fmt: skip
def test_msame_s_average_in_every_spelling(tmp_path: Path, line: str) -> None:
    log = told(tmp_path, "msame", f"{line}\nInference average time without first time : 223.10ms\n")
    assert (log.stated.mean_ms, log.stated.mean_without_first_ms) == (223.22, 223.10)


def test_the_guide_s_label_tells_the_batch_size(tmp_path: Path) -> None:
    assert told(tmp_path, "msame", logs.MSAME_GUIDE).batch == 1
    assert told(tmp_path, "msame", logs.MSAME_GUIDE.replace("bs1", "bs16")).batch == 16
    assert told(tmp_path, "msame", "(310 first) Inference average time: 21.04 ms\n").batch is None
    assert told(tmp_path, "msame", "Inference average time: 21.04 ms (bs4)\n").batch is None, "not a label"


def test_msame_s_debug_lines_tell_shapes_and_batch(tmp_path: Path) -> None:
    log = told(tmp_path, "msame", logs.MSAME_DEBUG)
    assert (log.batch, log.shapes) == (4, {"real_img": [4, 3, 128, 128], "attr": [4, 5]})
    assert log.command.startswith("./msame --model ./StarGAN_bs4.om --input")


def test_a_failed_execution_s_time_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"failed.*execute model failed, modelId is 1"):
        told(tmp_path, "msame", logs.MSAME_EXECUTE_FAILED)
    late = logs.MSAME_DEBUG.replace("[INFO] Execute", "[ERROR] destroy stream failed\n[INFO] Execute")
    assert remark(told(tmp_path, "msame", late), "an error in the log: [ERROR] destroy stream failed")


def test_an_average_over_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"line 2: the average time is '-nan'"):
        told(tmp_path, "msame", "[INFO] model success\nInference average time : -nan ms\n")
    with pytest.raises(LogError, match="only the average without the first time"):
        told(tmp_path, "msame", "Inference average time without first time: 223.10 ms\n")


def test_the_oldest_throughput_line_gives_the_batch_size_by_arithmetic(tmp_path: Path) -> None:
    log = told(tmp_path, "ais_bench", logs.AIS_OLDEST)
    assert (log.batch, log.stated.fps, log.stated.mean_ms) == (16, 50.0, 320.0)
    assert log.command == "python3.7.5 ais_infer.py --model /home/me/StarGAN_bs16.om --batchsize 16 --loop 100"
    assert told(tmp_path, "ais_bench", logs.AIS_OLDEST.replace(": 50.0", ": 48.2")).batch is None, (
        "15.4 is no batch size"
    )
    assert told(tmp_path, "ais_bench", logs.AIS_OLDEST.replace(": 50.0", ": 0")).stated.fps is None


def test_a_mean_batch_size_may_be_printed_as_a_fraction(tmp_path: Path) -> None:
    assert told(tmp_path, "ais_bench", logs.AIS_TEXT.replace("mean(16)", "mean(16.0)")).batch == 16
    log = told(tmp_path, "ais_bench", logs.AIS_TEXT.replace("mean(16)", "mean(15.5)"))
    assert log.batch is None
    assert remark(log, "no single batch size")


def test_several_devices_are_one_measurement_of_all(tmp_path: Path) -> None:
    log = told(tmp_path, "ais_bench", logs.AIS_DEVICES)
    stated = log.stated
    assert stated.mean_ms == pytest.approx(2.6)
    assert (stated.min_ms, stated.max_ms, stated.median_ms, stated.percentiles_ms) == (2.3, 3.6, None, {})
    assert (log.batch, stated.fps, log.settings["device"]) == (4, 3081.48, "0, 1")
    assert remark(log, "2 devices at once")
    assert not remark(log, "ran together")
    apart = logs.AIS_DEVICES.replace("start_time:1752744657.2", "start_time:1752744664.0")
    assert remark(told(tmp_path, "ais_bench", apart), "they ran together for 49% of the time only")
    one_failed = logs.AIS_DEVICES.partition("[INFO] unload model")[0] + "[INFO] multidevice run end qsize:2 result:1\n"
    log = told(tmp_path, "ais_bench", one_failed)
    assert (log.stated.mean_ms, log.stated.fps) == (2.5, None)
    assert remark(log, "only 1 of them told their times")
    with pytest.raises(LogError, match="a second run"):
        told(tmp_path, "ais_bench", logs.AIS_DEVICES * 2)


def test_two_summaries_without_several_devices_are_two_runs(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="line 3: the times of a second run"):
        told(tmp_path, "ais_bench", logs.AIS_OLD * 2)


def test_threads_print_a_mean_that_is_no_latency(tmp_path: Path) -> None:
    text = ("[INFO] NPU_compute_time (ms): mean = 2.5\n"
            "[INFO] throughput 1000*batchsize.mean(4)/NPU_compute_time.mean(2.5): 1600.0\n")  # fmt: skip
    log = told(tmp_path, "ais_bench", text)
    assert (log.stated.mean_ms, log.batch) == (2.5, 4)
    assert remark(log, "several threads")
    pairs = json.loads(logs.AIS_JSON) | {"npu_compute_time_list": [[0.0, 310.0], [5.0, 320.0]]}
    log = told(tmp_path, "ais_bench", json.dumps(pairs))
    assert (log.samples_ms, log.stated.mean_ms) == ((), 315.0)
    assert remark(log, "several threads")


def test_a_summary_tells_the_words_it_was_called_with(tmp_path: Path) -> None:
    words = ["/usr/lib/ais_bench/__main__.py", "--model", "./StarGAN_bs16.om", "--loop", "4"]
    log = told(tmp_path, "ais_bench", json.dumps(json.loads(logs.AIS_JSON) | {"args": words}))
    assert (log.model, log.command) == ("StarGAN_bs16.om", " ".join(words))
    assert log.stated.fps == pytest.approx(50.79365)
    both = json.loads(logs.AIS_JSON) | {"D2H_latency": {"mean": 0.25}}
    assert remark(told(tmp_path, "ais_bench", json.dumps(both)), "0.15 ms to the device and 0.25 ms back")
    for odd in (None, 7, [], [None], ["--model"], {}):
        log = told(tmp_path, "ais_bench", json.dumps(json.loads(logs.AIS_JSON) | {"args": odd}))
        assert log.model == ""


@pytest.mark.parametrize("value", [10**400, 1e308, -5, True, "16", None, [1]])
def test_throughputs_that_are_none_tell_no_batch_size(tmp_path: Path, value: object) -> None:
    content = json.loads(logs.AIS_JSON) | {"throughput": value}
    log = told(tmp_path, "ais_bench", json.dumps(content))
    assert (log.batch, log.stated.fps) == (None, None)


def test_json_that_only_looks_like_it_names_the_right_tool(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="import trtexec"):
        told(tmp_path, "ais_bench", logs.TRT_TIMES_8[:-20])
    with pytest.raises(LogError, match="no JSON"):
        told(tmp_path, "ais_bench", logs.AIS_JSON[:-60])
