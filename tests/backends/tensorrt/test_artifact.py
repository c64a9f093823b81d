"""Engines in the cache, and engines of the user's own."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from backends.base import ConversionError, DeviceError, Model, ModelMismatch, Precision
from tests.backends.tensorrt.machines import Simulated, machine
from tests.backends.tiny import feeds, infer, reference, tiny_model
from tests.doubles.cuda import Config as Machine
from tests.doubles.onnx_files import tiny_convnet
from tests.doubles.tensorrt import Config, Fault, packed, unpacked


def builds(here: Simulated) -> int:
    return int(here.module.state.calls["build_serialized_network"])


def engine_of(here: Simulated, model: Model) -> Path:
    path = here.prepare(model).path
    assert path is not None
    return path


def test_an_engine_is_built_once_and_found_again(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    with machine() as here:
        first, second = here.prepare(model), here.prepare(model)
        assert builds(here) == 1
        assert first.path == second.path
        assert first.sha256 == second.sha256
        assert first.settings["engine"] == "built now"
        assert second.settings["engine"] == "from the cache"
        assert {**first.settings, "engine": ""} == {**second.settings, "engine": ""}


def test_whatever_an_engine_depends_on_makes_another_one(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    other_onnx = replace(model, onnx=tiny_convnet(tmp_path / "other.onnx", batch=4))
    cases: list[tuple[dict[str, Any], Model, Precision, dict[str, Any]]] = [
        ({}, model, Precision.FP32, {}),
        ({}, other_onnx, Precision.FP32, {}),
        ({}, tiny_model(tmp_path, 8), Precision.FP32, {}),
        ({}, model, Precision.FP16, {}),
        ({"machine": Machine(device_name="NVIDIA A10", capability=(8, 6))}, model, Precision.FP32, {}),
        ({"machine": Machine(device_name="NVIDIA A10", capability=(8, 6))}, model, Precision.TF32, {}),
        ({"machine": Machine(device_name="NVIDIA A40", capability=(8, 6))}, model, Precision.FP32, {}),
        ({"machine": Machine(driver_version=14000)}, model, Precision.FP32, {}),
        ({"version": "10.16.1.12"}, model, Precision.FP32, {}),
        ({"generation": "8.6"}, model, Precision.FP32, {}),
        ({}, model, Precision.FP32, {"profile": "range"}),
        ({}, model, Precision.FP32, {"profile": "1-8"}),
        ({}, model, Precision.FP32, {"workspace_mib": 64}),
        ({}, model, Precision.FP32, {"level": 4}),
    ]
    paths = []
    for settings, given, precision, options in cases:
        here = Simulated(Config(**settings))
        paths.append(here.prepare(given, precision, **options).path)
        assert builds(here) == 1, (settings, precision, options)
    assert len(set(paths)) == len(cases)


def test_a_damaged_engine_is_built_again(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    with machine() as here:
        path = engine_of(here, model)
        path.write_bytes(path.read_bytes()[:-1])
        assert here.prepare(model).settings["engine"] == "built now"
        assert builds(here) == 2


def test_an_engine_that_tensorrt_refuses_is_built_again_once_and_the_reason_told(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    with machine() as here:
        here.prepare(model)
    words = "The engine plan file is not compatible with this version of TensorRT, expecting library version 10.12.0.36"
    with machine(faults=(Fault(call="deserialize_cuda_engine", nth=1, message=words),)) as here:
        artifact = here.prepare(model)
        assert builds(here) == 1
        assert artifact.settings["engine"] == "built now"
        assert artifact.settings["built again"] == f"the one in the cache was refused: {words}"
        with here.backend.open(artifact, here.DEVICE, here.options()) as session:
            assert session.describe()["built again"].endswith(words)
    with machine(faults=(Fault(call="deserialize_cuda_engine", message=words),)) as here:
        with pytest.raises(DeviceError, match=r"not compatible with this version.*build it again with this one\.$"):
            here.open(model)
        assert builds(here) == 1


def test_two_builds_of_the_same_at_once_build_it_once(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    machines = [Simulated(Config()) for _ in range(3)]
    found: list[Any] = []
    threads = [threading.Thread(target=lambda here=here: found.append(here.prepare(model))) for here in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({artifact.sha256 for artifact in found}) == 1
    assert sum(builds(here) for here in machines) == 1
    assert [here.faults() for here in machines] == [[], [], []]


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    with machine() as here, pytest.raises(ConversionError, match=r"cannot keep a built model .* --cache\.$"):
        here.prepare(tiny_model(tmp_path, cache=blocked))


def test_what_was_measured_is_kept_for_the_next_build_of_this_card(tmp_path: Path) -> None:
    with machine() as here:
        assert here.prepare(tiny_model(tmp_path, 1)).settings["timing cache"] == "begun"
        assert here.prepare(tiny_model(tmp_path, 2)).settings["timing cache"] == "used"
        kept = next((tmp_path / "cache" / "tensorrt").glob("timings-*.cache"))
        kept.write_bytes(b"of another card")
        assert here.prepare(tiny_model(tmp_path, 3)).settings["timing cache"].startswith("begun anew")
    with machine(faults=(Fault(call="set_timing_cache"),)) as here:
        assert here.prepare(tiny_model(tmp_path, 4)).settings["timing cache"] == "refused"
    with machine(generation="rtx") as here:
        assert "timing cache" not in here.prepare(tiny_model(tmp_path, 4)).settings


def given_engines(folder: Path, here: Simulated) -> Path:
    """A folder with tiny_bs1.engine, tiny_bs4.engine and one of a range."""
    place = folder / "engines"
    place.mkdir()
    for batch in (1, 4):
        shutil.copy(engine_of(here, tiny_model(folder, batch)), place / f"tiny_bs{batch}.engine")
    path = here.prepare(tiny_model(folder, 4), profile="1-8").path
    assert path is not None
    shutil.copy(path, place / "wide.plan")
    return place


def test_an_engine_of_the_user_s_is_loaded_from_a_folder_that_they_trust_only(tmp_path: Path) -> None:
    with machine() as here:
        place = given_engines(tmp_path, here)
        for batch in (1, 4):
            model = tiny_model(tmp_path, batch, compiled=place, onnx=None)
            with here.open(model, trust=str(place)) as session:
                given = feeds(1, batch)
                expected = reference(tiny_model(tmp_path, batch), given)
                assert np.allclose(infer(session, given), expected, atol=1e-5)
                assert session.describe()["engine"] == "given by the user"
        model = tiny_model(tmp_path, 4, compiled=place / "tiny_bs4.engine")
        loads = here.module.state.calls["deserialize_cuda_engine"]
        advice = rf"an engine holds code .* simulated-tensorrt:trust={place} if you trust"
        with pytest.raises(ModelMismatch, match=advice):
            here.prepare(model)
        with pytest.raises(ModelMismatch, match="outside of"):
            here.prepare(model, trust=str(tmp_path / "other"))
        assert here.module.state.calls["deserialize_cuda_engine"] == loads


def test_a_link_from_a_trusted_folder_to_elsewhere_is_not_trusted(tmp_path: Path) -> None:
    with machine() as here:
        place = given_engines(tmp_path, here)
        trusted = tmp_path / "trusted"
        trusted.mkdir()
        (trusted / "tiny_bs4.engine").symlink_to(place / "tiny_bs4.engine")
        with pytest.raises(ModelMismatch, match=rf"which is {place}/tiny_bs4\.engine.*outside of"):
            here.prepare(tiny_model(tmp_path, 4, compiled=trusted), trust=str(trusted))


def test_an_engine_for_a_range_takes_the_batches_in_it(tmp_path: Path) -> None:
    with machine() as here:
        place = given_engines(tmp_path, here)
        for batch in (2, 8):
            model = tiny_model(tmp_path, batch, compiled=place / "wide.plan")
            with here.open(model, trust=str(place)) as session:
                given = feeds(1, batch)
                assert np.allclose(infer(session, given), reference(model, given), atol=1e-5)
        with pytest.raises(ModelMismatch, match=r"wide\.plan takes x from \(1, 3, 8, 8\) to \(8, 3, 8, 8\)"):
            here.open(tiny_model(tmp_path, 16, compiled=place / "wide.plan"), trust=str(place))


def test_the_folder_s_engines_are_told_apart_by_their_names(tmp_path: Path) -> None:
    with machine() as here:
        place = given_engines(tmp_path, here)
        with pytest.raises(ModelMismatch, match=r"no engine for batch size 16 \(it has tiny_bs1\.engine, tiny_bs4"):
            here.prepare(tiny_model(tmp_path, 16, compiled=place), trust=str(place))
        shutil.copy(place / "tiny_bs4.engine", place / "also_bs4.engine")
        with pytest.raises(ModelMismatch, match=r"several engines for batch size 4: also_bs4\.engine, tiny_bs4"):
            here.prepare(tiny_model(tmp_path, 4, compiled=place), trust=str(place))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"version": "10.12.0.36"}, r"expecting library version 10\.12\.0\.36 got 10\.16\.1\.11.*build it again"),
        ({"machine": Machine(device_name="NVIDIA A10", capability=(8, 6))}, r"expecting compute 8\.6 got compute 7\.5"),
    ],
)
def test_an_engine_of_another_version_or_card_is_refused(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with machine() as here:
        place = given_engines(tmp_path, here)
    there = Simulated(Config(**settings))
    model = tiny_model(tmp_path, 4, compiled=place / "tiny_bs4.engine")
    with pytest.raises(DeviceError, match=words) as caught:
        there.open(model, trust=str(place))
    assert "tiny_bs4.engine" in str(caught.value)
    assert there.faults() == []


def test_an_engine_of_another_model_of_card_runs_and_the_warning_is_kept(tmp_path: Path) -> None:
    with machine() as here:
        place = given_engines(tmp_path, here)
    with machine({"device_name": "NVIDIA GeForce RTX 2080"}) as there:
        model = tiny_model(tmp_path, 4, compiled=place / "tiny_bs4.engine")
        with there.open(model, trust=str(place)) as session:
            assert "across different models of devices" in session.describe()["TensorRT warns"]


def test_an_engine_of_the_user_s_tells_its_precision_where_it_can(tmp_path: Path) -> None:
    with machine() as here:
        place = tmp_path / "engines"
        place.mkdir()
        path = here.prepare(tiny_model(tmp_path), Precision.FP16).path
        assert path is not None
        shutil.copy(path, place / "tiny_bs4.engine")
        with here.open(tiny_model(tmp_path, compiled=place), Precision.FP32, trust=str(place)) as session:
            assert session.precision is Precision.FP16


def test_files_that_are_no_engines_are_said(tmp_path: Path) -> None:
    place = tmp_path / "engines"
    place.mkdir()
    (place / "empty_bs1.engine").write_bytes(b"")
    (place / "odd_bs4.engine").write_bytes(b"something else")
    with machine() as here:
        with pytest.raises(ModelMismatch, match="is empty"):
            here.prepare(tiny_model(tmp_path, 1, compiled=place), trust=str(place))
        with pytest.raises(DeviceError, match=r"odd_bs4\.engine failed: .*magicTag.*build it again"):
            here.open(tiny_model(tmp_path, 4, compiled=place), trust=str(place))
        with pytest.raises(ModelMismatch, match="cannot be read"):
            here.prepare(tiny_model(tmp_path, 4, compiled=place / "none.engine"), trust=str(place))


def test_an_engine_of_another_network_is_a_mismatch(tmp_path: Path) -> None:
    with machine() as here:
        place = tmp_path / "engines"
        place.mkdir()
        other = tiny_model(tmp_path, onnx=tiny_convnet(tmp_path / "o.onnx", output="z"))
        path = here.prepare(other).path
        assert path is not None
        shutil.copy(path, place / "other_bs4.engine")
        with pytest.raises(ModelMismatch, match=r"has the outputs z, the model has y"):
            here.open(tiny_model(tmp_path, compiled=place), trust=str(place))


@pytest.mark.parametrize(("batch", "profile"), [(2, 0), (4, 1), (16, 2)])
def test_of_several_profiles_the_one_tuned_for_the_batch_is_taken(tmp_path: Path, batch: int, profile: int) -> None:
    ranges = [
        ((low, 3, 8, 8), (usual, 3, 8, 8), (high, 3, 8, 8)) for low, usual, high in ((1, 1, 4), (1, 4, 8), (9, 16, 16))
    ]
    with machine() as here:
        plan, graph = unpacked(engine_of(here, tiny_model(tmp_path)).read_bytes())
        several = msgspec.structs.replace(plan, profiles=tuple({"x": each} for each in ranges))
        path = tmp_path / "several.engine"
        path.write_bytes(packed(several, graph))
        model = tiny_model(tmp_path, batch, compiled=path)
        with here.open(model, trust=str(tmp_path)) as session:
            given = feeds(1, batch)
            assert np.allclose(infer(session, given), reference(model, given), atol=1e-5)
            assert session.describe()["profile"].endswith(f"tuned for {ranges[profile][1]}")
