"""Device tensors: every call of PyTorch's that one of them takes part in comes by here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

#: The world that device tensors belong to; there is one at a time.
WORLD: list[Any] = []
_MAKERS = frozenset({"zeros", "ones", "empty", "full", "to"})


class DeviceTensor(torch.Tensor):
    """A tensor that is said to lie on a CUDA device. `index` is the device's number."""

    index: int

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return WORLD[0].call(func, args, kwargs or {})


class Factories(TorchFunctionMode):
    """New tensors on a device or in pinned memory, and tensors that are brought to a device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        place = _cuda_device([*args, *kwargs.values()])
        if name not in _MAKERS or (place is None and not kwargs.get("pin_memory")):
            return func(*args, **kwargs)
        if kwargs.pop("pin_memory", False):
            return WORLD[0].pinned(func(*args, **kwargs))
        args = tuple(None if arg is place else arg for arg in args)
        kwargs = {name: None if arg is place else arg for name, arg in kwargs.items()}
        index = place.index or 0
        if name == "to":
            return WORLD[0].bring(args[0], index, args[1:], kwargs)
        return WORLD[0].made(func(*args, **kwargs), index)


def _cuda_device(given: Sequence[Any]) -> torch.device | None:
    return next((arg for arg in given if isinstance(arg, torch.device) and arg.type == "cuda"), None)


def tensors_in(given: Any) -> Iterator[torch.Tensor]:
    """All tensors in arguments or results, however deep."""
    if isinstance(given, torch.Tensor):
        yield given
    elif isinstance(given, Mapping):
        yield from tensors_in(list(given.values()))
    elif isinstance(given, (list, tuple)):
        for part in given:
            yield from tensors_in(part)


def as_device(given: Any, index: int) -> Any:
    """The results of a call as device tensors."""
    if isinstance(given, DeviceTensor):
        given.index = index
        return given
    if isinstance(given, torch.Tensor):
        made = given.as_subclass(DeviceTensor)
        made.index = index
        return made
    if type(given) in (list, tuple):
        return type(given)(as_device(part, index) for part in given)
    return given
