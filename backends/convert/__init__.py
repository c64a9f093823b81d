"""From ONNX to what a runtime loads: Ascend's .om (atc) and TensorRT's engines (trtexec), one static batch a file.

An .om can also be made for several batch sizes; `om` reads what is known of such a file.

The vendors' own tools do the work, as child processes; nothing of a vendor is imported. What they made is kept in
one cache and found again by the model's content, the settings, the tool's version and the card.
"""

from __future__ import annotations

from backends.convert.cache import ArtifactCache, Cached
from backends.convert.graph import Graph, read_graph
from backends.convert.tool import Conversion, ToolMissing, shell_text

__all__ = ["ArtifactCache", "Cached", "Conversion", "Graph", "ToolMissing", "read_graph", "shell_text"]
