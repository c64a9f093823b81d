"""A backend for the double, laid down as a third party's: the only way from the project's commands to it."""

from __future__ import annotations

from pathlib import Path

from tests.doubles.acl.config import Config
from tests.doubles.simulated import described

VARIABLE = "BENCH_ACL_DOUBLE"
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
    return described.install(folder, "acl", _CODE, {"simulated-acl": "SimulatedAcl"}, VARIABLE, config)
