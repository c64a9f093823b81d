"""Any .onnx file with random inputs of its declared shapes."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Array, Feeds, Model, Precision, TensorSpec
from bench.errors import UsageError
from bench.plan import WorkloadSpec
from bench.workloads.base import (
    HOST_BATCHES,
    Materials,
    Workload,
    key_of,
    load_arrays,
    save_arrays,
    sha256_of_arrays,
    sha256_of_file,
)
from bench.workloads.flops import flop_per_image
from datasets.synthetic import random_tensor
from reports.records import WorkloadInfo

SEED = 1234
_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")


class OnnxModel(Workload):
    """The batch is the open dimension 0 that the inputs share; other open dimensions come from `--shape`."""

    name = "onnx"

    def materialise(
        self, spec: WorkloadSpec, batches: Sequence[int], cache: Path, say: Callable[[str], None]
    ) -> Materials:
        path = _existing(spec)
        proto = _load(path)
        digest = _sha256_with_external_data(path, proto)
        engine = _reference_engine()
        references: dict[str, str] = {}
        for batch in batches:
            specs = _input_specs(path, proto, spec, batch)
            feeds = _random_feeds(specs, seed=SEED)
            file = cache / "references" / f"{key_of('onnx', digest, sha256_of_arrays(feeds), engine)}.npz"
            if not file.exists():
                say(f"reference outputs at batch {batch} ({engine})")
                save_arrays(file, _reference_outputs(path, proto, feeds))
            references[str(batch)] = str(file)
        precision = _precision(proto)
        shapes = {
            batch: {one.name: one.shape for one in _input_specs(path, proto, spec, batch)}
            for batch in {min(batches), max(batches)}
        }
        return Materials(
            info=WorkloadInfo(
                name=path.name,
                model_sha256=digest,
                inputs_sha256=key_of("seed", SEED, sorted(spec.shapes.items())),
                model=f"{path.name} as given, opset {_opset(proto)}, {precision}",
                inputs=f"random values from seed {SEED} in the declared shapes",
                reference=f"{engine} on the CPU, {precision} as the file says",
                flop_per_image=flop_per_image(proto, shapes),
            ),
            onnx=str(path.resolve()),
            inputs="",
            references=references,
        )

    def model(self, spec: WorkloadSpec, materials: Materials, batch: int) -> Model:
        path = Path(materials.onnx or "")
        proto = _load(path)
        outputs = load_arrays(Path(materials.references[str(batch)]))
        return Model(
            name=materials.info.name,
            sha256=materials.info.model_sha256,
            batch=batch,
            inputs=_input_specs(path, proto, spec, batch),
            outputs=tuple(TensorSpec(name, array.shape, array.dtype) for name, array in outputs.items()),
            onnx=path,
            precision=_precision(proto),
        )

    def host_batches(self, spec: WorkloadSpec, materials: Materials, batch: int) -> list[Feeds]:
        path = Path(materials.onnx or "")
        specs = _input_specs(path, _load(path), spec, batch)
        return [_random_feeds(specs, seed=SEED + index) for index in range(HOST_BATCHES)]


def _existing(spec: WorkloadSpec) -> Path:
    if spec.model is None:
        raise UsageError("--workload onnx needs a file; name it with --model FILE.onnx.")
    path = Path(spec.model)
    if not path.is_file():
        raise UsageError(f"model file {path} does not exist; check --model.")
    return path


def _load(path: Path) -> Any:
    """The model without its external weights. Raises UsageError when it does not parse or check."""
    try:
        import onnx
    except ImportError:
        raise UsageError("onnx is not installed; install it with: pip install -c constraints.txt onnx.") from None
    try:
        proto = onnx.load(str(path), load_external_data=False)
        onnx.checker.check_model(str(path))
    except Exception as error:  # protobuf's and onnx's errors share no base class
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UsageError(f"{path} is no valid .onnx model ({first}); export it again.") from None
    return proto


def _opset(proto: Any) -> int:
    return next((int(entry.version) for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), 0)


def _sha256_with_external_data(path: Path, proto: Any) -> str:
    """Digest of the file and of the weight files that it points to. Raises UsageError when one is missing."""
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    files = {ExternalDataInfo(t).location for t in proto.graph.initializer if uses_external_data(t)}
    try:
        digests = [sha256_of_file(path), *(sha256_of_file(path.parent / name) for name in sorted(files))]
    except OSError as error:
        raise UsageError(
            f"{path}: its weights file {error.filename} cannot be read; copy it beside the model."
        ) from None
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _precision(proto: Any) -> Precision:
    """What the graph itself prescribes: int8 with quantise nodes, else fp16 or fp32 as most of its weights are used."""
    if any(
        node.op_type in ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul")
        for node in proto.graph.node
    ):
        return Precision.INT8
    sizes = _weights_by_type(proto)
    return Precision.FP16 if sizes["fp16"] > sizes["fp32"] else Precision.FP32


def _weights_by_type(proto: Any) -> Counter[str]:
    """How many values of initializers and Constant nodes are used in fp16 and in fp32.

    Counted by value: a converter may leave the many small scales of normalisations in fp32. A weight that is cast
    before it is used counts as what it is cast to, since a file may keep in fp16 what it computes in fp32.
    """
    import onnx

    names = {onnx.TensorProto.FLOAT16: "fp16", onnx.TensorProto.FLOAT: "fp32"}
    weights = [(tensor.name, tensor) for tensor in proto.graph.initializer]
    casts: dict[str, int] = {}
    for node in proto.graph.node:
        if node.op_type == "Constant":
            weights += [(node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value"]
        elif node.op_type == "Cast":
            casts[node.input[0]] = next(attribute.i for attribute in node.attribute if attribute.name == "to")
    sizes: Counter[str] = Counter()
    for name, tensor in weights:
        used = names.get(casts.get(name, tensor.data_type), "")
        if tensor.data_type in names and used:
            sizes[used] += math.prod(tensor.dims)
    return sizes


def _input_specs(path: Path, proto: Any, spec: WorkloadSpec, batch: int) -> tuple[TensorSpec, ...]:
    """Inputs with every dimension known. Raises UsageError naming the input whose shape is still open."""
    import onnx

    weights = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in weights]
    unknown = sorted(set(spec.shapes) - {value.name for value in inputs})
    if unknown:
        known = ", ".join(value.name for value in inputs)
        raise UsageError(f"--shape {unknown[0]}: {path} has no such input; its inputs are {known}.")
    shapes = {value.name: _dimensions(value) for value in inputs}
    batch_symbol = next((dims[0] for dims in shapes.values() if dims and isinstance(dims[0], str)), None)
    if batch_symbol is None:
        _check_fixed_batch(path, shapes, batch)
    specs = []
    for value in inputs:
        dims = [batch if i == 0 and dim == batch_symbol else dim for i, dim in enumerate(shapes[value.name])]
        given = spec.shapes.get(value.name)
        shape = _resolve(path, value.name, dims, given, dims[:1] != shapes[value.name][:1])
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        specs.append(TensorSpec(value.name, shape, dtype))
    return tuple(specs)


def _dimensions(value: Any) -> list[int | str]:
    """Declared dimensions: a number, or the symbol ("" for a nameless one) of an open dimension."""
    return [d.dim_value if d.dim_value > 0 else str(d.dim_param) for d in value.type.tensor_type.shape.dim]


def _check_fixed_batch(path: Path, shapes: dict[str, list[int | str]], batch: int) -> None:
    """A model without an open dimension 0 runs at the batch that it was exported with, and at no other."""
    fixed = next((dims[0] for dims in shapes.values() if dims), 1)
    if batch != fixed:
        raise UsageError(
            f"{path} has the fixed batch {fixed}; use --bs {fixed}, or export the model with a free batch dimension."
        )


def _resolve(
    path: Path, name: str, dims: list[int | str], given: list[int] | None, follows_batch: bool
) -> tuple[int, ...]:
    """One input's shape from what the file declares (the batch filled in) and what `--shape` says."""
    text = "x".join(str(dim) if isinstance(dim, int) else "?" for dim in dims)
    if given is not None:
        if len(given) != len(dims):
            raise UsageError(f"--shape {name}: {len(given)} dimensions given, {path} has {text}; give all of them.")
        if follows_batch and given[0] not in (1, dims[0]):
            raise UsageError(f"--shape {name}: dimension 0 is the batch, which --bs gives; write 1 for it.")
        for index, (dim, wanted) in enumerate(zip(dims, given, strict=True)):
            if index == 0 and follows_batch:
                continue
            if isinstance(dim, int) and dim != wanted:
                raise UsageError(f"--shape {name}: dimension {index} is {dim} in {path} ({text}), not {wanted}.")
            dims[index] = wanted
    if not all(isinstance(dim, int) for dim in dims):
        open_text = "x".join(
            "1" if i == 0 and follows_batch else str(d) if isinstance(d, int) else "N" for i, d in enumerate(dims)
        )
        raise UsageError(
            f"{path}: input {name!r} is declared {text}; give its unknown dimensions with --shape {name}:{open_text}."
        )
    return tuple(dim for dim in dims if isinstance(dim, int))


