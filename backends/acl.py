"""Ascend ACL (.om models through pyACL, CANN's module `acl`): recognised and explained, not yet able to run."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from backends import host
from backends.base import (
    Artifact,
    Availability,
    Backend,
    BackendUnavailable,
    Capabilities,
    Device,
    Model,
    OptionValue,
    Precision,
    Session,
)

_NOT_YET = "this version recognises CANN but cannot run .om models yet; use another backend."


class AclBackend(Backend):
    """Probes for CANN. `prepare` and `open` refuse, and `probe` says so, until .om models can be run."""

    name = "acl"
    title = "Ascend ACL"

    def probe(self) -> Availability:
        unrelated = host.package_version("pyacl", "pylibacl")
        cann = os.environ.get("ASCEND_TOOLKIT_HOME") or os.environ.get("ASCEND_HOME_PATH")
        if not host.installed("acl") or _is_python_package("acl"):
            reason = (
                "CANN's Python module acl was not found: CANN is not installed, or its set_env.sh was not sourced;"
                " run 'source <CANN>/set_env.sh' (PyPI's package pyacl is an unrelated library and does not help)."
            )
            if unrelated:
                reason = f"PyPI's pyacl {unrelated} is installed, a library of access-control lists; {reason}"
            return Availability(False, reason)
        return Availability(False, _NOT_YET, versions={"CANN": cann or "unknown"})

    def capabilities(self, device: Device) -> Capabilities:
        return Capabilities(precisions=frozenset())

    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        raise BackendUnavailable(f"backend 'acl': {self.probe().reason}")

    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        raise BackendUnavailable(f"backend 'acl': {self.probe().reason}")


def _is_python_package(module: str) -> bool:
    """CANN's acl is a compiled extension, alone or in a folder of its own; a plain .py `acl` is another project."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return spec is None
    origin = Path(spec.origin)
    return origin.suffix == ".py" and not list(origin.parent.glob("acl*.so"))
