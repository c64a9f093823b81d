"""PyTorch's CUDA where there is none: device tensors are CPU tensors in truth, and CUDA's rules are kept.

The calls of torch.cuda that the backend makes, by their documentation and by torch 2.13's own Python files. Arithmetic
is done at once, so that it is right if the order of the calls is; what is not yet there for the host is garbage until
the host has waited. Time is virtual. Work that is not ordered by a stream, or by streams that wait for each other, is a
breach.
"""

from tests.doubles.torch_cuda.config import Config
from tests.doubles.torch_cuda.world import World

__all__ = ["Config", "World"]
