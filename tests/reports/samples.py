"""Made-up runs with known figures."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from msgspec.structs import replace
from PIL import Image

from reports.records import (
    SCHEMA_VERSION,
    Activity,
    BusyProcess,
    CellIdentity,
    CellRecord,
    Conditions,
    DeviceReading,
    Failure,
    Flags,
    Host,
    OutputAccuracy,
    Run,
    RunRecord,
    Samples,
    Skipped,
    Telemetry,
    Throughput,
    WorkerRate,
    WorkloadInfo,
)
from reports.summary import derived_fps_per_card, summarise


def header(**changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "schema": SCHEMA_VERSION, "id": "20261122T120000Z-0badcafe", "command": ["python", "-m", "bench", "--bs", "1"],
        "started": "2026-11-22T12:00:00+00:00",
        "host": Host(name="lab", os="Linux", cpu="Some CPU", logical_cpus=4, physical_cores=2,
                     memory_bytes=8 * 2**30, python="3.11.7"),
        "git": None, "packages": {"numpy": "2.0.0"},
        "workload": WorkloadInfo(name="stargan", model_sha256="a" * 64, inputs_sha256="b" * 64, model="a model",
                                 inputs="some pictures", reference="PyTorch fp32", notes=["weights from a seed"]),
        "conditions": Conditions(
            governor="powersave", frequency_mhz=2400.0, max_frequency_mhz=3600.0, load_1m=0.4, cpu_limit=None,
            memory_limit_bytes=None, busy_processes=[BusyProcess(name="updatedb", pid=7, cores=0.31)],
        ),
        "cells_planned": 4, "skipped": [Skipped(backend="acl", reason="CANN is not installed; install it.")],
    }  # fmt: skip
    return RunRecord(**(values | changes))


def identity(backend: str, batch: int, **changes: Any) -> CellIdentity:
    values: dict[str, Any] = {
        "workload": "stargan", "model_sha256": "a" * 64, "inputs_sha256": "b" * 64,
        "backend": backend, "options": {}, "card": "Some CPU", "device": "cpu",
        "precision": "fp32", "batch": batch, "scope": "compute",
    }  # fmt: skip
    return CellIdentity(**(values | changes))


def cell(backend: str, batch: int, latency_ms: float, count: int = 400, **changes: Any) -> CellRecord:
    """A measured cell whose samples alternate by 1 % around `latency_ms`."""
    keys = ("options", "card", "device", "precision", "scope")
    own = {key: changes.pop(key) for key in keys if key in changes}
    half = round(latency_ms * 1e6)
    samples = Samples(
        samples_ns=[half - half // 200, half + half // 200] * (count // 2), warmup_ns=[half] * 10, group=1,
        stop="converged", overhead_ns=90,
    )  # fmt: skip
    latency = summarise(samples)
    assert latency is not None
    who = identity(backend, batch, **own)
    values: dict[str, Any] = {
        "id": f"{who.label()}-{batch}-{who.scope}-{who.precision}", "identity": who,
        "asked_precision": who.precision, "status": "ok",
        "provenance": "measured", "clock": "host", "chips": 1, "started": "2026-11-22T12:00:01+00:00",
        "samples": samples, "latency": latency, "fps_per_card": derived_fps_per_card(1, batch, latency.mean_ms),
        "accuracy": [OutputAccuracy(output="fake_img", passed=True, max_abs=1e-5, mean_abs=1e-6, cosine=1.0,
                                    psnr_db=120.0, nonfinite=0, threshold="cosine >= 0.9", images=batch,
                                    worst_image=batch - 1, ssim=0.99998, ssim_mean=0.99999, changed_pixels=0.0005)],
        "session": {"threads": "2"},
        "flags": Flags(steady=latency.steady, converged=latency.converged, throttled=False, overhead_ok=True,
                       placement_ok=True, accuracy=True),
        "telemetry": Telemetry(missing="no telemetry source for cpu", peak_memory_bytes=3 * 2**29,
                               activity=Activity(other_cores=0.1, own_cores=1.9, steal_share=0.002)),
    }  # fmt: skip
    return CellRecord(**(values | changes))


def strip(brightness: int, count: int = 5) -> bytes:
    """Encoded pictures side by side, as run files hold them; all of one grey."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((16, 16 * count, 3), brightness, np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def with_pictures() -> Run:
    """Two engines that translate, one of them wrongly at the smaller batch, with what they made."""
    good = OutputAccuracy(
        output="fake_img", passed=True, max_abs=1e-5, mean_abs=1e-6, cosine=1.0, psnr_db=120.0, nonfinite=0,
        threshold="SSIM >= 0.9", images=4, worst_image=2, ssim=0.99995, ssim_mean=0.99998, changed_pixels=0.0125,
    )  # fmt: skip
    bad = replace(good, passed=False, psnr_db=20.0, ssim=0.5, reason="1 of 4 images is wrong: image 2 (SSIM 0.5 < 0.9)")
    cells = [
        cell("pytorch", 1, 10.0, accuracy=[replace(good, max_abs=0.0, psnr_db=None, images=1)], pictures=strip(50, 1)),
        cell("pytorch", 4, 40.0, accuracy=[good], pictures=strip(100, 4)),
        cell("openvino", 1, 8.0, accuracy=[bad], status="wrong", fps_per_card=None, pictures=strip(0, 1)),
        cell("openvino", 4, 30.0, accuracy=[good], pictures=strip(150, 4)),
    ]
    told = replace(
        header().workload, sample_inputs=strip(200, 4), sample_reference=strip(90, 4),
        sample_captions=["Black Hair", "Blond Hair", "Brown Hair", "Male"],
    )  # fmt: skip
    return Run(run=header(workload=told, cells_planned=4), cells=cells)


