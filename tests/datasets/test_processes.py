from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

import datasets
from datasets import CelebA, DatasetError, iter_batches, iter_images, load_batch
from datasets.processes import SUPPORTED
from tests.datasets.made_files import attribute_text, jpeg, rows, zipped

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="worker processes need Linux")

ROOT = Path(datasets.__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _always_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """However few the images; and whatever a test does, nothing of it is left."""
    monkeypatch.setattr("datasets.processes.START_FROM", 1)
    before = workers()
    files = len(list(Path("/proc/self/fd").iterdir()))
    yield
    gc.collect()
    assert workers() == before
    assert len(list(Path("/proc/self/fd").iterdir())) <= files
    assert "memfd:datasets" not in Path("/proc/self/maps").read_text()  # the shared memory


def workers(of: int | None = None) -> set[int]:
    children = psutil.Process(of).children()
    return {child.pid for child in children if any("process_worker" in word for word in child.cmdline())}


def test_any_number_of_processes_gives_the_same_as_none(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_celeba(11)
    with CelebA.open(folder) as plain, CelebA.open(zipped(folder, tmp_path / "c.zip")) as packed:
        entries = plain.entries[::-1]
        expected = load_batch(plain, entries, 1)
        assert len({image.tobytes() for image in expected}) == 11
        for data in (plain, packed):
            for count in (2, 3):
                assert load_batch(data, entries, count).tobytes() == expected.tobytes()
                assert np.stack(list(iter_images(data, entries, count))).tobytes() == expected.tobytes()
                for size in (1, 4, 11, 100):
                    batches = list(iter_batches(data, entries, size, count))
                    assert [len(batch) for batch in batches] == [len(entries[i : i + size]) for i in range(0, 11, size)]
                    assert np.concatenate(batches).tobytes() == expected.tobytes()
                assert list(iter_batches(data, [], 4, count)) == []
        assert len(workers()) == 6  # three for each dataset
    assert not workers()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_every_compression_is_read(make_celeba: Callable[..., Path], tmp_path: Path, method: int) -> None:
    folder = make_celeba(5)
    with zipfile.ZipFile(tmp_path / "c.zip", "w", method) as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, file.relative_to(folder).as_posix())
    with CelebA.open(folder) as plain, CelebA.open(tmp_path / "c.zip") as packed:
        expected = load_batch(plain, plain.entries)
        for count in (1, 2):
            assert load_batch(packed, packed.entries, count).tobytes() == expected.tobytes()
        assert len(workers()) == (2 if method == zipfile.ZIP_DEFLATED else 0)  # `zipfile` alone knows LZMA


def test_batches_stay_as_they_were(make_celeba: Callable[..., Path]) -> None:
    with CelebA.open(make_celeba(60)) as data:
        expected = load_batch(data, data.entries)
        kept = []
        for index, batch in enumerate(iter_batches(data, data.entries, 2, 2)):
            if index % 3 == 0:
                kept.append((2 * index, batch))
            if index % 3 == 1:  # of this one only a view of a view is kept
                kept.append((2 * index, batch.reshape(-1)[: 3 * 128 * 128].reshape(1, 3, 128, 128)))
        del batch
        gc.collect()
        again = list(iter_batches(data, data.entries, 2, 2))
    for start, batch in kept:  # also when the dataset is closed
        assert batch.flags.writeable
        assert batch.tobytes() == expected[start : start + len(batch)].tobytes()
    assert np.concatenate(again).tobytes() == expected.tobytes()


def test_batches_that_are_dropped_do_not_take_more_memory(make_celeba: Callable[..., Path]) -> None:
    with CelebA.open(make_celeba(60)) as data:
        places = {batch.__array_interface__["data"][0] for batch in iter_batches(data, data.entries, 2, 2)}
    assert len(places) <= 6  # of 30


@pytest.mark.parametrize("as_zip", [False, True])
def test_a_bad_image_is_named_after_those_before_it(
    make_celeba: Callable[..., Path], tmp_path: Path, as_zip: bool
) -> None:
    path = make_celeba(12)
    (path / "images" / "000008.jpg").write_bytes(b"broken")
    if as_zip:
        path = zipped(path, tmp_path / "c.zip")
    with CelebA.open(path) as data:
        with pytest.raises(DatasetError) as expected:
            load_batch(data, data.entries)
        batches = iter_batches(data, data.entries, 2, 2)
        assert [len(next(batches)) for _ in range(3)] == [2, 2, 2]
        with pytest.raises(DatasetError, match=r"000008\.jpg: does not decode") as caught:
            next(batches)
        assert str(caught.value) == str(expected.value)
        running = workers()
        with pytest.raises(DatasetError, match=r"000008\.jpg: does not decode"):
            load_batch(data, data.entries, 2)
        assert len(load_batch(data, data.entries[:7], 2)) == 7
        assert workers() == running  # a bad image costs no process


def test_an_image_that_cannot_be_read_is_told_as_without_processes(
    make_celeba: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_celeba(6)
    archive = zipped(folder, tmp_path / "c.zip")
    damaged = bytearray(archive.read_bytes())
    damaged[damaged.index(jpeg(4)) + 300] ^= 0xFF
    archive.write_bytes(damaged)
    with CelebA.open(folder) as plain, CelebA.open(archive) as packed:
        (folder / "images" / "000005.jpg").unlink()
        for data, message in ((plain, "000005.jpg: cannot be read"), (packed, "000005.jpg cannot be read (Bad CRC")):
            errors = []
            for count in (1, 2):
                with pytest.raises(DatasetError) as caught:
                    load_batch(data, data.entries, count)
                errors.append(str(caught.value))
            assert errors[0] == errors[1]
            assert message in errors[0]


def test_pillows_limit_of_the_caller_holds_in_the_processes(
    make_celeba: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with CelebA.open(make_celeba(2)) as data, pytest.raises(DatasetError, match="decompression bomb"):
        load_batch(data, data.entries, 2)


def test_closing_early_keeps_the_processes_for_the_next_call(make_celeba: Callable[..., Path]) -> None:
    with CelebA.open(make_celeba(40)) as data:
        images = iter_images(data, data.entries, 2)
        next(images)
        running = workers()
        images.close()
        batches = iter_batches(data, data.entries, 2, 2)
        next(batches)
        with pytest.raises(RuntimeError, match="caller"):
            batches.throw(RuntimeError("caller"))
        assert load_batch(data, data.entries, 2).tobytes() == load_batch(data, data.entries).tobytes()
        assert workers() == running
        assert len(running) == 2


def test_two_streams_at_once_have_processes_of_their_own(make_celeba: Callable[..., Path]) -> None:
    with CelebA.open(make_celeba(20)) as data:
        expected = load_batch(data, data.entries)
        pairs = zip(iter_batches(data, data.entries, 3, 2), iter_batches(data, data.entries, 3, 2), strict=True)
        both = [np.stack(pair) for pair in pairs]
        assert np.concatenate(both, axis=1).tobytes() == np.stack([expected, expected]).tobytes()
        assert len(workers()) == 2
        left = iter_batches(data, data.entries, 3, 2)
        next(left)
    assert len(workers()) == 2  # of the stream that still runs
    left.close()


@pytest.mark.parametrize("idle", [False, True])
def test_a_killed_process_is_one_clear_error_or_none_while_it_was_idle(
    make_celeba: Callable[..., Path], idle: bool
) -> None:
    with CelebA.open(make_celeba(60)) as data:
        batches = iter_batches(data, data.entries, 2, 2)
        next(batches)
        if idle:
            batches.close()
        victim = psutil.Process(min(workers()))
        victim.kill()
        if not idle:
            with pytest.raises(DatasetError, match=r"a process that prepares images was killed by SIGKILL; .*memory"):
                list(batches)
            assert not workers()
        else:
            psutil.wait_procs([victim], timeout=10)
        assert load_batch(data, data.entries, 2).tobytes() == load_batch(data, data.entries).tobytes()


def test_a_process_that_cannot_start_is_an_error(
    make_celeba: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.processes._CODE", "import sys; sys.exit('process_worker {end} {parent} {path!r:.1}')")
    with CelebA.open(make_celeba(4)) as data, pytest.raises(DatasetError, match="ended by itself with status 1"):
        load_batch(data, data.entries, 2)


def test_a_forked_copy_leaves_the_processes_alone(make_celeba: Callable[..., Path]) -> None:
    with CelebA.open(make_celeba(8)) as data:
        load_batch(data, data.entries, 2)
        running = workers()
        child = os.fork()
        if child == 0:
            usable = data.kept is not None and data.kept.take(2, 0) is not None
            data.close()
            os._exit(3 if usable else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        load_batch(data, data.entries, 2)
        assert workers() == running


def test_few_images_start_no_process(make_celeba: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.processes.START_FROM", 9)
    with CelebA.open(make_celeba(9)) as data:
        load_batch(data, data.entries[:8], 2)
        assert not workers()
        load_batch(data, data.entries, 2)
        running = workers()
        assert len(running) == 2
        load_batch(data, data.entries[:2], 2)  # now they run already
        assert workers() == running


def test_processes_import_no_engine() -> None:
    code = "import sys, datasets.process_worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "onnxruntime", "openvino", "pandas", "matplotlib", "scipy"} & set(done.stdout.split())


# A script without `if __name__ == "__main__"`, in another folder than the repository, that never closes its dataset.
_SCRIPT = """
import sys, time
sys.path.insert(0, {root!r})
import datasets.processes
datasets.processes.START_FROM = 1
from pathlib import Path
from datasets import CelebA, iter_batches
data = CelebA.open(Path({folder!r}))
batches = iter_batches(data, data.entries * {times}, 2, 2)
next(batches)
print("going", flush=True)
for batch in batches:
    pass
print("done", flush=True)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    """Starts the script over `times` times 8 images, as a session of its own, and waits for the first batch."""
    started: list[subprocess.Popen[str]] = []

    def run(times: int) -> subprocess.Popen[str]:
        folder = tmp_path / "script" / "data"
        (folder / "images").mkdir(parents=True)
        (folder / "list_attr_celeba.txt").write_text(attribute_text(rows(8)), "utf-8")
        for index in range(8):
            (folder / "images" / f"{index + 1:06d}.jpg").write_bytes(jpeg(index))
        script = folder.parent / "script.py"
        script.write_text(_SCRIPT.format(root=str(ROOT), folder="data", times=times), "utf-8")
        process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=folder.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            # Under a shell's `&` Ctrl-C is ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def gone(processes: set[int]) -> bool:
    """Whether they end, in a time that no slow machine needs."""
    deadline = time.monotonic() + 60
    while alive := [pid for pid in processes if psutil.pid_exists(pid)]:
        if time.monotonic() > deadline:
            return False
        if all(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in alive if psutil.pid_exists(pid)):
            return True  # nobody here collects orphans
        time.sleep(0.05)
    return True


def test_a_plain_script_ends_by_itself(start: Callable[[int], subprocess.Popen[str]]) -> None:
    process = start(2)
    running = workers(process.pid)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, "done\n", "")
    assert gone(running)


def test_ctrl_c_ends_everything_with_one_traceback(start: Callable[[int], subprocess.Popen[str]]) -> None:
    process = start(1_000_000)
    running = workers(process.pid)
    assert len(running) == 2
    os.killpg(process.pid, signal.SIGINT)  # the terminal tells the whole group
    output, errors = process.communicate(timeout=60)
    assert output == ""
    assert errors.count("KeyboardInterrupt") == 1
    assert errors.count("Traceback") == 1
    assert gone(running)


def test_processes_end_with_a_killed_parent(start: Callable[[int], subprocess.Popen[str]]) -> None:
    process = start(1_000_000)
    running = workers(process.pid)
    assert len(running) == 2
    process.kill()
    _, errors = process.communicate(timeout=60)
    assert errors == ""
    assert gone(running)
