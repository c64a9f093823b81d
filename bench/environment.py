"""What a reader must know of the machine and the checkout to repeat a run."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from backends.host import cpu_name, physical_cores, usable_cpus
from backends.telemetry import host_conditions
from reports.records import BusyProcess, Conditions, Git, Host

#: Distributions whose versions can change a figure.
PACKAGES = (
    "torch", "onnx", "onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt", "tensorrt-rtx-cu13-libs", "pycuda",
    "cuda-bindings",
    "numpy", "scipy", "psutil", "nvidia-ml-py", "pillow", "scikit-image", "inference-bench",
)  # fmt: skip


def describe_host() -> Host:
    """This machine, as far as this process may use it."""
    return Host(
        name=socket.gethostname(),
        os=platform.platform(),
        cpu=cpu_name(),
        logical_cpus=len(usable_cpus()),
        physical_cores=physical_cores(),
        memory_bytes=_memory_bytes(),
        python=platform.python_version(),
    )


def describe_conditions() -> Conditions:
    """The state this machine is in now; looks at its processes for a quarter of a second."""
    fields = asdict(host_conditions())
    busy = [BusyProcess(**process) for process in fields.pop("busy_processes")]
    return Conditions(**fields, busy_processes=busy)


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def package_versions() -> dict[str, str]:
    """Versions of those of PACKAGES that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_state() -> Git | None:
    """Commit of this checkout and whether files differ from it; None outside a git checkout."""
    root = Path(__file__).resolve().parents[1]

    def git(*arguments: str) -> str:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
        return result.stdout.strip()

    try:
        # A checkout that merely lies inside somebody's other repository is not ours.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return None
        return Git(commit=git("rev-parse", "HEAD"), dirty=bool(git("status", "--porcelain", "--untracked-files=no")))
    except (OSError, subprocess.SubprocessError):
        return None
