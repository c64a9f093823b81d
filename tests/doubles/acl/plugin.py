"""A backend for the double, laid down as a third party's: the only way from the project's commands to it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.doubles.acl.config import Config, write

VARIABLE = "BENCH_ACL_DOUBLE"
_ROOT = Path(__file__).parents[3]
_CODE = """
from backends.acl import AclBackend


class SimulatedAcl(AclBackend):
    name = "simulated-acl"
    title = "Ascend ACL (test double)"
    simulated = True

    def _missing(self):
        return ""

    def _library(self):
        from tests.doubles.acl import load

        return load()
"""


def install(folder: Path, config: Config) -> dict[str, str]:
    """Lay the backend `simulated-acl` and the machine's description down in `folder`.

    Returns the variables of the environment with which a process finds both: PYTHONPATH and BENCH_ACL_DOUBLE.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench_simulated_acl.py").write_text(_CODE)
    info = folder / "bench_simulated_acl-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-simulated-acl\nVersion: 1.0\n")
    entry = "[bench.backends]\nsimulated-acl = bench_simulated_acl:SimulatedAcl\n"
    (info / "entry_points.txt").write_text(entry)
    described = write(folder / "acl-double.json", config)
    before = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    return {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(folder), str(_ROOT), *before])),
        VARIABLE: str(described),
    }
