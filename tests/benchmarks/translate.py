"""What surrounds the engine in `bench translate`: does reading and writing hide behind inference, is memory flat?

    python tests/benchmarks/translate.py rate   [--bs N] [--batches N] [--rounds R] [--backend NAME]
    python tests/benchmarks/translate.py memory [--images 100 2000]

rate: images a second of a whole translation (files included) over the engine's own FPS at that batch size (a bare loop
of enqueue and synchronize on a session of the same engine, no copies), alternating in one process, with .bin and with
.txt outputs. memory: peak resident memory of the real command's translating process over so many images, with a test
double that computes nothing after its first inference, since thousands of pictures take an hour on a CPU; pictures and
outputs are real.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backends.base import Precision, Session
from bench.messages import TranslateTask
from bench.plan import WorkloadSpec
from bench.subject import Subject
from bench.translation.inputs import InputPlan, plan_data
from bench.translation.work import translate
from bench.workloads import load as load_workload
from bench.workloads.base import CACHE_VERSION, Materials
from datasets import DEFAULT_ATTRIBUTES, sample_folder
from datasets.tensors import TensorFormat
from reports import translation
from reports.translation import SCHEMA, TranslationRecord, TranslationSource
from tests.doubles import translators
from tests.forked import ROOT, python_path

CACHE = Path("~/.cache/bench").expanduser() / CACHE_VERSION
TARGETS = 5


def engine_fps(session: Session, batch: int, calls: int) -> float:
    """Images a second of the engine alone, inputs on the device."""
    begin = time.perf_counter()
    for _ in range(calls):
        session.enqueue()
        session.synchronize()
    return calls * batch / (time.perf_counter() - begin)


def translation_fps(
    spec: WorkloadSpec, materials: Materials, plan: InputPlan, backend: str, kind: TensorFormat, folder: Path
) -> float:
    """Images a second from the first batch's start to the last file's end."""
    shutil.rmtree(folder, ignore_errors=True)
    source = TranslationSource(
        backend=backend, options={}, asked_precision="fp32", device="cpu", card="cpu", model_sha256="",
        inputs_sha256="", batch=plan.batch, attributes=plan.attributes, output_format=kind, picture_format="jpg",
    )  # fmt: skip
    record = TranslationRecord(schema=SCHEMA, source=source, images=plan.images, pairs=plan.pairs,
                               provenance="measured", model="", inputs="")  # fmt: skip
    task = TranslateTask(workload=spec, materials=materials, precision=Precision.FP32, inputs=plan, folder=str(folder),
                         output_format=kind, record=record)  # fmt: skip
    speed = translate(task, lambda _: None, lambda done, total: None).speed
    assert speed is not None
    return speed.images / speed.wall_s


def celeba_of(folder: Path, count: int) -> Path:
    """The bundled sample over and over, in CelebA's layout."""
    sample = sample_folder()
    _, names, *lines = (sample / "list_attr_celeba.txt").read_text("utf-8").splitlines()
    (folder / "images").mkdir(parents=True)
    listed = [str(count), names]
    for index in range(count):
        name, values = lines[index % len(lines)].split(maxsplit=1)
        (folder / "images" / f"{index + 1:06d}.jpg").write_bytes((sample / "images" / name).read_bytes())
        listed.append(f"{index + 1:06d}.jpg {values}")
    (folder / "list_attr_celeba.txt").write_text("\n".join(listed) + "\n", "utf-8")
    return folder


def rate(options: argparse.Namespace, root: Path) -> None:
    spec = WorkloadSpec(name="stargan")
    materials = load_workload("stargan").materialise(spec, [options.bs], CACHE, lambda text: None)
    plan = plan_data(None, DEFAULT_ATTRIBUTES, options.bs, options.batches * options.bs)
    if plan.images < options.batches * options.bs:
        raise SystemExit(f"the bundled sample has {plan.images} images; take fewer --batches")
    subject = Subject.load(spec, materials, options.backend, {}, "cpu", options.bs)
    figures: dict[str, list[float]] = {"engine alone": [], "bin": [], "txt": []}
    kinds: tuple[TensorFormat, ...] = ("bin", "txt")
    with subject.open(subject.prepare(Precision.FP32)) as session:
        session.copy_inputs(subject.feeds[0])
        engine_fps(session, options.bs, 2)
        for turn in range(options.rounds):
            figures["engine alone"].append(engine_fps(session, options.bs, plan.pairs))
            for kind in kinds if turn % 2 else reversed(kinds):
                figures[kind].append(translation_fps(spec, materials, plan, options.backend, kind, root / kind))
        figures["engine alone"].append(engine_fps(session, options.bs, plan.pairs))
    print(f"{options.backend}, bs {options.bs}, {plan.images} images in {TARGETS} translations a round")
    # The engine is measured before and after each round's translations; drift of the machine then cancels out.
    alone = [(a + b) / 2 for a, b in zip(figures["engine alone"], figures["engine alone"][1:], strict=False)]
    print(f"{'engine alone':14} {statistics.median(alone):8.3f} FPS")
    for kind in kinds:
        ratios = [fps / own for fps, own in zip(figures[kind], alone, strict=True)]
        spread = f"(single rounds {min(ratios):.3f} to {max(ratios):.3f})"
        fps = statistics.median(figures[kind])
        print(f"{'with .' + kind:14} {fps:8.3f} FPS   ratio {statistics.median(ratios):.3f}   {spread}")


def peak_mib(data: Path, count: int, out: Path, doubles: Path) -> float:
    """Peak resident memory of the process that translates, in MiB."""
    subprocess.run(
        [sys.executable, "-m", "bench", "translate", "--backend", "quick", "--data", str(data), "--limit", str(count),
         "--out", str(out)],
        env=os.environ | {"PYTHONPATH": python_path(ROOT, doubles)}, cwd=out.parent,
        stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    record = translation.read(out)
    shutil.rmtree(out)
    if record is None or record.peak_memory_bytes is None:
        raise SystemExit("the system does not tell a process's peak memory")
    return record.peak_memory_bytes / 2**20


def memory(options: argparse.Namespace, root: Path) -> None:
    doubles = root / "doubles"
    doubles.mkdir()
    translators.install(doubles)
    data = celeba_of(root / "celeba", 2100)
    peaks = [peak_mib(data, count, root / "out", doubles) for count in options.images]
    for count, peak in zip(options.images, peaks, strict=True):
        print(f"{count:6d} images: peak {peak:7.1f} MiB   ratio to the first {peak / peaks[0]:.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rate", "memory"))
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--bs", type=int, default=4)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, nargs="+", default=[100, 2000])
    options = parser.parse_args()
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} CPUs, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        {"rate": rate, "memory": memory}[options.what](options, Path(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
