"""Networks and the parser that fills them."""

from __future__ import annotations

from typing import Any

from tests.doubles.tensorrt import model
from tests.doubles.tensorrt.machine import Owned, call


class Dims(tuple):  # type: ignore[type-arg]
    """A shape, as the bindings give it."""


class TensorView(Owned):
    """An input or output of a network."""

    what = "tensor of a network"

    def __init__(self, network: Network, tensor: model.Tensor) -> None:
        super().__init__(network)
        self.name = tensor.name
        self.shape = Dims(tensor.shape)
        self.dtype = self.machine.enums["DataType"][tensor.dtype]
        self.is_shape_tensor = tensor.on_host


class Network(Owned):
    """A network definition. With implicit batch (8.6 without its flag) no .onnx file can be parsed into it."""

    what = "network"
    tensor_class: type[TensorView]

    def __init__(self, builder: Owned, flags: int) -> None:
        super().__init__(builder)
        self.flags = flags
        self.content: Any = None
        self.inputs: list[model.Tensor] = []
        self.outputs: list[model.Tensor] = []

    @property
    def num_inputs(self) -> int:
        return len(self.inputs)

    @property
    def num_outputs(self) -> int:
        return len(self.outputs)

    def get_input(self, index: int) -> TensorView:
        return self.tensor_class(self, self.inputs[index])

    def get_output(self, index: int) -> TensorView:
        return self.tensor_class(self, self.outputs[index])


class ParserError:
    """What is wrong with a file; 8.6 tells no names of nodes."""

    def __init__(self, code: Any, text: str, node: int = -1, name: str = "", operator: str = "") -> None:
        self._code, self._text, self._node, self._name, self._operator = code, text, node, name, operator

    def code(self) -> Any:
        return self._code

    def desc(self) -> str:
        return self._text

    def node(self) -> int:
        return self._node

    def node_name(self) -> str:
        return self._name

    def node_operator(self) -> str:
        return self._operator

    def file(self) -> str:
        return "onnxOpCheckers.cpp"

    def line(self) -> int:
        return 998

    def func(self) -> str:
        return "checkFallbackPluginImporter"


class Parser(Owned):
    """Reads .onnx files."""

    what = "parser"
    logger_class: type
    error_class: type[ParserError]

    @call("OnnxParser")
    def __init__(self, network: Network, logger: Any) -> None:
        self.machine.take_logger(logger, self.logger_class)
        if not isinstance(network, Network):
            raise TypeError("__init__(): incompatible constructor arguments")
        super().__init__(network)
        self._network = network
        self._errors: list[ParserError] = []
        native = 0 if self.machine.config.generation == "8.6" else 1
        self._flags = {int(self.machine.enums["OnnxParserFlag"].NATIVE_INSTANCENORM)} if native else set()

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]

    def get_flag(self, flag: Any) -> bool:
        return int(flag) in self._flags

    def set_flag(self, flag: Any) -> None:
        self._flags.add(int(flag))

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(int(flag))

    @call("parse_from_file")
    def parse_from_file(self, path: str) -> bool:
        if not isinstance(path, str):
            raise TypeError("parse_from_file(): incompatible function arguments")
        codes = self.machine.enums["ErrorCode"]
        if self.machine.config.generation == "8.6" and not self._network.flags & 1:
            text = "This version of the ONNX parser only supports networks with an explicit batch dimension"
            return self._failed(self.error_class(codes.INVALID_GRAPH, text))
        try:
            content = model.load(path)
        except OSError as error:
            text = f"Assertion failed: Failed to open file: {error.filename or error}"
            return self._failed(self.error_class(codes.INVALID_VALUE, text))
        except ValueError as error:
            return self._failed(
                self.error_class(codes.MODEL_DESERIALIZE_FAILED, f"Failed to parse ONNX model: {error}")
            )
        except model.BadNode as error:
            text = 'creator && "Plugin not found, are the plugin name, version, and namespace correct?"'
            return self._failed(self.error_class(codes.INVALID_NODE, text, error.index, error.name, error.operator))
        self._network.content = content
        self._network.inputs, self._network.outputs = model.tensors(content, self.machine.config.generation)
        return True

    def parse(self, content: bytes, path: str | None = None) -> bool:
        """Clients parse from files: external data is looked for in the current folder otherwise."""
        self.machine.violation("parsed-from-memory", "parse(bytes) does not find external data beside the file")
        return self._failed(self.error_class(self.machine.enums["ErrorCode"].INVALID_VALUE, "Failed to open file"))

    def _failed(self, error: ParserError) -> bool:
        self._errors.append(error)
        self.machine.error(f"ModelImporter.cpp:140: While parsing node number {error.node()}: {error.desc()}")
        return False
