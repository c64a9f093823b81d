"""StarGAN's generator: as published, from real checkpoint files, to a checked ONNX graph."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from backends.base import ConversionError
from bench.errors import UsageError
from bench.plan import WorkloadSpec
from bench.workloads import load
from bench.workloads.base import HOST_BATCHES, load_arrays

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from bench.workloads import stargan_export, stargan_network as network  # noqa: E402, I001 - after importorskip
from bench.workloads.stargan import SEED, load_network  # noqa: E402


class PublishedBlock(torch.nn.Module):  # type: ignore[misc]
    """The published residual block, with its running statistics."""

    def __init__(self, width: int) -> None:
        super().__init__()
        nn = torch.nn
        self.main = nn.Sequential(
            nn.Conv2d(width, width, kernel_size=3, stride=1, padding=1, bias=False),
            nn.InstanceNorm2d(width, affine=True, track_running_stats=True),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, kernel_size=3, stride=1, padding=1, bias=False),
            nn.InstanceNorm2d(width, affine=True, track_running_stats=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.main(x)


def published_network() -> torch.nn.Module:
    """The published generator's layers; call it with `published_forward`, in training mode as its authors do."""
    nn = torch.nn
    layers = [
        nn.Conv2d(8, 64, kernel_size=7, stride=1, padding=3, bias=False),
        nn.InstanceNorm2d(64, affine=True, track_running_stats=True),
        nn.ReLU(inplace=True),
    ]
    for width in (64, 128):
        layers += [
            nn.Conv2d(width, width * 2, kernel_size=4, stride=2, padding=1, bias=False),
            nn.InstanceNorm2d(width * 2, affine=True, track_running_stats=True),
            nn.ReLU(inplace=True),
        ]
    layers += [PublishedBlock(256) for _ in range(6)]
    for width in (256, 128):
        layers += [
            nn.ConvTranspose2d(width, width // 2, kernel_size=4, stride=2, padding=1, bias=False),
            nn.InstanceNorm2d(width // 2, affine=True, track_running_stats=True),
            nn.ReLU(inplace=True),
        ]
    layers += [nn.Conv2d(64, 3, kernel_size=7, stride=1, padding=3, bias=False), nn.Tanh()]
    holder = nn.Module()
    holder.main = nn.Sequential(*layers)
    return holder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the published training writes it: random weights, moved running statistics, all 103 keys."""
    torch.manual_seed(5)
    holder = published_network()
    for module in holder.modules():
        if isinstance(module, torch.nn.InstanceNorm2d):
            torch.nn.init.normal_(module.weight, 1.0, 0.2)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    path = tmp_path_factory.mktemp("weights") / "200000-G.pth"
    torch.save(holder.state_dict(), path)
    assert len(holder.state_dict()) == 103
    return path


def random_inputs(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(batch, 3, 128, 128, generator=generator) * 2 - 1
    return images, torch.randint(0, 2, (batch, 5), generator=generator).float()


def test_network_computes_what_the_published_one_does_in_training_mode(checkpoint: Path) -> None:
    holder = published_network()
    holder.load_state_dict(torch.load(checkpoint, weights_only=True))
    images, attributes = random_inputs(2)
    planes = attributes.view(2, 5, 1, 1).repeat(1, 1, 128, 128)
    with torch.inference_mode():
        expected = holder.train().main(torch.cat([images, planes], dim=1))
        wrong = holder.eval().main(torch.cat([images, planes], dim=1))
        found = network.load_generator(checkpoint)(images, attributes)
    assert torch.allclose(found, expected, atol=1e-5)
    assert (wrong - expected).abs().max() > 0.05, "the statistics must matter, or this test could not fail"


#: The first opset and the last that can be exported.
ENDS = (11, 20)


def test_the_ends_of_the_opsets() -> None:
    assert (stargan_export.OPSETS[0], stargan_export.OPSETS[-1]) == ENDS


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("onnx")
    generator = network.load_generator(checkpoint)
    paths = {opset: folder / f"stargan-{opset}.onnx" for opset in ENDS}
    for opset, path in paths.items():
        stargan_export.export(generator, path, opset)
    return paths


@pytest.mark.parametrize("opset", ENDS)
def test_exported_graph(exported: dict[int, Path], opset: int) -> None:
    model = onnx.load(str(exported[opset]))
    nodes = Counter(node.op_type for node in model.graph.node)
    assert nodes["InstanceNormalization"] == 17
    assert nodes["BatchNormalization"] == 0
    assert nodes["Tile"] <= 1
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert [value.name for value in model.graph.input] == ["real_img", "attr"]
    assert [value.name for value in model.graph.output] == ["fake_img"]
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param, "the batch must be dynamic"
    assert not list(exported[opset].parent.glob(".tmp*")), "nothing half-written is left"


@pytest.fixture(scope="module")
def computed(checkpoint: Path) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Inputs of two batch sizes, neither the one that is traced, and what the network makes of them."""
    generator = network.load_generator(checkpoint)
    found = []
    for batch in (1, 5):
        images, attributes = random_inputs(batch)
        with torch.inference_mode():
            outputs = generator(images, attributes).numpy()
        found.append(({"real_img": images.numpy(), "attr": attributes.numpy()}, outputs))
    return found


@pytest.mark.parametrize("opset", ENDS)
def test_exported_graph_computes_the_network_at_any_batch(
    exported: dict[int, Path], computed: list[tuple[dict[str, np.ndarray], np.ndarray]], opset: int
) -> None:
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(str(exported[opset]), providers=["CPUExecutionProvider"])
    for feeds, expected in computed:
        (found,) = session.run(None, feeds)
        assert np.abs(found - expected).max() < 1e-4


_WRONG_MODE = """
import sys, torch
from pathlib import Path
from backends.base import ConversionError
from bench.workloads import stargan_export, stargan_network
stargan_network._norm = lambda width: torch.nn.InstanceNorm2d(width, affine=True, track_running_stats=True)
try:
    stargan_export.export(stargan_network.Generator(), Path(sys.argv[1]), 11)
except ConversionError:
    sys.exit(7)
"""


def test_a_graph_of_the_wrong_mode_is_refused(tmp_path: Path) -> None:
    """With running statistics the exporter writes BatchNormalization: plausible pictures, all wrong.

    In a process of its own: when the exporter fails it writes the whole graph past Python's standard output.
    """
    command = [sys.executable, "-c", _WRONG_MODE, str(tmp_path / "wrong.onnx")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_opset_that_the_exporter_does_not_have(tmp_path: Path) -> None:
    for opset in (10, 21, 99):
        with pytest.raises(ConversionError, match=f"opset {opset} cannot be exported; use one from 11 to 20"):
            stargan_export.export(network.seeded_generator(SEED), tmp_path / "x.onnx", opset=opset)
    assert list(tmp_path.iterdir()) == []


def test_seeded_weights_are_always_the_same_and_leave_the_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = network.sha256_of_weights(network.seeded_generator(SEED))
    assert torch.equal(torch.rand(1), expected)
    assert network.sha256_of_weights(network.seeded_generator(SEED)) == first


class Surprise:
    """Unpickling it would create a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (self.path, "w"))


def test_bad_weights_are_one_clear_line_each(checkpoint: Path, tmp_path: Path) -> None:
    whole = checkpoint.read_bytes()
    state = torch.load(checkpoint, weights_only=True)
    trap = tmp_path / "trap"
    files: dict[str, tuple[object, str]] = {
        "cut.pth": (whole[: len(whole) // 2], "cut off or no PyTorch checkpoint"),
        "empty.pth": (b"", "cut off or no PyTorch checkpoint"),
        "text.pth": (b"not weights at all", "no PyTorch checkpoint"),
        "pickle.pth": (pickle.dumps({"a": 1}), "no PyTorch checkpoint"),
        "trap.pth": (pickle.dumps(Surprise(str(trap)), protocol=2), "Python objects besides tensors"),
        "objects.pth": ({"main.0.weight": Surprise(str(trap))}, "Python objects besides tensors"),
        "list.pth": ([1, 2, 3], "no state dict"),
        "module.pth": ({"model": state}, "no state dict"),
        "other.pth": ({"conv.weight": torch.zeros(3)}, "another network"),
        "wide.pth": (state | {"main.0.weight": torch.zeros(64, 10, 7, 7)}, "main.0.weight has shape"),
        "extra.pth": (state | {"head.weight": torch.zeros(1)}, "head.weight is unknown"),
    }
    for name, (content, words) in files.items():
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        with pytest.raises(UsageError, match=words) as caught:
            network.load_generator(path)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not trap.exists(), "nothing in a weights file may ever be executed"
    with pytest.raises(UsageError, match="does not exist"):
        network.load_generator(tmp_path / "nowhere.pth")


def test_materials_are_cached_and_describe_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workload = load("stargan")
    spec = WorkloadSpec(name="stargan")
    said: list[str] = []
    first = workload.materialise(spec, [1, 2], tmp_path, said.append)
    assert any("exporting" in what for what in said)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    said.clear()
    monkeypatch.setattr(network, "Generator", None)  # whoever loads weights again fails
    assert workload.materialise(spec, [1, 2], tmp_path, said.append) == first
    assert not any("exporting" in what or "reference" in what for what in said), "the second call redoes nothing"
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.undo()
    assert any("fixed seed" in note for note in first.info.notes)
    batches = workload.host_batches(spec, first, 16)
    assert len({batch["real_img"].tobytes() for batch in batches}) == HOST_BATCHES, "all host batches differ"
    assert batches[0]["attr"].shape == (16, 5)
    assert set(np.unique(batches[0]["attr"])) <= {0.0, 1.0}
    model = workload.model(spec, first, 2)
    assert model.torch_module is not None
    feeds = workload.host_batches(spec, first, 2)[0]
    with torch.inference_mode():
        found = model.torch_module()(*(torch.from_numpy(feeds[spec.name]) for spec in model.inputs))
    assert np.allclose(found.numpy(), workload.reference(first, 2)["fake_img"], atol=1e-4)
    assert load_arrays(Path(first.inputs))["real_img"].dtype == np.float32


def test_weights_are_known_by_what_is_in_their_file(checkpoint: Path, tmp_path: Path) -> None:
    """And not by its name: another file of that name is loaded, and a bad one refused, whatever was loaded before."""
    path = tmp_path / "G.pth"
    shutil.copy(checkpoint, path)
    first = load_network(path, tmp_path, lambda what: None)
    assert first.sha256 == network.sha256_of_weights(network.load_generator(checkpoint))
    state = torch.load(checkpoint, weights_only=True)
    torch.save(state | {"main.0.weight": state["main.0.weight"] + 1}, path)
    assert load_network(path, tmp_path, lambda what: None).sha256 != first.sha256
    path.write_bytes(b"no weights at all")
    with pytest.raises(UsageError, match=r"G\.pth is no PyTorch checkpoint"):
        load_network(path, tmp_path, lambda what: None)


def test_a_damaged_cache_file_is_one_line_that_names_it(stargan_cache: Path, tmp_path: Path) -> None:
    workload = load("stargan")
    spec = WorkloadSpec(name="stargan")
    shutil.copytree(stargan_cache, tmp_path, dirs_exist_ok=True)
    materials = workload.materialise(spec, [1], tmp_path, lambda what: None)
    path = Path(materials.inputs)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UsageError, match=f"{path.name} in the cache is damaged.*delete it"):
        workload.host_batches(spec, materials, 1)