def on_four_chips(batch: int, latency_ms: float) -> CellRecord:
    """A cell of a card with four chips, with measured throughput and a device's telemetry."""
    single = batch * 1000 / latency_ms
    workers = [WorkerRate(device=f"npu:{n}", cpus=[], fps=0.9 * single, starts_ns=[0], ends_ns=[10]) for n in range(4)]
    together = Throughput(
        chips=4, streams=1, window_s=10.0, images=36 * single, fps=3.6 * single, fps_low=3.5 * single,
        fps_high=3.7 * single, fps_per_card=3.6 * single, efficiency=0.9, median_latency_ms=latency_ms / 0.9,
        queueing=False, workers=workers,
    )  # fmt: skip
    readings = [
        DeviceReading(moment="during", clock_mhz=clock, power_w=40.0, temperature_c=60.0) for clock in (900.0, 1000.0)
    ]
    seen = Telemetry(source="npu-smi 21.0.3.1", driver="21.0.3.1", readings=readings, device_memory_bytes=2**29,
                     energy_per_image_j=0.21)  # fmt: skip
    return cell("chips", batch, latency_ms, card="Atlas 300I", device="npu:0", chips=4, throughput=together,
                telemetry=seen, fps_per_card=4 * single)  # fmt: skip


def failed(backend: str, batch: int) -> CellRecord:
    return CellRecord(
        id=f"{backend}-{batch}", identity=identity(backend, batch), asked_precision="fp32", status="failed",
        provenance="measured", clock="host", chips=1, started="2026-11-22T12:00:02+00:00",
        failure=Failure(phase="load", message="the worker died of SIGSEGV", output_tail=["oh | no"]),
    )  # fmt: skip


def wrong(backend: str, batch: int) -> CellRecord:
    verdict = OutputAccuracy(
        output="fake_img", passed=False, max_abs=0.9, mean_abs=0.3, cosine=0.2, psnr_db=3.0, nonfinite=0,
        threshold="cosine >= 0.9", reason="cosine 0.2 < 0.9",
    )  # fmt: skip
    good = cell(backend, batch, 10.0)
    return CellRecord(
        id=good.id, identity=good.identity, asked_precision="fp32", status="wrong", provenance="measured",
        clock="host", chips=1, started=good.started, accuracy=[verdict],
    )  # fmt: skip


def example() -> Run:
    """Two engines at two batch sizes, one wrong cell, one failed cell."""
    cells = [
        cell("pytorch", 1, 10.0), cell("onnxruntime", 1, 8.0), wrong("openvino", 1),
        cell("pytorch", 4, 40.0), cell("onnxruntime", 4, 20.0, count=4), failed("openvino", 4),
    ]  # fmt: skip
    return Run(run=header(cells_planned=6), cells=cells)