def _random_feeds(specs: Sequence[TensorSpec], seed: int) -> dict[str, Array]:
    return {
        spec.name: random_tensor(spec.shape, spec.dtype, seed=seed * 1000 + index) for index, spec in enumerate(specs)
    }


def _reference_engine() -> str:
    try:
        import onnxruntime
    except ImportError:
        return f"onnx {version('onnx')}'s reference evaluator"
    return f"ONNX Runtime {onnxruntime.__version__} without graph optimisations"


def _reference_outputs(path: Path, proto: Any, feeds: dict[str, Array]) -> dict[str, Array]:
    """Outputs by name, of ONNX Runtime with optimisations off, else of onnx's slow evaluator. Raises UsageError."""
    names = [value.name for value in proto.graph.output]
    try:
        results = _run_reference(path, names, feeds)
    except Exception as error:  # the engines' exceptions share no importable base class
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise UsageError(f"{path} does not run on random inputs ({first}); check the model and --shape.") from None
    outputs = {name: np.asarray(result) for name, result in zip(names, results, strict=True)}
    for name, array in outputs.items():
        if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
            raise UsageError(
                f"{path}: output {name!r} of the reference is NaN, infinite or no number on random inputs,"
                " so no engine could be checked against it; measure a model whose outputs can be compared."
            )
    return outputs


def _run_reference(path: Path, names: list[str], feeds: dict[str, Array]) -> list[Any]:
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        return list(ReferenceEvaluator(str(path)).run(names, feeds))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return list(session.run(names, feeds))
