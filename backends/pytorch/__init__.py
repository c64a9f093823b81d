"""PyTorch: eager, by `torch.compile` or as a CUDA graph, on the CPU and on CUDA."""

from backends.pytorch.backend import PyTorchBackend

__all__ = ["PyTorchBackend"]
