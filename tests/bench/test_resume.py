"""A run that was killed goes on where it was, and never as another run than it was."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import cli
from bench.commands.options import RunOptions
from bench.commands.resume import options_of
from bench.errors import UsageError
from reports import store
from reports.records import Run
from tests.command import FAST, Bench, one_line
from tests.reports.samples import header

#: Four cells: two backends at two batch sizes.
BATCHES = ("--bs", "1", "2")


def _run(bench: Bench) -> tuple[str, ...]:
    return ("--model", bench.model, "--backend", "ort", "double", *BATCHES, *FAST, "--out", "o")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run file of a run that kill -9 ended after two of its four cells."""
    bench = Bench(tmp_path_factory.mktemp("killed"))
    process = bench.start(*_run(bench))
    path = bench.folder / "o" / "run.jsonl"
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_bytes().count(b"\n") >= 3):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    return path


@pytest.fixture
def killed(bench: Bench, original: Path) -> Path:
    """The same run as if it had been made in this test's own folder."""
    for name in ("o", "cache"):
        shutil.copytree(original.parents[1] / name, bench.folder / name)
    path = bench.folder / "o" / "run.jsonl"
    path.write_bytes(path.read_bytes().replace(bytes(original.parents[1]), bytes(bench.folder)))
    return path


def test_a_killed_run_goes_on_with_finished_cells_byte_equal(bench: Bench, killed: Path) -> None:
    before = killed.read_bytes()
    finished = before[: before.rfind(b"\n") + 1]
    assert 2 <= finished.count(b"\n") - 1 < 4
    done = bench("--resume", "o")
    after = killed.read_bytes()
    assert after.startswith(finished)
    run = store.read(killed)
    assert [(c.identity.batch, c.identity.backend) for c in run.cells] == [
        (batch, backend) for batch in (1, 2) for backend in ("onnxruntime", "double")
    ]
    assert all(cell.status == "ok" for cell in run.cells)
    assert len(run.resumed) == 1
    report = (killed.parent / "report.md").read_text()
    assert f"| Resumed | {run.resumed[0].at} |" in report
    assert "Unfinished" not in report
    assert done.stdout.count("report: ") == 1
    # There is nothing left to do, and doing it changes nothing.
    bench("--resume", "o")
    assert killed.read_bytes() == after


def test_a_line_cut_off_by_power_loss_is_measured_again_from_any_folder(bench: Bench, killed: Path) -> None:
    whole = killed.read_bytes()
    whole = whole[: whole.rfind(b"\n") + 1]
    killed.write_bytes(whole[:-40])
    torn = killed.read_bytes()
    one_line(bench("--resume", "o", "--streams", "2", code=2).stderr, "--streams")
    assert killed.read_bytes() == torn, "a refused resume leaves the torn line, too"

    def relative(header: dict) -> None:  # type: ignore[type-arg]
        header["command"][header["command"].index(bench.model)] = "tiny.onnx"
        assert header["folder"] == str(bench.folder)

    _edit_header(killed, relative)
    run_from = bench.folder / "elsewhere"
    run_from.mkdir()
    bench.folder = run_from
    bench("--resume", "../o", "--model", "../tiny.onnx", "--precision", "fp32", "--bs", "2", "1")
    assert not list(run_from.iterdir())
    run = store.read(killed)
    assert len(run.cells) == 4
    assert not run.warnings


