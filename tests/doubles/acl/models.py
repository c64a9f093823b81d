"""Loaded models, their descriptions, and the datasets that they are fed with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from tests.doubles.acl.contexts import Context
from tests.doubles.acl.engine import Engine
from tests.doubles.acl.handles import Handles
from tests.doubles.acl.om_file import Metadata, unpacked

SHAPE_DATA = "ascend_mbatch_shape_data"


@dataclass(eq=False)
class Model:
    """A model on a chip, of which it takes `charged` bytes. `batch` is the one of the last set_dynamic_batch_size."""

    handle: int
    context: Context = field(repr=False)
    engine: Engine = field(repr=False)
    charged: int
    batch: int | None = None
    what: str = "model"

    @property
    def metadata(self) -> Metadata:
        """What the file says."""
        return self.engine.metadata

    def __str__(self) -> str:
        return f"model {self.handle} on chip {self.context.chip}"


@dataclass(eq=False)
class Description:
    """What get_desc fills."""

    handle: int
    model: Model | None = None
    what: str = "description"

    def __str__(self) -> str:
        return f"model description {self.handle:#x} of {self.model or 'no model'}"


@dataclass(eq=False)
class DataBuffer:
    """An address and a size; `chip` is the one whose memory it pointed at when it was made."""

    handle: int
    address: int
    size: int
    chip: int | None
    what: str = "data buffer"

    def __str__(self) -> str:
        return f"data buffer {self.handle:#x} of {self.size} bytes at {self.address:#x}"


@dataclass(eq=False)
class Dataset:
    """Data buffers in order. `batch` is what set_dynamic_batch_size said, `marker` what it wrote."""

    handle: int
    buffers: list[DataBuffer] = field(default_factory=list)
    batch: int | None = None
    marker: bytes = b""
    what: str = "dataset"

    def __str__(self) -> str:
        return f"dataset {self.handle:#x} of {len(self.buffers)} buffers"


class Models:
    """All of them in this process."""

    def __init__(self) -> None:
        #: model ids are small numbers, the first one seen is 1
        self.handles: Handles[Model] = Handles("model", 1, 1)
        self.descriptions: Handles[Description] = Handles("description", 0x4000_0000)
        self.buffers: Handles[DataBuffer] = Handles("data-buffer", 0x5000_0000)
        self.datasets: Handles[Dataset] = Handles("dataset", 0x6000_0000)
        self._engines: dict[str, Engine] = {}

    def engine(self, content: bytes) -> Engine:
        """The engine of a file; one for all its copies. Raises BadOm."""
        key = hashlib.sha256(content).hexdigest()
        if key not in self._engines:
            self._engines[key] = Engine(*unpacked(content))
        return self._engines[key]
