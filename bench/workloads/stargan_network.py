"""StarGAN's generator exactly as published, and its weights file. Imports torch.

Source: https://github.com/yunjey/stargan (Choi et al. 2018, arXiv 1711.09020). The published network declares
InstanceNorm with running statistics but is never switched to eval mode, so it normalises every image by its own
statistics, at test time too. Here the running statistics are left out, which is the same function in either mode
and exports to InstanceNormalization instead of BatchNormalization.
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.errors import UsageError

IMAGE_SIZE = 128
ATTRIBUTES = 5

#: Buffers of the published weights that play no part when statistics are taken from the image itself.
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def _norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, affine=True, track_running_stats=False)


class ResidualBlock(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Two 3×3 convolutions with instance normalisation, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            _norm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            _norm(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual: torch.Tensor = self.main(x)
        return x + residual


class Generator(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Images (n, 3, h, w) in [-1, 1] and target attributes (n, c_dim) to images (n, 3, h, w) in [-1, 1]."""

    def __init__(self, conv_dim: int = 64, c_dim: int = ATTRIBUTES, repeat_num: int = 6) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3 + c_dim, conv_dim, 7, 1, 3, bias=False),
            _norm(conv_dim),
            nn.ReLU(inplace=True),
        ]
        width = conv_dim
        for _ in range(2):
            layers += [nn.Conv2d(width, width * 2, 4, 2, 1, bias=False), _norm(width * 2), nn.ReLU(inplace=True)]
            width *= 2
        layers += [ResidualBlock(width) for _ in range(repeat_num)]
        for _ in range(2):
            layers += [
                nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False),
                _norm(width // 2),
                nn.ReLU(inplace=True),
            ]
            width //= 2
        layers += [nn.Conv2d(width, 3, 7, 1, 3, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, real_img: torch.Tensor, attr: torch.Tensor) -> torch.Tensor:
        planes = attr.view(attr.size(0), attr.size(1), 1, 1)
        planes = planes.repeat(1, 1, real_img.size(2), real_img.size(3))
        translated: torch.Tensor = self.main(torch.cat([real_img, planes], dim=1))
        return translated


def seeded_generator(seed: int) -> Generator:
    """The generator with PyTorch's default initialisation from a fixed seed; the caller's random state is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = Generator()
    generator.eval()
    return generator


def load_generator(path: Path) -> Generator:
    """The generator with the weights of a published checkpoint (`200000-G.pth`).

    Raises UsageError when the file is missing, cut off, holds anything but a state dict, or is of another network.
    """
    state = _read_state(path)
    generator = Generator()
    generator.eval()
    wanted = generator.state_dict()
    given = {key: value for key, value in state.items() if key.rpartition(".")[2] not in _STATISTICS}
    advice = "give the weights of StarGAN's generator for 5 attributes at 128x128 (<iteration>-G.pth)."
    for key, value in wanted.items():
        if key not in given:
            raise UsageError(f"{path}: these are weights of another network ({key} is missing); {advice}")
        if tuple(given[key].shape) != tuple(value.shape):
            shapes = f"{tuple(given[key].shape)}, StarGAN's generator needs {tuple(value.shape)}"
            raise UsageError(f"{path}: {key} has shape {shapes}; {advice}")
    extra = [key for key in given if key not in wanted]
    if extra:
        raise UsageError(f"{path}: these are weights of another network ({extra[0]} is unknown to it); {advice}")
    generator.load_state_dict(given)
    return generator


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    """A checkpoint's tensors by key, without ever running code that the file may hold. Raises UsageError."""
    if not path.is_file():
        raise UsageError(f"weights file {path} does not exist; check --weights, or leave it out for seeded weights.")
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported global" in str(error) or "Unsupported class" in str(error):
            raise UsageError(
                f"{path} holds Python objects besides tensors, which are never loaded; save the generator's"
                " state_dict() with torch.save and give that file."
            ) from None
        raise UsageError(f"{path} is no PyTorch checkpoint; give a file that torch.save wrote.") from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UsageError(
            f"{path} is cut off or no PyTorch checkpoint ({reason.strip()}); copy the file again."
        ) from None
    if not isinstance(loaded, dict) or not loaded or not all(isinstance(v, torch.Tensor) for v in loaded.values()):
        raise UsageError(
            f"{path} holds no state dict (names to tensors) but {type(loaded).__name__};"
            " save the generator's state_dict() with torch.save and give that file."
        )
    return {str(key): value for key, value in loaded.items()}


def sha256_of_weights(generator: Generator) -> str:
    """Hex digest over names, shapes and values of all weights; equal weights give an equal digest on any machine."""
    digest = hashlib.sha256()
    for key, tensor in generator.state_dict().items():
        digest.update(f"{key}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