def _edit_header(path: Path, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    first, _, rest = path.read_bytes().partition(b"\n")
    header = json.loads(first)
    change(header)
    path.write_bytes(json.dumps(header).encode() + b"\n" + rest)


BAD = [
    (["--bs", "1", "4"], ["--bs is not what the run", "1 2"]),
    (["--max-time", "9"], ["--max-time is not what the run", FAST[1]]),
    (["--backend", "ov"], ["--backend is not what the run", "ort double"]),
    (["--out", "elsewhere"], ["--out"]),
]


def test_a_resume_that_would_be_another_run_is_refused(bench: Bench, killed: Path) -> None:
    before = killed.read_bytes()
    for options, words in BAD:
        one_line(bench("--resume", "o", *options, code=2).stderr, *words)
        assert killed.read_bytes() == before
    # The same options again are no others.
    good = killed.read_bytes()
    _edit_header(killed, lambda header: header.update(command=["python", "-m", "bench", "report", "x"]))
    one_line(bench("--resume", "o", code=2).stderr, "its command is no run", "python -m bench report x", "start a new")
    killed.write_bytes(good)
    _edit_header(killed, lambda header: header["packages"].update(onnxruntime="0.1"))
    one_line(bench("--resume", "o", *BATCHES, code=2).stderr, "onnxruntime was 0.1 and is")
    _edit_header(killed, lambda header: header["packages"].update(onnxruntime=_installed("onnxruntime")))
    _edit_header(killed, lambda header: header["host"].update(cpu="another CPU"))
    one_line(bench("--resume", "o", code=2).stderr, "the CPU was another CPU and is")


def _options(original: str, now: str, folder: str = "") -> RunOptions:
    """What `bench --resume o NOW` does to a run that `bench ORIGINAL` began."""
    run = Run(run=header(command=["python", "-m", "bench", *original.split()], folder=folder), cells=[])
    given = ["--resume", "o", *now.split()]
    return options_of(run, cli.parse(given), cli.typed(given), cli.parse)


@pytest.mark.parametrize(
    ("original", "now", "words"),
    [
        ("--streams 2", "--streams 1", "--streams is .* (2);"),
        ("", "--streams 2", "--streams is .* (1);"),
        ("--chips all", "--chips 2", "--chips is .* (all);"),
        ("", "--chips all", "--chips is .* (none);"),
        ("", "--quick", "--quick is .* (--max-time 60);"),
        ("--max-time 9", "--quick", "--quick is .* (--max-time 9);"),
        ("--quick", "--max-time 3", "--max-time is .* (--quick);"),
        ("", "--bs 1 2", "--bs is .* (1 4 8 16);"),
        ("", "--precision fp16", "--precision is .* (each backend's default);"),
        ("--precision fp16", "--precision fp32", "--precision is .* (fp16);"),
        ("--scope end-to-end", "--scope compute", "--scope is .* (end-to-end);"),
        ("", "--model m.onnx", "--model is .* (none);"),
        ("--model m.onnx", "--model n.onnx", "--model is .* (m.onnx);"),
        ("--model m.onnx", "--weights w", "--weights is .* (none);"),
        ("--model m.onnx", "--workload stargan", "--workload is .* (onnx);"),
        ("--model m.onnx --shape x:1x3", "--shape x:1x4", "--shape is .* (x:1x3);"),
        ("", "--attributes A B C D E", "--attributes is .* (Black_Hair Blond_Hair Brown_Hair Male Young);"),
        ("", "--device cuda:1", "--device is .* (each backend's first);"),
        ("", "--backend pytorch", "--backend is .* (all that are usable);"),
        ("--backend ov:threads=1", "--backend ov", "--backend is .* (ov:threads=1);"),
        ("--backend ov", "--backend nonsense", "--backend: .*nonsense"),
        ("--no-such-option", "", "its command is no run that this bench knows"),
        ("--help", "", "its command is no run that this bench knows"),
    ],
)
def test_an_option_of_another_run_is_refused_with_the_original_s(original: str, now: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(").replace(")", r"\)")):
        _options(original, now)


@pytest.mark.parametrize(
    ("original", "now"),
    [
        ("--bs 1 2", "--bs 2 1 1"),
        ("", "--bs 16 8 4 1 --precision fp32 --scope compute --workload stargan --streams 1 --max-time 60"),
        ("", "--attributes Black_Hair Blond_Hair Brown_Hair Male Young"),
        ("--model m.onnx --shape x:1x3", "--workload onnx --model ./x/../m.onnx --shape x:1X3"),
        ("--precision fp32 fp16 --scope compute end-to-end", "--precision fp16 fp32 --scope end-to-end compute"),
        ("--backend ov:threads=1,hint=latency ort", "--backend onnxruntime openvino:hint=latency,threads=1"),
        ("--device cuda", "--device cuda:0"),
        ("--chips all --streams 2 --quick", "--chips all --streams 2 --quick"),
    ],
)
def test_the_original_s_options_in_other_words_are_the_original_s(original: str, now: str) -> None:
    assert _options(original, now) == _options(original, "")


def test_free_options_are_this_command_s_even_when_they_say_the_default() -> None:
    before = _options("--lock-timeout 5 --baseline ort --cache c --streams 2", "")
    assert (before.lock_timeout_s, before.baseline, before.cache) == (5, "onnxruntime", Path("c"))
    now = _options("--lock-timeout 5 --baseline ort --cache c --streams 2",
                   "--lock-timeout 600 --baseline ov --cache d --include-flagged --phase-limit load=7")  # fmt: skip
    assert (now.lock_timeout_s, now.baseline, now.cache) == (600, "openvino", Path("d"))
    assert now.include_flagged
    assert now.phase_limits != before.phase_limits
    assert now.streams == 2


def test_relative_paths_start_where_the_run_was_started() -> None:
    options = _options("--weights w.pth --data ../d --cache c", "", folder="/there/x")
    assert (options.workload.weights, options.workload.data) == ("/there/x/w.pth", "/there/x/../d")
    assert options.cache == Path("/there/x/c")
    assert _options("--model /m.onnx --cache ~/c", "", folder="/there").workload.model == "/m.onnx"
    assert _options("--weights w --cache ~/c", "", folder="/there").cache == Path.home() / "c"
    assert _options("--model m.onnx", "", folder="").workload.model == "m.onnx", "a file of before folders were kept"
    assert _options("--model m.onnx", "--model /there/m.onnx", folder="/there")
    with pytest.raises(UsageError, match=r"--model is .* \(/there/m.onnx\)"):
        _options("--model m.onnx", "--model m.onnx", folder="/there")


@pytest.mark.parametrize("option", ["--bs", "--streams", "--chips"])
@pytest.mark.parametrize("number", ["²", "٣", "0", "-1", "1.5", "9" * 5000, ""])
def test_a_number_is_written_in_plain_digits(option: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.parse([option, number])
    one_line(
        capsys.readouterr().err, f"argument {option}: ", "is no number of" if option != "--bs" else "is no batch size"
    )


def test_numbers_and_pairs() -> None:
    assert cli.parse(["--bs", "1", "008", "--streams", "3", "--chips", "all", "--shape", "x:1x3"]).bs == [1, 8]
    assert cli.parse(["selftest", "--pairs", "4"]).pairs == 4
    for pairs in ("3", "0", "²"):
        with pytest.raises(SystemExit):
            cli.parse(["selftest", "--pairs", pairs])
    with pytest.raises(SystemExit):
        cli.parse(["--shape", "x:1x²"])


def _installed(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def test_a_resume_with_another_model_under_the_same_name_is_refused(bench: Bench, killed: Path) -> None:
    from tests.doubles.onnx_files import tiny_convnet

    tiny_convnet(Path(bench.model), output="other")
    before = killed.read_bytes()
    one_line(bench("--resume", "o", code=2).stderr, "its model changed since it began")
    assert killed.read_bytes() == before


DAMAGE: list[tuple[str, Callable[[bytes], bytes], list[str]]] = [
    (
        "newer schema",
        lambda data: data.replace(b'"schema":"1.', b'"schema":"1.9', 1),
        ["written in schema 1.9", "newer"],
    ),
    ("cut in the middle", lambda data: data.replace(b'"median_ms"', b'"med', 1), ["line 2", "damaged"]),
    ("duplicate cell", lambda data: data + data.split(b"\n")[1] + b"\n", ["is in line 2 already"]),
    ("no run file", lambda data: b"# a report\n", ["line 1", "no run file"]),
    ("empty", lambda data: b"", ["holds no complete line", "delete the run's folder and start it anew"]),
]


def test_a_damaged_run_file_is_refused_and_left_alone(bench: Bench, killed: Path) -> None:
    good = killed.read_bytes()
    for name, damage, words in DAMAGE:
        bad = damage(good[: good.rfind(b"\n") + 1])
        killed.write_bytes(bad)
        for command in (["--resume", "o"], ["report", "o"]):
            one_line(bench(*command, code=2).stderr, "run.jsonl", *words)
            assert killed.read_bytes() == bad, name
    one_line(bench("--resume", "nowhere", code=2).stderr, "nowhere", "cannot resume")


def test_two_runs_never_write_one_file(bench: Bench) -> None:
    process = bench.start("--model", bench.model, "--backend", "slow", "--bs", "1", "2", "--max-time", "30",
                          "--out", "o")  # fmt: skip
    path = bench.folder / "o" / "run.jsonl"
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    before = path.read_bytes()
    one_line(bench("--resume", "o", code=2).stderr, "run.jsonl is being written by another run")
    assert path.read_bytes() == before
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with: python -m bench --resume o" in error


def test_a_busy_device_is_waited_for_and_then_given_up(bench: Bench) -> None:
    first = bench.start("--model", bench.model, "--backend", "slow", "--bs", "1", "--max-time", "30", "--out", "a")
    deadline = time.monotonic() + 120
    while not (bench.folder / "a" / "run.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    # Another backend, but the same cores.
    done = bench("--model", bench.model, "--backend", "ort", "--bs", "1", *FAST, "--out", "b",
                 "--lock-timeout", "0", code=2)  # fmt: skip
    one_line(done.stderr, "cpu-", "is in use by process", str(first.pid), "--lock-timeout")
    assert not (bench.folder / "b").exists()
    waiting = bench.start("--model", bench.model, "--backend", "ort", "--bs", "1", *FAST, "--out", "c")
    time.sleep(3)
    assert waiting.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    _, error = waiting.communicate(timeout=120)
    assert waiting.returncode == 0, error
    assert "waiting for cpu-" in error
    assert subprocess.run(["ls", "c"], cwd=bench.folder, capture_output=True, check=True).stdout
