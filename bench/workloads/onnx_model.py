"""Any .onnx file with random inputs of its declared shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Array, Feeds, Model, TensorSpec
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
from datasets.synthetic import random_tensor
from reports.records import WorkloadInfo

SEED = 1234


class OnnxModel(Workload):
    """The batch is dimension 0 of every input that leaves it open; other open dimensions come from `--shape`."""

    name = "onnx"

    def materialise(
        self, spec: WorkloadSpec, batches: Sequence[int], cache: Path, say: Callable[[str], None]
    ) -> Materials:
        path = _existing(spec)
        proto = _load(path)
        digest = sha256_of_file(path)
        references: dict[str, str] = {}
        reference_name = ""
        for batch in batches:
            specs = _input_specs(path, proto, spec, batch)
            say(f"reference outputs at batch {batch}")
            feeds = _random_feeds(specs, seed=SEED)
            file = cache / "references" / f"{key_of('onnx', digest, sha256_of_arrays(feeds), 2)}.npz"
            if not file.exists():
                outputs, reference_name = _reference_outputs(path, proto, feeds)
                save_arrays(file, outputs)
            references[str(batch)] = str(file)
        reference_name = reference_name or _reference_engine()
        return Materials(
            info=WorkloadInfo(
                name=path.name,
                model_sha256=digest,
                inputs_sha256=key_of("seed", SEED, spec.shapes),
                model=f"{path.name}, opset {_opset(proto)}, as given (fp32 reference, engines convert it themselves)",
                inputs=f"random values from seed {SEED} in the declared shapes",
                reference=f"fp32 outputs of {reference_name} on the CPU",
            ),
            onnx=str(path.resolve()),
            inputs="",
            references=references,
        )

    def model(self, spec: WorkloadSpec, materials: Materials, batch: int) -> Model:
        path = Path(materials.onnx or "")
        outputs = load_arrays(Path(materials.references[str(batch)]))
        return Model(
            name=materials.info.name,
            sha256=materials.info.model_sha256,
            batch=batch,
            inputs=_input_specs(path, _load(path), spec, batch),
            outputs=tuple(TensorSpec(name, array.shape, array.dtype) for name, array in outputs.items()),
            onnx=path,
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


def _input_specs(path: Path, proto: Any, spec: WorkloadSpec, batch: int) -> tuple[TensorSpec, ...]:
    """Inputs with every dimension known. Raises UsageError naming the input whose shape is still open."""
    import onnx

    weights = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in weights]
    unknown = sorted(set(spec.shapes) - {value.name for value in inputs})
    if unknown:
        raise UsageError(
            f"--shape {unknown[0]}: {path} has no such input; its inputs are {', '.join(v.name for v in inputs)}."
        )
    specs = []
    for value in inputs:
        tensor = value.type.tensor_type
        declared: list[int | None] = [d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim]
        shape = _resolve(path, value.name, declared, spec.shapes.get(value.name), batch)
        specs.append(TensorSpec(value.name, shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))))
    return tuple(specs)


def _resolve(path: Path, name: str, declared: list[int | None], given: list[int] | None, batch: int) -> tuple[int, ...]:
    """One input's shape from what the file declares, what `--shape` says, and the batch."""
    text = "x".join("?" if d is None else str(d) for d in declared)
    dims = list(declared)
    if dims and dims[0] is None:
        dims[0] = batch
    if given is not None:
        if len(given) != len(declared):
            raise UsageError(
                f"--shape {name}: {len(given)} dimensions given, {path} declares {text}; give all of them."
            )
        for index, (dim, wanted) in enumerate(zip(declared, given, strict=True)):
            if dim is not None and dim != wanted:
                raise UsageError(f"--shape {name}: dimension {index} is {dim} in {path} ({text}), not {wanted}.")
            if dims[index] is None:
                dims[index] = wanted
    if None in dims:
        raise UsageError(
            f"{path}: input {name!r} is declared {text}; give its unknown dimensions with"
            f" --shape {name}:{'x'.join('N' if d is None else str(d) for d in dims)}."
        )
    if declared and declared[0] not in (None, batch):
        raise UsageError(
            f"{path}: input {name!r} has the fixed batch {declared[0]}; use --bs {declared[0]},"
            " or export the model with a free batch dimension."
        )
    return tuple(int(d) for d in dims if d is not None)


def _random_feeds(specs: Sequence[TensorSpec], seed: int) -> dict[str, Array]:
    return {
        spec.name: random_tensor(spec.shape, spec.dtype, seed=seed * 1000 + index) for index, spec in enumerate(specs)
    }


def _reference_engine() -> str:
    try:
        import onnxruntime
    except ImportError:
        return "onnx's reference evaluator"
    return f"ONNX Runtime {onnxruntime.__version__} without graph optimisations"


def _reference_outputs(path: Path, proto: Any, feeds: dict[str, Array]) -> tuple[dict[str, Array], str]:
    """Outputs by name, and who computed them: ONNX Runtime with optimisations off, else onnx's slow evaluator."""
    names = [value.name for value in proto.graph.output]
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        results = ReferenceEvaluator(str(path)).run(names, feeds)
    else:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            results = session.run(names, feeds)
        except Exception as error:  # ONNX Runtime's exceptions share no importable base class
            first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
            raise UsageError(f"{path} does not run on random inputs ({first}); check the model and --shape.") from None
    return dict(zip(names, (np.asarray(result) for result in results), strict=True)), _reference_engine()
