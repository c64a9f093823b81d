"""Letters of every script in plots, as far as this machine has a font for them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

#: Fonts with Chinese letters that systems bring along; those that are there stand in where matplotlib's own lacks one.
_MORE = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "SimHei", "PingFang SC", "Heiti SC", "Droid Sans Fallback",
)  # fmt: skip


@contextlib.contextmanager
def every_script() -> Iterator[None]:
    """While figures are made and written: other fonts help out, and a letter that none has is drawn as a box.

    matplotlib would warn of every such letter in every plot, on the user's terminal.
    """
    import matplotlib
    from matplotlib import font_manager

    there = set(font_manager.get_font_names())
    family = [*matplotlib.rcParams["font.sans-serif"][:1], *(name for name in _MORE if name in there)]
    with warnings.catch_warnings(), matplotlib.rc_context({"font.family": family}):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
