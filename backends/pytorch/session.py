"""A module on a device, with input tensors that stay where they are. As it is, for the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np

from backends.base import Array, Artifact, Device, DeviceError, Feeds, ModelMismatch, OptionValue, Session, TensorSpec
from backends.pytorch.arithmetic import apply_switches, executed, half_type, in_words, under_autocast
from backends.pytorch.failures import first_line


class TorchSession(Session):
    """Static input tensors on the device; the output tensor is PyTorch's own, newly made by each call."""

    #: Calls until nothing is left to be compiled, chosen or captured.
    warm_up_calls = 1
    #: what torch.compile needs beside PyTorch
    _compiler = "a C++ compiler"

    def __init__(self, torch: Any, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> None:
        self._torch = torch
        model = artifact.model
        self.inputs, self.outputs = model.inputs, model.outputs
        self.precision = executed(torch, artifact.precision, device)
        self._place: Any = torch.device(str(device))
        self._settings = apply_switches(torch, artifact.precision, device, options)
        autocast = bool(options["autocast"])
        if autocast or device.kind == "cuda":  # elsewhere there is one way, and stored runs do not tell it
            self._settings["arithmetic"] = in_words(self.precision, autocast)
        half = half_type(torch, self.precision)
        #: what the module's weights and floating inputs are kept in; None for as they are
        self._dtype = None if autocast else half
        self._memory_format = torch.channels_last if options["channels_last"] else torch.contiguous_format
        if model.torch_module is None:
            raise ModelMismatch(f"{model.name} has no PyTorch module; prepare the artifact with this backend.")
        module = model.torch_module().eval().to(self._place)
        if self._dtype is not None:
            module = module.to(self._dtype)
        module = module.to(memory_format=self._memory_format)
        self._mode = str(options["compile"])
        self._module: Any = module if self._mode == "off" else torch.compile(module, mode=self._mode, dynamic=False)
        if autocast:
            self._module = under_autocast(torch, self._module, self._place.type, half)
        self._static_inputs = [self._static(spec) for spec in self.inputs]
        self.device, self.fallback = placement(module, self._static_inputs)
        self._result: tuple[Any, ...] = ()
        if self._mode != "off":
            self._compile()

    def _static(self, spec: TensorSpec) -> Any:
        """The tensor that the module reads: in the type and the order of memory that it computes in."""
        dtype = self._own_dtype(spec)
        if self._dtype is not None and dtype.is_floating_point:
            dtype = self._dtype
        tensor = self._torch.zeros(spec.shape, dtype=dtype, device=self._place)
        return tensor.to(memory_format=self._memory_format) if tensor.dim() == 4 else tensor

    def _own_dtype(self, spec: TensorSpec) -> Any:
        """PyTorch's type for the numpy type that the host has."""
        return self._torch.from_numpy(np.empty(0, spec.dtype)).dtype

    def _compile(self) -> None:
        """Compile now, so that the time counts as loading; the first calls do it."""
        try:
            for _ in range(self.warm_up_calls):
                TorchSession.enqueue(self)  # its errors as they are
            self.synchronize()
        except DeviceError:
            raise
        except Exception as error:  # the compiler's errors have no common base
            raise self._not_compiled(error) from error

    def _not_compiled(self, error: Exception) -> DeviceError:
        return DeviceError(
            f"torch.compile(mode={self._mode!r}) failed: {type(error).__name__}: {first_line(error)};"
            f" {self._compiler} must be installed, or use pytorch:compile=off."
        )

    def _copy_inputs(self, feeds: Feeds) -> None:
        for spec, tensor in zip(self.inputs, self._static_inputs, strict=True):
            tensor.copy_(self._torch.from_numpy(np.ascontiguousarray(feeds[spec.name])))

    def enqueue(self) -> None:
        with self._torch.inference_mode():
            result = self._module(*self._static_inputs)
        self._result = result if isinstance(result, tuple) else (result,)

    def synchronize(self) -> None:
        pass  # on the CPU, PyTorch returns when the work is done

    def copy_outputs(self) -> dict[str, Array]:
        outputs: dict[str, Array] = {}
        for spec, tensor in zip(self.outputs, self._results(), strict=True):
            wide = tensor.float() if tensor.dtype in (self._torch.bfloat16, self._torch.float16) else tensor
            outputs[spec.name] = np.array(wide.numpy(), dtype=spec.dtype, order="C", copy=True)
        return outputs

    def _results(self) -> tuple[Any, ...]:
        """The tensors of the last call. Raises DeviceError before the first."""
        if not self._result:
            raise DeviceError("no outputs yet: call enqueue and synchronize before copy_outputs.")
        return self._result

    def describe(self) -> dict[str, str]:
        return {"torch": str(self._torch.__version__), "compile": self._mode, **self._settings}

    def _close(self) -> None:
        self._result = ()
        self._static_inputs.clear()
        self._module = None


def placement(module: Any, inputs: list[Any]) -> tuple[Device, str]:
    """Device of the input tensors, and in words which of the module's tensors lie elsewhere."""
    place = inputs[0].device
    elsewhere = {str(t.device) for t in chain(inputs, module.parameters(), module.buffers()) if t.device != place}
    fallback = f"tensors of the module lie on {', '.join(sorted(elsewhere))}" if elsewhere else ""
    return Device(place.type, place.index or 0), fallback
