"""ONNX -> .om, against a double of atc that keeps the documented rules."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest

from backends.base import ConversionError, Precision
from backends.convert import ArtifactCache, ToolMissing, atc, atc_errors, om, read_graph, shell_text
from tests.backends.convert.models import two_inputs, with_external_data
from tests.doubles import atc as double

CHIP = atc.Settings("Ascend310")


@pytest.fixture
def cache(tmp_path: Path) -> ArtifactCache:
    return ArtifactCache(tmp_path / "cache")


def use(place: Path, monkeypatch: pytest.MonkeyPatch) -> atc.Atc:
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    return atc.locate()


def test_one_om_a_batch_size_and_the_second_time_from_the_cache(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = double.install(tmp_path / "cann")
    tool = use(place, monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    made = [atc.convert(tool, graph, batch, CHIP, cache) for batch in (1, 4, 1)]
    assert [each.hit for each in made] == [False, False, True]
    assert made[0].sha256 == made[2].sha256 != made[1].sha256
    assert om.inspect(made[0].path).name == "model_bs1"
    assert made[0].precision == "fp16 (force_fp16, atc's default)"
    assert len(double.calls(place)) == 2
    assert double.calls(place)[1] == (
        "--framework=5 --model=x.onnx --output=model_bs4 --input_format=NCHW"
        " --input_shape=real_img:4,3,8,8;attr:4,1,1,1 --soc_version=Ascend310 --log=error"
    )
    left = [path for path in (tmp_path / "cache").rglob("*") if ".tmp" in path.name or "kernel_meta" in path.name]
    assert left == []
    assert list(Path.cwd().glob("kernel_meta*")) == []


def test_the_command_for_elsewhere_is_the_guides_own() -> None:
    shapes = {"real_img": (4, 3, 128, 128), "attr": (4, 5)}
    line = atc.command("atc", "StarGAN.onnx", "StarGAN_bs4", shapes, atc.Settings("Ascend310", "force_fp32"))
    assert shell_text(line) == (
        "atc --framework=5 --model=StarGAN.onnx --output=StarGAN_bs4 --input_format=NCHW"
        " '--input_shape=real_img:4,3,128,128;attr:4,5' --soc_version=Ascend310 --precision_mode=force_fp32 --log=error"
    )


def test_whatever_the_result_depends_on_makes_another_artifact(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = double.install(tmp_path / "cann", version="8.0.RC2")
    tool = use(place, monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    other = read_graph(two_inputs(tmp_path / "y.onnx", scale=2))
    variants = [
        (tool, graph, 1, CHIP),
        (tool, other, 1, CHIP),
        (tool, graph, 2, CHIP),
        (tool, graph, 1, atc.Settings("Ascend310P3")),
        (tool, graph, 1, atc.Settings("Ascend310", "must_keep_origin_dtype")),
    ]
    double.install(tmp_path / "cann", version="8.1.RC1")
    variants.append((atc.locate(), graph, 1, CHIP))
    made = [atc.convert(*variant, cache) for variant in variants]
    assert not any(each.hit for each in made)
    assert len({each.path for each in made}) == len(variants)
    assert made[4].precision == "fp32 (must_keep_origin_dtype)"
    assert "8.0.RC2" in tool.version


def test_a_mode_that_leaves_the_choice_to_atc_is_called_mixed() -> None:
    assert atc.Settings("Ascend310", "allow_mix_precision").precision == "mixed (allow_mix_precision)"
    assert atc.Settings("Ascend310", "allow_mix_precision").arithmetic is None
    assert atc.Settings("Ascend310").arithmetic is Precision.FP16
    assert atc.Settings("Ascend310", "must_keep_origin_dtype").arithmetic is Precision.FP32


def test_one_om_for_several_batch_sizes(tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch) -> None:
    place = double.install(tmp_path / "cann")
    tool = use(place, monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    made = atc.convert(tool, graph, (16, 1, 4, 4), CHIP, cache)
    assert double.calls(place) == [
        "--framework=5 --model=x.onnx --output=model_dyn1-4-16 --input_format=NCHW"
        " --input_shape=real_img:-1,3,8,8;attr:-1,1,1,1 --soc_version=Ascend310 --dynamic_batch_size=1,4,16 --log=error"
    ]
    assert made.notes == ("one model for batch sizes 1, 4, 16, usually slower than a model of one size",)
    assert atc.convert(tool, graph, [1, 4, 16], CHIP, cache).hit
    assert atc.convert(tool, graph, [1, 4], CHIP, cache).sha256 != made.sha256
    assert not atc.convert(tool, graph, 1, CHIP, cache).hit
    facts = om.read_sidecar(made.path)
    assert facts is not None
    assert (facts.batch, facts.gears, facts.batches) == (None, (1, 4, 16), (1, 4, 16))


@pytest.mark.parametrize(
    ("gears", "words"),
    [
        ((), "given none"),
        ((4,), "at least two different sizes of 1 or more, and it was given 4;"),
        ((4, 4), "given 4, 4"),
        ((0, 4), "given 0, 4"),
        (range(1, 102), "at most 100 sizes, and it was given 101"),
    ],
)
def test_batch_sizes_that_no_dynamic_om_takes(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch, gears: Sequence[int], words: str
) -> None:
    place = double.install(tmp_path / "cann")
    tool = use(place, monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    with pytest.raises(ConversionError, match=words):
        atc.convert(tool, graph, gears, CHIP, cache)
    assert double.calls(place) == []


def test_most_batch_sizes(tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = use(double.install(tmp_path / "cann"), monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    assert len(graph.inputs) == 2
    assert om.inspect(atc.convert(tool, graph, range(1, 101), CHIP, cache).path).size_bytes > om.HEADER_BYTES


def test_the_note_in_the_cache_tells_what_an_om_computes_in(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = use(double.install(tmp_path / "cann", version="8.0.RC2"), monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    made = atc.convert(tool, graph, 4, atc.Settings("Ascend310P3", "must_keep_origin_dtype"), cache)
    facts = om.read_sidecar(made.path)
    assert facts is not None
    assert (facts.sha256, facts.onnx_sha256, facts.batch) == (made.sha256, graph.sha256, 4)
    assert (facts.soc_version, facts.precision_mode, facts.cann) == ("Ascend310P3", "must_keep_origin_dtype", "8.0.RC2")
    assert (facts.precision, facts.arithmetic) == ("fp32 (must_keep_origin_dtype)", Precision.FP32)
    assert facts.tool == tool.version


def test_a_file_named_after_its_host_and_a_warning_are_told_also_from_the_cache(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = use(double.install(tmp_path / "cann", host="linux_x86_64", warn=True), monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    first, second = (atc.convert(tool, graph, 1, CHIP, cache) for _ in range(2))
    assert not first.hit
    assert second.hit
    assert first.notes == second.notes
    assert first.notes[0] == "runs only on linux x86_64, as atc named it"
    warned, _, log = first.notes[1].removesuffix(")").partition(" (output: ")
    assert warned.startswith("atc warned: W11001: High-priority")
    assert "W11001" in Path(log).read_text()


def test_external_data_and_odd_paths_reach_atc(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = use(double.install(tmp_path / "cann"), monkeypatch)
    folder = tmp_path / "a folder, with; signs"
    folder.mkdir()
    graph = read_graph(with_external_data(folder / "my model.onnx"))
    odd = ArtifactCache(tmp_path / "ein Ordner (é)")
    assert atc.convert(tool, graph, 1, CHIP, odd).path.exists()


def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: atc.Settings = CHIP, **behaviour: object) -> str:
    """The one line of a conversion that fails; its log must be there and complete."""
    opset, domains = int(str(behaviour.pop("opset", 11))), int(str(behaviour.pop("domains", 1)))
    place = double.install(tmp_path / "cann", **behaviour)  # type: ignore[arg-type]
    tool = use(place, monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx", opset=opset, domains=domains))
    with pytest.raises(ConversionError) as caught:
        atc.convert(tool, graph, 1, settings, ArtifactCache(tmp_path / "cache"))
    line = str(caught.value)
    assert "\n" not in line
    log = Path(line.rpartition("(output: ")[2].removesuffix(")"))
    assert log.is_file()
    assert list((tmp_path / "cache").glob("*.om*")) == []
    assert list((tmp_path / "cache").glob(".tmp*")) == []
    return line


def test_wrong_chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = refused(tmp_path, monkeypatch, atc.Settings("Ascend311"))
    assert line.startswith("atc failed with status 255: E10001: Value [Ascend311] for parameter [--soc_version]")
    assert "exact name with --soc-version" in line


def test_wrong_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = refused(tmp_path, monkeypatch, atc.Settings("Ascend310", "fast"))
    assert "E10001" in line
    assert "atc --help" in line


def test_an_opset_that_old_cann_does_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = refused(tmp_path, monkeypatch, opset=17, last_opset=13)
    assert "E16002: No ONNX parser is registered for optype [ai.onnx::17::Mul]." in line
    assert "lower --opset" in line


@pytest.mark.parametrize(
    ("version", "opset", "words"),
    [
        ("5.0.4.alpha001", 14, "opset 14 is not read by CANN 5.0.4.alpha001, which reads opsets 9 to 13; export with"),
        ("6.0.1", 17, "opset 17 is not read by CANN 6.0.1, which reads opsets 9 to 13; export with --opset 11, or"),
        ("7.0.0", 19, "which reads opsets 9 to 18; export with --opset 11, or convert with a newer CANN."),
        ("8.0.RC2", 8, "which reads opsets 9 to 18; export with --opset 11."),
    ],
)
def test_an_opset_that_this_cann_does_not_read_is_known_before_the_call(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch, version: str, opset: int, words: str
) -> None:
    place = double.install(tmp_path / "cann", version=version, last_opset=99)
    tool = use(place, monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx", opset=opset))
    with pytest.raises(ConversionError) as caught:
        atc.convert(tool, graph, 1, CHIP, cache)
    assert str(caught.value).startswith("x.onnx: opset ")
    assert words in str(caught.value)
    assert double.calls(place) == []


@pytest.mark.parametrize(
    ("version", "opset"), [("6.0.1", 9), ("6.0.1", 13), ("8.1.RC1", 18), ("6.3.RC2", 17), ("9.2.0", 20), ("", 20)]
)
def test_an_opset_that_this_cann_may_read_is_left_to_atc(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch, version: str, opset: int
) -> None:
    tool = use(double.install(tmp_path / "cann", version=version, last_opset=99), monkeypatch)
    assert atc.convert(tool, read_graph(two_inputs(tmp_path / "x.onnx", opset=opset)), 1, CHIP, cache).path.exists()


def test_opsets_of_several_domains_are_known_before_the_call(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = double.install(tmp_path / "cann")
    tool = use(place, monkeypatch)
    path = two_inputs(tmp_path / "x.onnx", domains=2)
    with pytest.raises(ConversionError) as caught:
        atc.convert(tool, read_graph(path), 1, CHIP, cache)
    assert str(caught.value) == (
        "x.onnx imports opsets of 2 domains (ai.onnx 11, x0 1), and atc takes one (E16005); keep one opset domain in"
        " the model: remove the opset_imports that no node uses (x0 1)."
    )
    model = onnx.load(str(path))
    model.graph.node[0].domain = "x0"
    onnx.save(model, str(path))
    with pytest.raises(ConversionError, match="its nodes use them all: export it without operators beyond ONNX's own"):
        atc.convert(tool, read_graph(path), 1, CHIP, cache)
    assert double.calls(place) == []


def test_several_domains_are_left_to_a_newer_cann(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = refused(tmp_path, monkeypatch, domains=2, version="9.1.0")
    assert "E16005: The model has 2" in line
    assert "keep one opset domain" in line


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("EZ9010: No parser is registered for Op [Conv_52, optype [ai.onnx::20::Conv]].", ["EZ9010", "lower --opset"]),
        ("E19010: No parser is registered for Op [Conv_52, optype [ai.onnx::20::Conv]].", ["lower --opset"]),
        (
            "[PID: 62] 2026-11-23-10:00:00.123.456 Not_Supported_Operator(EZ3003): No supported Ops kernel for [A].",
            ["EZ3003: No supported Ops kernel for [A].", "operator package"],
        ),
        (
            "E19999: Inner Error!\nE19999  [Check][Input]the dims are wrong[FUNC:Build][FILE:x.cc][LINE:1]\n"
            "        TraceBack (most recent call last):",
            ["E19999: Inner Error! [Check][Input]the dims are wrong", "$HOME/ascend/log"],
        ),
        ("EZ9999: Inner Error!\n        Unknown error occurred.", ["EZ9999: Inner Error! Unknown error occurred."]),
        ("W11001: only a warning\nE10014: Value [x] is wrong", ["E10014: Value [x] is wrong", "atc --help"]),
        ("E10002: Value [a] for parameter [--input_shape] is invalid.", ["names and shapes of the inputs"]),
        ("E10031: --dynamic_batch_size is included, but none of the nodes", ["-1 as the first dimension"]),
        ("E10035: --dynamic_batch_size has 1 profiles", ["2 to 100 different sizes"]),
        ("E10003: Value Ascend9 for parameter --soc_version is invalid", ["exact name with --soc-version"]),
        ("E10041: Failed to load the model from x.onnx.", ["export it again"]),
        ("E10501: IR for Op a with optype b is not registered.", ["ASCEND_OPP_PATH", "set_env.sh"]),
        ("E13025: Input tensor is invalid. Reason: too small", ["batch size and the types of its inputs"]),
        ("ModuleNotFoundError: No module named 'decorator'", ["pip install decorator."]),
        ("ERROR: unknown command line flag 'log'", ["unknown command line flag 'log'", "see the output"]),
        ("E10001: " + "x" * 5000, ["x…"]),
        ("", ["ATC run failed"]),
    ],
)
def test_first_error_and_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, words: list[str]) -> None:
    line = refused(tmp_path, monkeypatch, says=says or " ")
    for word in words:
        assert word in line, line
    assert len(line) < 1200


@pytest.mark.parametrize("code", ["E10001", "E10002", "E10014", "E13025", "E16002", "E16005", "EZ3003"])
def test_codes_have_an_advice_also_in_the_runtimes_messages(code: str) -> None:
    assert atc_errors.advice(f"[PID: 7] Some_Title({code}): something\n        Solution: N/A").endswith(".")
    assert atc_errors.advice(f"E19999: Inner Error!\n{code}: something") == atc_errors.advice(f"{code}: something")


def test_a_message_without_a_known_code_has_no_advice() -> None:
    assert atc_errors.advice("E19999: Inner Error!") == atc_errors.advice("") == ""


def test_a_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = refused(tmp_path, monkeypatch, then="no library")
    assert "libge_compiler.so" in line
    assert "set_env.sh" in line


@pytest.mark.parametrize(("then", "words"), [("no file", "wrote no .om"), ("empty file", "its .om is empty")])
def test_success_without_a_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str, words: str) -> None:
    assert words in refused(tmp_path, monkeypatch, then=then)


def test_killed_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = refused(tmp_path, monkeypatch, then="killed")
    assert "SIGKILL (killed from outside, most often for lack of memory)" in line


def test_it_may_not_hang_for_ever(tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch) -> None:
    place = double.install(tmp_path / "cann", then="hang")
    tool = use(place, monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    with pytest.raises(ConversionError, match="atc did not end within 2 s and was killed"):
        atc.convert(tool, graph, 1, CHIP, cache, limit_s=2)
    gone(place)


def gone(place: Path) -> None:
    """The double and its child are no longer there."""
    pids = [int(pid) for pid in (place / "pids").read_text().split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 5
    while running := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < deadline, running
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


_INTERRUPTED = """
import sys
from pathlib import Path
from backends.convert import ArtifactCache, atc, read_graph
graph, cache = read_graph(Path(sys.argv[1])), ArtifactCache(Path(sys.argv[2]))
try:
    atc.convert(atc.locate(), graph, 1, atc.Settings("Ascend310"), cache)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_ends_atc_and_what_it_started(tmp_path: Path) -> None:
    place = double.install(tmp_path / "cann", then="hang")
    model = two_inputs(tmp_path / "x.onnx")
    process = subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED, str(model), str(tmp_path / "cache")],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"PATH": f"{place}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.PIPE,  # open and silent: whoever reads it would wait for ever
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 30
    while not (place / "pids").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    gone(place)
    assert list((tmp_path / "cache").glob("*.om*")) == []
    assert list((tmp_path / "cache").glob(".tmp*")) == []


def test_absent_and_not_executable(tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"atc was not found on PATH; source CANN's set_env\.sh"):
        atc.locate()
    (tmp_path / "atc").write_text("no program")
    (tmp_path / "atc").chmod(0o755)
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    with pytest.raises(ConversionError, match="cannot be run: Exec format error"):
        atc.convert(atc.locate(), graph, 1, CHIP, cache)
