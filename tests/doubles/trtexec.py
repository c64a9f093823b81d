"""A command `trtexec` that keeps the documented rules of NVIDIA's tool, by version, and can misbehave.

Order and wording of the texts: trtexec.cpp and sampleOptions.cpp of NVIDIA/TensorRT, and users' transcripts. Every
engine differs from the one before, as real ones do.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tests.doubles.atc import read_model

ROOT = Path(__file__).parents[2]
_STAMP = "[11/23/2026-10:00:00] "
_ALWAYS = ("--onnx", "--saveEngine", "--minShapes", "--optShapes", "--maxShapes", "--shapes", "--help")


def say(text: object) -> None:
    """One line of the tool, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def install(folder: Path, version: int = 8601, then: str = "", seconds: float = 0.0) -> Path:
    """Write an executable `trtexec` into `folder`; returns it, for PATH. `version` as its banner prints it.

    `then` is one of no GPU, parse, no file, no library, out of memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "trtexec"
    behaviour = {"version": version, "then": then, "seconds": seconds}
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.doubles.trtexec import main\n"
        f"sys.exit(main({str(folder)!r}, sys.argv[1:], **{behaviour!r}))\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return folder


def calls(folder: Path) -> list[str]:
    """Command lines that engines were built with."""
    log = folder / "calls"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def options(version: int) -> set[str]:
    """What that version understands."""
    found = set(_ALWAYS)
    if version >= 7100:
        found.add("--noTF32")
    if version < 110000:
        found.add("--fp16")
    if version >= 8600:
        found.add("--skipInference")
    return found


def main(folder: str, arguments: list[str], version: int, then: str, seconds: float) -> int:
    if then == "no library":
        say("trtexec: error while loading shared libraries: libnvinfer.so.8: cannot open shared object file")
        return 127
    title = "TensorRT.trtexec" + (f" [TensorRT v{version}]" if version >= 8000 else "")
    title += " [b72]" if version >= 100300 else ""
    say(f"&&&& RUNNING {title} # trtexec {' '.join(arguments)}")
    if arguments == ["--help"]:
        say("=== Model Options ===\n" + "\n".join(f"  {name}   Explanation" for name in sorted(options(version))))
        return 0
    with (Path(folder) / "calls").open("a", encoding="utf-8") as file:
        file.write(" ".join(arguments) + f" CUDA_DEVICE_ORDER={os.environ.get('CUDA_DEVICE_ORDER')}\n")
    time.sleep(seconds)
    given = dict(argument.partition("=")[::2] for argument in arguments)
    errors = [f"[E] Unknown option: {name} {given[name]}" for name in given if name not in options(version)]
    errors = errors or _errors(given, then)
    for line in errors:
        say(_STAMP + line if line.startswith("[E]") else line)
    if errors:
        say(f"&&&& FAILED {title} # trtexec")
        return 1
    if then != "no file":
        Path(given["--saveEngine"]).write_bytes(b"engine " + os.urandom(16))
    say(f"&&&& PASSED {title} # trtexec")
    return 0


def _errors(given: dict[str, str], then: str) -> list[str]:
    if then == "no GPU":
        return ["[E] [TRT] 6: [checkMacros.cpp::catchCudaError::203] Error Code 6: API Usage Error (CUDA initialization"
                " failure with error: 35)", "[E] Builder creation failed", "[E] Engine set up failed"]  # fmt: skip
    if then == "out of memory":
        return ["[E] Error[1]: [defaultAllocator.cpp::allocate::20] Error Code 1: Cuda Runtime (out of memory)"]
    if then == "parse":
        return [
            '[E] [TRT] ModelImporter.cpp:726: While parsing node number 0 [Foo -> "c"]:',
            "[E] [TRT] ModelImporter.cpp:727: --- Begin node ---",
            "[E] [TRT] ModelImporter.cpp:732: ERROR: builtin_op_importers.cpp:5428 In function importFallbackPlugin:",
            '[8] Assertion failed: creator && "Plugin not found, are the plugin name, version, and namespace correct?"',
            "[E] Failed to parse onnx file",
        ]
    model = read_model(Path(given["--onnx"]))
    inputs = {value.name: value for value in model.graph.input}
    dynamic = any(dim.WhichOneof("value") != "dim_value" for value in inputs.values()
                  for dim in value.type.tensor_type.shape.dim)  # fmt: skip
    bounds = [given.get(f"--{bound}Shapes", "") for bound in ("min", "opt", "max")]
    if not dynamic:
        static = (
            "[E] Static model does not take explicit shapes since the shape of inference tensors will be determined"
        )
        return [f"{static} by the model itself"] if any(bounds) else []
    if not all(bounds):
        return ["[E] Error[4]: Network has dynamic or shape inputs, but no optimization profile has been defined."]
    for part in bounds[0].split(","):
        name = part.rpartition(":")[0]
        if name not in inputs:
            return [f'[E] Cannot find input tensor with name "{name}" in the network inputs! Please make sure the input'
                    " tensor names are correct."]  # fmt: skip
    return []
