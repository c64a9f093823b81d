"""Which .om is taken, what is known of it, and every file that is none or another one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from backends.acl import AclBackend
from backends.base import BackendError, Model, ModelMismatch, Precision, TensorSpec
from backends.convert import ArtifactCache, atc, read_graph
from backends.registry import parse_options
from tests.backends.acl.machines import compiled, machine
from tests.backends.tiny import FLOAT, tiny_model
from tests.doubles import atc as fake_atc
from tests.doubles.acl import write_om


def refused(model: Model, precision: Precision = Precision.FP16, **options: str) -> str:
    """The one line with which the machine refuses the model, when it is prepared or opened."""
    with machine() as here, pytest.raises(BackendError) as caught:
        here.open(model, precision, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def given(folder: Path, name: str, batch: int = 4) -> Model:
    return tiny_model(folder, batch, compiled(folder) / name)


def test_the_folders_file_for_the_batch_size_is_taken(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    with machine() as here:
        static, dynamic = here.prepare(model), here.prepare(model, batch="dynamic")
    assert static.path is not None
    assert dynamic.path is not None
    assert (static.path.name, dynamic.path.name) == ("tiny_bs4.om", "tiny_dyn1-4-8.om")
    assert len(static.sha256) == 64


def test_a_folder_without_that_batch_size_names_what_it_has(tmp_path: Path) -> None:
    text = refused(tiny_model(tmp_path, 16, compiled(tmp_path)))
    for words in ("no .om for batch size 16", "tiny_bs1.om, tiny_bs4.om, tiny_bs8.om", "NAME_bs16.om"):
        assert words in text
    assert "one of them 16" in refused(tiny_model(tmp_path, 16, compiled(tmp_path)), batch="dynamic")


def test_two_files_for_one_batch_size_are_not_chosen_between(tmp_path: Path) -> None:
    folder = compiled(tmp_path)
    shutil.copy(folder / "tiny_bs4.om", folder / "other_bs4.om")
    assert "several .om files for batch size 4: other_bs4.om, tiny_bs4.om" in refused(tiny_model(tmp_path, 4, folder))


def test_a_file_of_another_batch_size_names_both(tmp_path: Path) -> None:
    text = refused(given(tmp_path, "tiny_bs8.om"))
    assert "is of batch size 8: name one of 4" in text


def test_a_dynamic_file_is_measured_under_its_own_name_only(tmp_path: Path) -> None:
    assert "batch=dynamic" in refused(given(tmp_path, "tiny_dyn1-4-8.om"))
    assert "is of one batch size" in refused(given(tmp_path, "tiny_bs4.om"), batch="dynamic")


def test_a_gear_that_the_file_lacks_is_named(tmp_path: Path) -> None:
    assert "batch sizes 1, 4, 8, not 5" in refused(given(tmp_path, "tiny_dyn1-4-8.om", batch=5), batch="dynamic")


def test_other_names_shapes_and_types_are_told_apart(tmp_path: Path) -> None:
    model = given(tmp_path, "tiny_bs4.om")
    named = replace(model, inputs=(TensorSpec("image", (4, 3, 8, 8), FLOAT),))
    assert "has the inputs x, the model has image" in refused(named)
    wide = replace(model, inputs=(TensorSpec("x", (4, 3, 8, 9), FLOAT),))
    assert "input x is 4x3x8x8 float32, the model has x 4x3x8x9 float32" in refused(wide)
    two = replace(model, outputs=(*model.outputs, TensorSpec("z", (4, 1), FLOAT)))
    assert "has 1 outputs" in refused(two)
    assert model.compiled is not None
    assert model.onnx is not None
    write_om(model.compiled, model.onnx, [4], dtypes={"x": "uint8"})
    text = refused(model)
    assert "input x is uint8, the model has float32" in text
    assert "--insert_op_conf" in text


def test_what_is_no_om_is_said_before_the_chip_is_touched(tmp_path: Path) -> None:
    folder = compiled(tmp_path)
    whole = (folder / "tiny_bs4.om").read_bytes()
    onnx = tiny_model(tmp_path, 4).onnx
    assert onnx is not None
    for content, words in (
        (whole[:-7], "cut off"), (whole[:100], "cut off"), (b"", "empty"), (b"nonsense" * 50, "is no .om file"),
        (onnx.read_bytes(), "is an .onnx file"),
    ):  # fmt: skip
        path = tmp_path / "given.om"
        path.write_bytes(content)
        with machine() as here:
            with pytest.raises(ModelMismatch, match=words):
                here.open(tiny_model(tmp_path, 4, path))
            assert here.module.state.calls == {}


def test_a_file_for_another_chip_is_refused_by_its_note_or_by_the_chip(tmp_path: Path) -> None:
    folder = compiled(tmp_path, soc="Ascend310P3")
    text = refused(tiny_model(tmp_path, 4, folder))
    assert "507008 (the chip is not what the model was made for)" in text
    assert "--soc-version" in text
    _note(folder / "tiny_bs4.om", soc_version="Ascend310P3")
    text = refused(tiny_model(tmp_path, 4, folder))
    assert "was made for Ascend310P3, the chip here is Ascend310" in text


def _note(path: Path, **changes: str) -> None:
    import hashlib

    made = {"what": "om", "onnx": "0" * 64, "batch": "4", "soc_version": "Ascend310", "precision_mode": "", "tool": "x"}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.json").write_text(json.dumps({"sha256": digest, "made_from": made | changes}))


def test_precision_is_what_the_note_says_else_what_is_assumed_and_said(tmp_path: Path) -> None:
    model = given(tmp_path, "tiny_bs4.om")
    assert model.compiled is not None
    with machine() as here:
        unknown = here.prepare(model)
        assert unknown.precision is Precision.FP16
        assert unknown.settings["precision told by"] == "nobody: atc's default is assumed"
        with pytest.raises(ModelMismatch, match=r"fp16 .*not in fp32; .*acl:precision_mode=MODE"):
            here.prepare(model, Precision.FP32)
        told = here.prepare(model, Precision.FP32, precision_mode="must_keep_origin_dtype")
        assert told.settings["precision told by"] == "acl:precision_mode=must_keep_origin_dtype"
        _note(model.compiled, precision_mode="must_keep_origin_dtype")
        known = here.prepare(model, Precision.FP32)
        assert known.settings["precision_mode"] == "fp32 (must_keep_origin_dtype)"
        with pytest.raises(ModelMismatch, match=r"computes in fp32 .must_keep_origin_dtype., not in fp16"):
            here.prepare(model)


def test_half_precision_at_the_interface_is_cast_outside_the_session(tmp_path: Path) -> None:
    model = given(tmp_path, "tiny_bs4.om")
    assert model.compiled is not None
    assert model.onnx is not None
    write_om(model.compiled, model.onnx, [4], dtypes={"x": "float16", "y": "float16"})
    with machine() as here, here.open(model) as session:
        assert [str(spec) for spec in (*session.inputs, *session.outputs)] == [
            "x 4x3x8x8 float16", "y 4x4x8x8 float16",
        ]  # fmt: skip
        assert (
            "x is float16 in the .om and float32 in the model: cast outside all timing" in session.describe()["remarks"]
        )


def test_without_a_file_and_without_atc_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    text = refused(tiny_model(tmp_path, 4))
    for words in ("no .om for tiny at batch size 4", "atc was not found", "--compiled FILE|DIR"):
        assert words in text


def test_with_atc_it_is_built_once_and_its_precision_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = fake_atc.install(tmp_path / "cann")
    monkeypatch.setenv("PATH", str(place), prepend=":")
    model = replace(tiny_model(tmp_path, 4), cache=tmp_path / "cache")
    with machine() as here:
        first, again = here.prepare(model), here.prepare(model)
    assert first == again
    assert first.settings["precision_mode"] == "fp16 (force_fp16, atc's default)"
    assert len(fake_atc.calls(place)) == 1
    assert model.onnx is not None
    same = atc.convert(atc.locate(), read_graph(model.onnx), 4, atc.Settings("Ascend310"), ArtifactCache(model.cache))  # type: ignore[arg-type]
    assert same.hit


def test_values_that_are_none_are_refused_before_anything_is_opened() -> None:
    backend = AclBackend()
    with pytest.raises(ValueError, match=r"gears='1,4': write it in the form 1-4-8-16 \(batch sizes of a dynamic"):
        parse_options(backend, {"gears": "1,4"})
    with pytest.raises(ValueError, match=r"precision_mode='force_fp23': write one of force_fp16, must_keep_origin"):
        parse_options(backend, {"precision_mode": "force_fp23"})
    assert parse_options(backend, {"gears": "2-6"})["gears"] == "2-6"


def test_a_batch_size_that_is_no_gear_is_refused_before_atc_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(fake_atc.install(tmp_path / "cann")), prepend=":")
    text = refused(tiny_model(tmp_path, 2), batch="dynamic", gears="1-4", soc="Ascend310")
    assert "does not take 2" in text
    assert text.endswith("--backend acl:batch=dynamic,gears=1-2-4.")


def test_what_atc_chose_operator_by_operator_is_never_fp32(tmp_path: Path) -> None:
    model = given(tmp_path, "tiny_bs4.om")
    for mode in ("allow_mix_precision", "force_fp32"):
        assert f"mixed ({mode}), not in fp32; ask for --precision fp16" in refused(
            model, Precision.FP32, precision_mode=mode
        )
        with machine() as here, here.open(model, Precision.FP16, precision_mode=mode) as session:
            assert session.precision is Precision.FP16
            assert session.describe()["precision_mode"] == f"mixed ({mode})"


def test_an_om_of_other_weights_is_said(tmp_path: Path) -> None:
    model = given(tmp_path, "tiny_bs4.om")
    assert model.compiled is not None
    assert model.onnx is not None
    _note(model.compiled)
    with machine() as here:
        assert "other weights (--weights)" in here.prepare(model).settings["made from"]
        _note(model.compiled, onnx=read_graph(model.onnx).sha256)
        assert "made from" not in here.prepare(model).settings


def test_a_mode_that_contradicts_the_note_or_the_precision_is_refused(tmp_path: Path) -> None:
    model = given(tmp_path, "tiny_bs4.om")
    assert "not in fp16" in refused(model, precision_mode="must_keep_origin_dtype")
    assert model.compiled is not None
    _note(model.compiled)
    assert "was made with --precision_mode force_fp16, atc's default" in refused(model, precision_mode="force_fp32")
