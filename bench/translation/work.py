"""A translation, in the worker process: open, prove right, then read, infer and write at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from backends.base import Session
from backends.casting import cast_feeds
from backends.telemetry import peak_memory_bytes
from bench.messages import TranslateTask
from bench.pipeline import run_stages
from bench.subject import Subject
from bench.translation.folder import TranslationFolder
from bench.translation.inputs import Pair, read_pairs
from datasets.prepared import TARGETS
from datasets.tensors import Array32, nonfinite
from reports.translation import TranslationRecord, TranslationSpeed

#: Of StarGAN's generator, as its export names them.
_IMAGES, _ATTRIBUTES = "real_img", "attr"

_Translated = tuple[int, list[Array32]]


def translate(
    task: TranslateTask, phase: Callable[[str], None], advance: Callable[[int, int], None]
) -> TranslationRecord:
    """Translate what is not finished in the folder; `advance` is told batches done and to do.

    Raises the errors of backends.base, DatasetError, and UsageError for a full disk.
    """
    phase("build")
    plan, record = task.inputs, task.record
    subject = Subject.load(
        task.workload, task.materials, record.source.backend, record.source.options, record.source.device, plan.batch
    )
    folder = TranslationFolder(Path(task.folder), plan, task.output_format, record.source.picture_format)
    wanted = folder.unfinished()
    artifact = subject.prepare(task.precision)
    phase("load")
    with subject.open(artifact) as session:
        phase("check")
        record = replace(
            record, precision=session.precision.value, check=subject.check(session), nonfinite=0, complete=False,
            session={str(key): str(value) for key, value in session.describe().items()},
        )  # fmt: skip
        folder.save(record)
        phase("translate")
        run = _Translation(session, folder, len(wanted), advance)
        begin = time.perf_counter()
        run_stages(read_pairs(plan, wanted), run.infer, run.store)
        speed = TranslationSpeed(
            images=TARGETS * sum(plan.real(batch) for batch in wanted),
            wall_s=time.perf_counter() - begin, infer_s=run.infer_s,
        )  # fmt: skip
    record = replace(record, speed=speed, nonfinite=run.nonfinite, peak_memory_bytes=peak_memory_bytes(), complete=True)
    folder.save(record)
    return record


class _Translation:
    """The two stages that know the session and the folder; each runs in one thread only."""

    def __init__(
        self, session: Session, folder: TranslationFolder, batches: int, advance: Callable[[int, int], None]
    ) -> None:
        self._session = session
        self._folder = folder
        self._batches = batches
        self._advance = advance
        self._done = 0
        self._output = session.outputs[0].name
        self.infer_s = 0.0
        self.nonfinite = 0

    def infer(self, item: tuple[int, list[Pair]]) -> _Translated:
        number, pairs = item
        outputs = []
        for images, attributes in pairs:
            begin = time.perf_counter()
            self._session.copy_inputs(cast_feeds({_IMAGES: images, _ATTRIBUTES: attributes}, self._session.inputs))
            self._session.enqueue()
            self._session.synchronize()
            outputs.append(self._session.copy_outputs()[self._output])
            self.infer_s += time.perf_counter() - begin
        return number, outputs

    def store(self, translated: _Translated) -> None:
        number, outputs = translated
        self.nonfinite += sum(map(nonfinite, outputs))
        self._folder.store(number, outputs)
        self._done += 1
        self._advance(self._done, self._batches)
