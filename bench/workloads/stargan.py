"""StarGAN's generator on pictures of faces: 128×128 images and five target attributes in, translated images out."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Array, Feeds, Model, TensorSpec
from bench.errors import UsageError
from bench.plan import WorkloadSpec
from bench.samples import SAMPLES, sample_strip
from bench.workloads.base import (
    HOST_BATCHES,
    Materials,
    Workload,
    cache_file,
    key_of,
    load_arrays,
    save_arrays,
    sha256_of_arrays,
    sha256_of_file,
)
from bench.workloads.flops import stargan_flop_per_image
from reports.records import WorkloadInfo

#: The weights without a file, and the opset where none is asked for: one file for every engine, old atc included.
SEED = 1234
DEFAULT_OPSET = 11
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: Pictures that a run draws its batches from, where there are so many.
_SAMPLES = 128


@dataclass(frozen=True)
class Network:
    """The generator with its weights, their digest, and where they are from in words."""

    weights: Path | None
    #: where the digest of weights that were loaded once is kept, so that they need not be again: torch takes seconds
    known: Path

    @cached_property
    def generator(self) -> Any:
        """The network itself. Raises UsageError for a bad file, or when torch cannot be imported."""
        try:
            from bench.workloads import stargan_network
        except ImportError as error:
            raise _missing(str(error)) from None
        return stargan_network.load_generator(self.weights) if self.weights else stargan_network.seeded_generator(SEED)

    @cached_property
    def sha256(self) -> str:
        """Digest of the weights. Raises what `generator` does, and UsageError when the cache cannot be written."""
        if not _DIGEST.fullmatch(_text(self.known)):
            generator = self.generator
            from bench.workloads.stargan_network import sha256_of_weights

            with cache_file(self.known) as temporary:
                temporary.write_text(sha256_of_weights(generator), encoding="ascii")
        return _text(self.known)

    @property
    def title(self) -> str:
        source = f"weights {self.weights.name}" if self.weights else f"untrained weights from seed {SEED}"
        return f"StarGAN generator, {source}"


def _text(path: Path) -> str:
    """What a small file holds; "" for one that is not there or no text."""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def load_network(weights: Path | None, cache: Path, say: Callable[[str], None]) -> Network:
    """The generator with the weights of that file, or with those of a fixed seed.

    Raises UsageError for a bad file, when torch or onnx is missing, or when the cache cannot be written.
    """
    for package in ("torch", "onnx"):  # the exporter needs the one, and all else the other
        if find_spec(package) is None:
            raise _missing(f"no module named {package!r}")
    say("loading weights")
    # A file that is not there is for the loader to put in words.
    content = sha256_of_file(weights) if weights and weights.is_file() else weights or f"seed {SEED}"
    network = Network(weights, cache / "weights" / f"{key_of(content, version('torch'))}.sha256")
    _ = network.sha256
    return network


def _missing(what: str) -> UsageError:
    return UsageError(
        f"workload stargan needs torch and onnx for its weights and its reference ({what});"
        " install them with: pip install -c constraints.txt -e '.[torch]'."
    )


def exported(network: Network, cache: Path, say: Callable[[str], None], opset: int | None = None) -> tuple[Path, int]:
    """The checked .onnx file in the cache, exported if it is not there, and its opset: that one, or the default.

    Raises ConversionError for an opset that cannot be exported, UsageError when the cache cannot be written.
    """
    opset = DEFAULT_OPSET if opset is None else opset
    path = cache / "onnx" / f"stargan-{key_of(network.sha256, opset, version('torch'))}.onnx"
    if not path.exists():
        from bench.workloads import stargan_export

        say(f"exporting to ONNX opset {opset} and checking it")
        stargan_export.export(network.generator, path, opset)
    return path, opset


class StarGAN(Workload):
    """Sample i is image i with target attribute i mod 5; host batch j starts at sample j·count/8 and wraps round."""

    name = "stargan"
    picture_outputs = frozenset({"fake_img"})

    def materialise(
        self, spec: WorkloadSpec, batches: Sequence[int], cache: Path, say: Callable[[str], None]
    ) -> Materials:
        if spec.model is not None:
            raise UsageError("--model belongs to --workload onnx; StarGAN takes --weights FILE.pth.")
        images, inputs_text = self._inputs(spec, batches, say)
        notes = []
        network = load_network(Path(spec.weights) if spec.weights else None, cache, say)
        if not spec.weights:
            notes.append(
                "No weights file was given: the weights come from a fixed seed. Speed does not depend on them;"
                " the pictures mean nothing. Give --weights 200000-G.pth for real translations."
            )
        digest, torch_version = network.sha256, version("torch")
        weights = self._save_weights(network, cache)
        onnx_file, opset = exported(network, cache, say)
        inputs_digest = sha256_of_arrays(images)
        inputs_file = cache / "inputs" / f"{inputs_digest[:24]}.npz"
        if not inputs_file.exists():
            save_arrays(inputs_file, images)
        count = min(max(batches), len(images["real_img"]))
        key = key_of(digest, inputs_digest, count, torch_version)
        reference = cache / "references" / f"stargan-{key}.npz"
        if not reference.exists():
            say("reference outputs (PyTorch fp32 on the CPU)")
            save_arrays(reference, {"fake_img": _reference(network.generator, images, count)})
        samples = min(count, SAMPLES)
        return Materials(
            info=WorkloadInfo(
                name=self.name,
                model_sha256=digest,
                inputs_sha256=inputs_digest,
                model=f"{network.title}; ONNX opset {opset}",
                inputs=inputs_text,
                reference=f"PyTorch {torch_version} eager, fp32, on the CPU",
                notes=notes,
                sample_inputs=sample_strip(images["real_img"][:samples]),
                sample_reference=sample_strip(load_arrays(reference)["fake_img"][:samples]),
                sample_captions=_captions(spec, samples),
                flop_per_image=stargan_flop_per_image(),
            ),
            onnx=str(onnx_file),
            inputs=str(inputs_file),
            references=dict.fromkeys(map(str, batches), str(reference)),
            weights=str(weights),
        )

    def _inputs(
        self, spec: WorkloadSpec, batches: Sequence[int], say: Callable[[str], None]
    ) -> tuple[dict[str, Array], str]:
        """Distinct samples and a sentence on them. Raises datasets' DatasetError."""
        import datasets
        from datasets import DEFAULT_ATTRIBUTES, CelebA, load_batch, target_labels

        attributes = tuple(spec.attributes or DEFAULT_ATTRIBUTES)
        if len(attributes) != len(DEFAULT_ATTRIBUTES):
            raise UsageError(f"--attributes: StarGAN's generator takes 5 attributes, {len(attributes)} were given.")
        say("reading pictures")
        folder = Path(spec.data) if spec.data else datasets.sample_folder()
        with CelebA.open(folder, attributes) as celeba:
            entries = celeba.split().test[: max(_SAMPLES, *batches)]
            if not entries:
                raise UsageError(f"{folder} has no entry in its test split; give a CelebA folder or zip with --data.")
            originals = celeba.labels(entries)
            pictures = load_batch(celeba, entries)
        targets = target_labels(originals, attributes)
        chosen = np.arange(len(entries)) % len(attributes)
        arrays: dict[str, Array] = {
            "real_img": pictures,
            "attr": np.ascontiguousarray(targets[chosen, np.arange(len(entries))]),
        }
        source = Path(spec.data).name if spec.data else "the bundled sample (NASA portrait, public domain)"
        text = f"{len(entries)} pictures of {source}, cropped to 178×178 and resized to 128×128"
        return arrays, f"{text}; target attributes {', '.join(attributes)}"

    def _save_weights(self, network: Network, cache: Path) -> Path:
        """The weights as a file that every cell's worker loads."""
        path = cache / "weights" / f"stargan-{network.sha256[:24]}.pth"
        if not path.exists():
            state = network.generator.state_dict()
            import torch

            # In memory first: torch turns a full disk into an error of its own that says nothing of a disk.
            buffer = io.BytesIO()
            torch.save(state, buffer)
            with cache_file(path) as temporary:
                temporary.write_bytes(buffer.getvalue())
        return path

    def model(self, spec: WorkloadSpec, materials: Materials, batch: int) -> Model:
        from_file = materials.weights

        def torch_module() -> Any:
            from bench.workloads.stargan_network import load_generator

            return load_generator(Path(from_file or ""))

        float32 = np.dtype(np.float32)
        return Model(
            name="StarGAN generator",
            sha256=materials.info.model_sha256,
            batch=batch,
            inputs=(TensorSpec("real_img", (batch, 3, 128, 128), float32), TensorSpec("attr", (batch, 5), float32)),
            outputs=(TensorSpec("fake_img", (batch, 3, 128, 128), float32),),
            onnx=Path(materials.onnx) if materials.onnx else None,
            torch_module=torch_module,
        )

    def host_batches(self, spec: WorkloadSpec, materials: Materials, batch: int) -> list[Feeds]:
        samples = load_arrays(Path(materials.inputs))
        count = len(samples["real_img"])
        starts = [index * count // HOST_BATCHES for index in range(HOST_BATCHES)]
        picks = [(np.arange(batch) + start) % count for start in starts]
        return [{name: np.ascontiguousarray(array[pick]) for name, array in samples.items()} for pick in picks]

    def reference(self, materials: Materials, batch: int) -> dict[str, Array]:
        outputs = super().reference(materials, batch)
        return {name: array[np.arange(batch) % len(array)] for name, array in outputs.items()}


def _captions(spec: WorkloadSpec, samples: int) -> list[str]:
    """The target attribute of the first samples."""
    from datasets import DEFAULT_ATTRIBUTES

    attributes = spec.attributes or DEFAULT_ATTRIBUTES
    return [attributes[index % len(attributes)].replace("_", " ") for index in range(samples)]


def _reference(generator: Any, samples: dict[str, Array], count: int) -> Array:
    """Outputs (count, 3, 128, 128) float32 of the first samples, an image at a time: batches do not mix images."""
    import torch

    outputs = []
    with torch.inference_mode():
        for index in range(count):
            image, attributes = (torch.from_numpy(samples[name][index : index + 1]) for name in ("real_img", "attr"))
            outputs.append(generator(image, attributes).numpy())
    return np.concatenate(outputs)
