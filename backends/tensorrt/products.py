"""The two libraries that this backend drives by one code: TensorRT, and TensorRT for RTX, which is another product."""

from __future__ import annotations

from dataclasses import dataclass

from backends import host


@dataclass(frozen=True, slots=True)
class Product:
    """`name` is the backend's. `modules` are the import names and `packages` the distributions, best first.

    `keeps_timings`: what the builder measured can be kept in a timing cache. `install` is a clause.
    """

    name: str
    title: str
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    keeps_timings: bool
    install: str


TENSORRT = Product(
    name="tensorrt",
    title="TensorRT",
    modules=("tensorrt",),
    packages=("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-cu13-bindings", "tensorrt-cu12-bindings",
              "tensorrt-bindings"),
    keeps_timings=True,
    install="its wheels come from NVIDIA's own package index, not from the public one: follow NVIDIA's TensorRT"
    " installation guide for your driver's CUDA (tensorrt-cu13, or tensorrt-cu12)",
)  # fmt: skip
RTX = Product(
    name="tensorrt-rtx",
    title="TensorRT for RTX",
    modules=("tensorrt_rtx", "tensorrt_rtx_bindings"),
    packages=("tensorrt-rtx", "tensorrt-rtx-cu13", "tensorrt-rtx-cu12", "tensorrt-rtx-cu13-bindings",
              "tensorrt-rtx-cu12-bindings"),
    keeps_timings=False,  # its functions for that do nothing since 1.2
    install="pip install tensorrt-rtx-cu13-libs tensorrt-rtx-cu13-bindings (drivers of CUDA 12: cu12)",
)  # fmt: skip

#: First word of the distributions that tell which CUDA a library was built for, and the driver that this needs.
DRIVERS = {13: 580, 12: 535}


def built_for(product: Product) -> int | None:
    """Major version of CUDA that the installed library was built for, by its packages' names; None where none tells."""
    present = [name for name in product.packages if host.package_version(name)]
    return next((major for name in present for major in DRIVERS if f"-cu{major}" in name), None)
