"""Which provider each node was given to, and in words what does not run where it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backends.base import BackendUnavailable
from backends.onnxruntime.providers import CPU, CUDA, TENSORRT, Settings

#: Switches the record on; versions that do not know the key leave it alone.
RECORD = "session.record_ep_graph_assignment_info"
_PLACES = {CPU: "on the CPU", CUDA: "on CUDA", TENSORRT: "in TensorRT"}
#: Operators that are named; more are counted.
_NAMED = 6


@dataclass(frozen=True, slots=True)
class Placement:
    """Nodes by provider and operator, as they were shared out; later they may be joined. None: not told."""

    counts: Mapping[str, Counter[str]] | None = field(default=None)

    @property
    def summary(self) -> str:
        """As `CUDAExecutionProvider 34, CPUExecutionProvider 2`."""
        if self.counts is None:
            return "not told by this version of ONNX Runtime"
        return ", ".join(f"{name} {found.total()}" for name, found in self.counts.items()) or "no nodes"

    def check(self, settings: Settings) -> None:
        """Raises BackendUnavailable where the provider that was asked for got nothing at all."""
        if self.counts and not self.counts.get(settings.provider):
            real = ", ".join(_PLACES.get(name, f"by {name}") for name in self.counts)
            raise BackendUnavailable(
                f"{settings.provider} took no node of this model: all of it would run {real}; use another provider"
                " (onnxruntime:provider=...)."
            )

    def fallback(self, settings: Settings) -> str:
        """What runs elsewhere than asked, in words; empty if nothing does."""
        if self.counts is not None:
            total = sum(found.total() for found in self.counts.values())
            return "; ".join(
                f"{found.total()} of {total} nodes run {_PLACES.get(name, f'by {name}')} ({_operators(found)})"
                for name, found in self.counts.items()
                if name != settings.provider and found
            )
        if settings.tensorrt:
            return "which nodes TensorRT leaves to CUDA is not told by this version of ONNX Runtime"
        return "nodes that CUDA lacks may run on the CPU (cpu_nodes=true)" if settings.cpu_nodes else ""


def placement_of(session: Any) -> Placement:
    """What the session recorded; older versions have no record."""
    ask = getattr(session, "get_provider_graph_assignment_info", None)
    if ask is None:
        return Placement()
    counts: dict[str, Counter[str]] = {}
    try:
        for part in ask():
            counts.setdefault(str(part.ep_name), Counter()).update(str(node.op_type) for node in part.get_nodes())
    except Exception:  # ONNX Runtime's exceptions share no importable base class
        return Placement()
    return Placement(counts)


def _operators(found: Counter[str]) -> str:
    names = [name for name, _ in found.most_common()]
    more = f" and {len(names) - _NAMED} other kinds" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
