"""The vendor's module behind one rule: no failure goes unread, and TensorRT's own words are quoted.

Nearly all of its calls report failure by what they return: False, None or a negative index.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from backends.base import BackendError, BackendUnavailable, ConversionError, DeviceError
from backends.tensorrt.advice import advice_on
from backends.tensorrt.messages import Messages, make_logger, plain
from backends.tensorrt.products import Product

_QUOTED = 2


def load_module(product: Product) -> ModuleType:
    """The module. Raises BackendUnavailable when it is not there or does not load.

    Ask the driver before: without one, what the module makes may end the process when it is used.
    """
    for name in product.modules:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise BackendUnavailable(_does_not_load(product, name, error)) from None
        except Exception as error:  # a library of its own that does not load, in whichever way
            raise BackendUnavailable(_does_not_load(product, name, error)) from None
    raise BackendUnavailable(f"{product.title} is not installed; {product.install}.")


def _does_not_load(product: Product, name: str, error: Exception) -> str:
    return (
        f"import {name} failed ({' '.join(str(error).split())}); its libraries and its bindings must be of one version"
        f" and one CUDA: {product.install}."
    )


class Library:
    """The module, and what it has said. `module` is looked at by name, since names differ between 8.6, 10 and 11."""

    def __init__(self, module: Any, product: Product) -> None:
        self.module = module
        self.product = product
        self.messages = Messages()
        #: whether TensorRT's own plugins were found; many models do without
        self.plugins = False
        self._logger: Any = None

    @property
    def version(self) -> str:
        """As major.minor.patch and often a build number; a plan is bound to it."""
        return str(getattr(self.module, "__version__", "unknown"))

    @property
    def title(self) -> str:
        return f"{self.product.title} {self.version}"

    @property
    def logger(self) -> Any:
        """The one of this process: TensorRT keeps the first that it is given."""
        if self._logger is None:
            self._logger = self.make("ILogger", lambda: make_logger(self.module, self.messages))
            self.plugins = self._load_plugins()
        return self._logger

    def has_flag(self, name: str) -> bool:
        """Whether the builder has that flag; on 11 a network's own types say what it computes in."""
        return hasattr(self.module.BuilderFlag, name)

    @property
    def native_norm(self) -> bool:
        """Whether InstanceNormalization becomes a layer of its own by default; the plugin of 8.6 is another kernel."""
        major = self.version.partition(".")[0]
        return not major.isdecimal() or int(major) >= 10 or not self.has_flag("FP16")

    def make(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """The object that a call gives. Raises ConversionError where it gives none."""
        found, error = self._attempt(ConversionError, name, function, arguments)
        if error is not None:
            # A traceback would keep what this frame holds: objects that must be gone before CUDA is.
            del function, arguments
            raise error
        return found

    def get(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """The same, with DeviceError."""
        found, error = self._attempt(DeviceError, name, function, arguments)
        if error is not None:
            del function, arguments
            raise error
        return found

    def failure(self, error: type[BackendError], name: str, since: int = 0, thrown: str = "") -> BackendError:
        """The error of a call that failed: what TensorRT said of it since a mark, and what to do."""
        said = [*filter(None, [plain(thrown)]), *self.messages.errors(since)]
        more = f"; and {len(said) - _QUOTED} more" if len(said) > _QUOTED else ""
        text = ("; ".join(said[:_QUOTED]) + more).rstrip(".") or "it gave no reason"
        return error(f"{self.title}: {name} failed: {text}; {advice_on(*said)}.")

    def _attempt(
        self, kind: type[BackendError], name: str, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> tuple[Any, BackendError | None]:
        """What the call gives, or its error."""
        since = self.messages.mark()
        found, thrown = None, ""
        try:
            found = function(*arguments)
        except Exception as error:  # the bindings raise TypeError, RuntimeError or whatever C++ threw
            thrown = str(error) or type(error).__name__
        failed = thrown or found is None or found is False
        return found, self.failure(kind, name, since, thrown) if failed else None

    def _load_plugins(self) -> bool:
        """Register the plugins that its parser needs for some operators."""
        try:
            return bool(self.module.init_libnvinfer_plugins(self._logger, ""))
        except Exception:  # a build without the plugins' library
            return False


_LIBRARIES: dict[int, Library] = {}


def library_of(module: Any, product: Product) -> Library:
    """This process's one for that module."""
    return _LIBRARIES.setdefault(id(module), Library(module, product))
