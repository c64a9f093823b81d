"""How figures are written down: with as many digits as they have, and never with an exponent."""

from __future__ import annotations

from reports.groups import Figure, Group

#: Above it `g` would write an exponent.
_AS_STATED = 1e6


def significant(value: float, digits: int = 4) -> str:
    """A number with so many significant digits: 7.080, 42.00, 12346."""
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return f"{value:.{max(0, digits - 1 - exponent)}f}"


def percent(share: float) -> str:
    """Four digits, as people print ratios of cards: 98.79%, 101.4%."""
    return f"{significant(100 * share)}%"


def half_width(share: float) -> str:
    """Half the width of an interval as a share of its middle: `1.2%`, `0.04%`."""
    return f"{share:.1%}" if share == 0 or share >= 0.00095 else f"{share:.2%}"


def fps_digits(group: Group, value: float) -> str:
    """Four digits of what was measured; as many as its source has of what is stated, or derived from stated times."""
    if group.first.fps_basis == "stated":
        return f"{value:.7g}" if value < _AS_STATED else f"{value:.0f}"
    return significant(value, 4 if any(cell.latency for cell in group.counted) else 6)


def times(group: Group, figure: Figure) -> str:
    """`×5`, or `×4 of 5` where a verdict went against one of the invocations alone."""
    of = f" of {figure.invocations + group.left_out}" if group.left_out else ""
    return f"×{figure.invocations}{of}"
