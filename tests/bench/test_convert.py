"""`bench convert`: what lies in the folder afterwards, what is told, and what is refused in one line."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from backends.base import Precision  # noqa: E402 - after importorskip
from backends.convert import om  # noqa: E402
from bench.commands.convert import ConvertOptions, convert  # noqa: E402
from bench.errors import ExitCode, UsageError  # noqa: E402
from tests.doubles import atc, npu_smi, trtexec  # noqa: E402


@pytest.fixture(scope="module")
def cache(stargan_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests here, with the export in it, which takes seconds."""
    folder = tmp_path_factory.mktemp("cache")
    shutil.copytree(stargan_cache, folder / stargan_cache.name)
    return folder


@pytest.fixture
def options(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConvertOptions:
    """Convert to ONNX, on a machine with no tool at all."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr("backends.telemetry.npu_smi.FOLDERS", ())
    monkeypatch.setattr("backends.nvidia.nvidia_devices", lambda: ())
    return ConvertOptions(
        weights=None, opset=11, to="onnx", batches=[1, 4], precision=None, soc_version=None, precision_mode=None,
        out=tmp_path / "models", cache=cache,
    )  # fmt: skip


def to_om(options: ConvertOptions, **others: object) -> ConvertOptions:
    return dataclasses.replace(options, to="om", soc_version="Ascend310", **others)  # type: ignore[arg-type]


def put_on_path(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    return place


def refused(options: ConvertOptions) -> str:
    """The one line of a conversion that cannot be done."""
    with pytest.raises(UsageError) as caught:
        convert(options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def note(path: Path) -> dict[str, object]:
    found = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    return dict(found)


def test_onnx_and_again_and_at_another_opset(options: ConvertOptions, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(options) == ExitCode.DONE
    path = options.out / "StarGAN.onnx"
    model = onnx.load(str(path))
    assert [value.name for value in model.graph.input] == ["real_img", "attr"]
    assert "made_from" in note(path)
    out, error = capsys.readouterr()
    assert "StarGAN.onnx" in out
    assert str(note(path)["sha256"])[:12] in out
    assert error == ""
    assert convert(options) == ExitCode.DONE
    assert "from cache, up to date" in capsys.readouterr().out
    assert convert(dataclasses.replace(options, opset=13)) == ExitCode.DONE
    assert onnx.load(str(path)).opset_import[0].version == 13, "a file that bench wrote is replaced"
    assert sorted(file.name for file in options.out.iterdir()) == ["StarGAN.onnx", "StarGAN.onnx.json"]


def test_onnx_in_fp16_beside_the_other(options: ConvertOptions, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    wanted = dataclasses.replace(options, precision=Precision.FP16)
    assert convert(wanted) == ExitCode.DONE
    path = options.out / "StarGAN_fp16.onnx"
    model = onnx.load(str(path))
    assert {tensor.data_type for tensor in model.graph.initializer} == {onnx.TensorProto.FLOAT16}
    assert [value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)] == [1, 1, 1]
    found = note(path)
    assert found["precision"] == "fp16"
    assert dict(found["made_from"])["onnx"] == note(options.out / "StarGAN.onnx")["sha256"]  # type: ignore[call-overload]
    out = capsys.readouterr().out
    assert "StarGAN_fp16.onnx: converted by onnxruntime.transformers.float16 " in out
    assert "85 nodes compute in fp16, 0 in fp32; inputs and outputs keep their types" in out
    assert convert(wanted) == ExitCode.DONE
    assert capsys.readouterr().out.count("from cache, up to date") == 2


def test_without_the_tool_for_fp16_the_fp32_file_is_there(
    options: ConvertOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(options)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    line = refused(dataclasses.replace(options, precision=Precision.FP16))
    assert line.endswith("install it with: pip install -c constraints.txt onnxruntime.")
    assert [file.name for file in options.out.glob("*.onnx")] == ["StarGAN.onnx"]


@pytest.mark.parametrize("noted", [False, True])
def test_a_file_that_is_not_ours_is_kept(options: ConvertOptions, noted: bool) -> None:
    if noted:
        convert(options)
    options.out.mkdir(exist_ok=True)
    (options.out / "StarGAN.onnx").write_bytes(b"somebody's own")
    assert "was not written by bench convert, or was changed since" in refused(options)
    assert (options.out / "StarGAN.onnx").read_bytes() == b"somebody's own"


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"\xff", b'{"written_by": "me", "sha256": "0"}'])
def test_a_note_that_is_not_ours_is_kept(options: ConvertOptions, content: bytes) -> None:
    options.out.mkdir()
    (options.out / "StarGAN.onnx.json").write_bytes(content)
    assert "StarGAN.onnx.json was not written by bench convert" in refused(options)
    assert [(file.name, file.read_bytes()) for file in options.out.iterdir()] == [("StarGAN.onnx.json", content)]


def test_an_equal_file_of_somebody_is_up_to_date(options: ConvertOptions, capsys: pytest.CaptureFixture[str]) -> None:
    convert(options)
    (options.out / "StarGAN.onnx.json").unlink()
    capsys.readouterr()
    assert convert(options) == ExitCode.DONE
    assert "up to date" in capsys.readouterr().out
    assert note(options.out / "StarGAN.onnx")


def test_om_models_by_the_names_of_the_guide(
    options: ConvertOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = put_on_path(atc.install(tmp_path / "cann", host="linux_x86_64", version="6.0.1"), monkeypatch)
    wanted = to_om(options)
    assert convert(wanted) == ExitCode.DONE
    assert [path.name for path in sorted(options.out.glob("*.om"))] == ["StarGAN_bs1.om", "StarGAN_bs4.om"]
    assert len(atc.calls(place)) == 2
    assert "--input_shape=real_img:4,3,128,128;attr:4,5 --soc_version=Ascend310 --log=error" in atc.calls(place)[1]
    found = note(options.out / "StarGAN_bs4.om")
    assert found["precision"] == "fp16 (force_fp16, atc's default)"
    assert "6.0.1" in str(found["made_from"])
    out, error = capsys.readouterr()
    assert out.count("built") == 2
    assert "StarGAN_bs1.om, StarGAN_bs4.om: runs only on linux x86_64" in out
    assert error == ""
    assert convert(wanted) == ExitCode.DONE
    assert capsys.readouterr().out.count("from cache, up to date") == 3
    assert convert(dataclasses.replace(wanted, precision_mode="force_fp32", batches=[4])) == ExitCode.DONE
    assert note(options.out / "StarGAN_bs4.om")["precision"] == "mixed (force_fp32)"
    assert len(atc.calls(place)) == 3


def test_the_note_beside_an_om_is_what_a_backend_reads(
    options: ConvertOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(atc.install(tmp_path / "cann", version="6.0.1"), monkeypatch)
    convert(to_om(options, precision_mode="must_keep_origin_dtype", batches=[4]))
    path = options.out / "StarGAN_bs4.om"
    facts = om.read_sidecar(path)
    assert facts is not None
    assert (facts.batch, facts.gears, facts.soc_version, facts.cann) == (4, (), "Ascend310", "6.0.1")
    assert (facts.precision, facts.arithmetic) == ("fp32 (must_keep_origin_dtype)", Precision.FP32)
    assert facts.onnx_sha256 == note(options.out / "StarGAN.onnx")["sha256"]
    assert om.inspect(path).size_bytes == path.stat().st_size


def test_one_om_for_several_batch_sizes(
    options: ConvertOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = put_on_path(atc.install(tmp_path / "cann"), monkeypatch)
    wanted = to_om(options, dynamic_batch=True)
    assert convert(wanted) == ExitCode.DONE
    assert convert(dataclasses.replace(wanted, dynamic_batch=False)) == ExitCode.DONE
    names = [path.name for path in sorted(options.out.glob("*.om"))]
    assert names == ["StarGAN_bs1.om", "StarGAN_bs4.om", "StarGAN_dyn1-4.om"]
    assert "--input_shape=real_img:-1,3,128,128;attr:-1,5" in atc.calls(place)[0]
    assert "--dynamic_batch_size=1,4 " in atc.calls(place)[0]
    facts = om.read_sidecar(options.out / "StarGAN_dyn1-4.om")
    assert facts is not None
    assert (facts.batch, facts.gears) == (None, (1, 4))
    assert "StarGAN_dyn1-4.om: one model for batch sizes 1, 4, usually slower" in capsys.readouterr().out


def test_an_opset_that_this_cann_does_not_read_is_known_before_the_export(
    options: ConvertOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put_on_path(atc.install(tmp_path / "cann", version="5.0.4"), monkeypatch)
    assert refused(to_om(options, opset=17)) == (
        "opset 17 is not read by CANN 5.0.4, which reads opsets 9 to 13; export with --opset 11, or convert with a"
        " newer CANN."
    )
    assert atc.calls(place) == []
    assert not options.out.exists()


def test_engines(
    options: ConvertOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = put_on_path(trtexec.install(tmp_path / "bin", 101303), monkeypatch)
    wanted = dataclasses.replace(options, to="engine", precision=Precision.FP16)
    assert convert(wanted) == ExitCode.DONE
    assert [path.name for path in sorted(options.out.glob("*.engine"))] == ["StarGAN_bs1.engine", "StarGAN_bs4.engine"]
    assert "--maxShapes=real_img:4x3x128x128,attr:4x5 --fp16" in trtexec.calls(place)[1]
    assert convert(wanted) == ExitCode.DONE
    assert len(trtexec.calls(place)) == 2
    assert "with TensorRT 10.13.3" in capsys.readouterr().out


def test_without_atc_the_commands_for_elsewhere_are_told(
    options: ConvertOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(to_om(options)).startswith("atc was not found on PATH; source CANN's set_env.sh")
    assert (options.out / "StarGAN.onnx").exists()
    commands = [line for line in capsys.readouterr().out.splitlines() if line.startswith("atc ")]
    assert commands == [
        f"atc --framework=5 --model=StarGAN.onnx --output=StarGAN_bs{batch} --input_format=NCHW"
        f" '--input_shape=real_img:{batch},3,128,128;attr:{batch},5' --soc_version=Ascend310 --log=error"
        for batch in (1, 4)
    ]


def test_without_atc_the_command_of_a_dynamic_batch_is_told(
    options: ConvertOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "atc was not found on PATH" in refused(to_om(options, dynamic_batch=True))
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("atc ")] == [
        "atc --framework=5 --model=StarGAN.onnx --output=StarGAN_dyn1-4 --input_format=NCHW"
        " '--input_shape=real_img:-1,3,128,128;attr:-1,5' --soc_version=Ascend310 --dynamic_batch_size=1,4 --log=error"
    ]


def test_without_trtexec_the_commands_for_elsewhere_are_told(
    options: ConvertOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(dataclasses.replace(options, to="engine")).startswith("trtexec was not found on PATH")
    commands = [line for line in capsys.readouterr().out.splitlines() if line.startswith("trtexec ")]
    assert len(commands) == 2
    assert "--saveEngine=StarGAN_bs4.engine --minShapes=real_img:4x3x128x128,attr:4x5" in commands[1]


def test_a_conversion_that_fails_tells_what_was_made_before(
    options: ConvertOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = put_on_path(atc.install(tmp_path / "cann"), monkeypatch)
    line = refused(dataclasses.replace(to_om(options), soc_version="Ascend999"))
    assert "E10001: Value [Ascend999]" in line
    assert "exact name with --soc-version" in line
    assert "StarGAN.onnx" in capsys.readouterr().out
    assert len(atc.calls(place)) == 1, "what fails for one batch size is not tried for the others"
    assert list(options.out.glob("*.om*")) == []


def test_the_chip_is_found_by_npu_smi(options: ConvertOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = dataclasses.replace(options, to="om", batches=[1])
    assert "npu-smi was not found" in refused(wanted)
    assert "give it with --soc-version, such as Ascend310." in refused(wanted)
    assert not options.out.exists(), "known before the export"
    place = put_on_path(atc.install(tmp_path / "cann"), monkeypatch)
    npu_smi.install(place, npu_smi.CARD_300I)
    assert convert(wanted) == ExitCode.DONE
    assert "--soc_version=Ascend310 " in atc.calls(place)[0]
    npu_smi.install(place, npu_smi.CARD_A3)  # its name is that of a family
    assert "npu-smi lists Ascend910" in refused(wanted)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"soc_version": "Ascend310"}, "--soc-version belongs to --to om"),
        ({"to": "engine", "precision_mode": "force_fp32"}, "--precision-mode belongs to --to om"),
        ({"dynamic_batch": True}, "--dynamic-batch belongs to --to om"),
        (
            {"to": "om", "soc_version": "Ascend310", "dynamic_batch": True, "batches": [4]},
            "--dynamic-batch: a dynamic batch takes at least two different sizes",
        ),
        ({"to": "om", "soc_version": "Ascend310", "precision": Precision.FP32}, "set by --precision-mode"),
        ({"opset": 10}, "opset 10 cannot be exported; use one from 11 to 20."),
        ({"weights": Path("missing.pth")}, "weights file missing.pth does not exist"),
        ({"out": Path("/dev/null/models")}, "cannot write in /dev/null/models: Not a directory"),
        ({"cache": Path("/dev/null/cache")}, "--cache"),
    ],
)
def test_mistakes_are_one_line(
    options: ConvertOptions, changes: dict[str, object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(dataclasses.replace(options, **changes))  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""
    assert not options.out.exists()
