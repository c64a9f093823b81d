"""Types of command line arguments: what is not one gets a line that says what to write."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from bench.errors import ExitCode
from bench.phases import PHASES


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        print(f"bench: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(ExitCode.USAGE)


def _number(text: str) -> int:
    """A whole number in the digits 0 to 9; 0 for anything else, and for what is too big to be meant."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _whole(words: str, divisor: int = 1) -> Callable[[str], int]:
    """The type of an option that takes positive multiples of `divisor`; `words` say so, and what to write."""

    def convert(text: str) -> int:
        number = _number(text)
        if number == 0 or number % divisor:
            raise argparse.ArgumentTypeError(f"{text!r} is no {words}")
        return number

    return convert


batch = _whole("batch size; write whole numbers from 1, such as 1 4 8 16")
streams = _whole("number of streams; write 1, 2, 4 or the like")
pairs = _whole("number of pairs; write an even number such as 12", divisor=2)
invocations = _whole("number of invocations; write a whole number such as 5")
opset = _whole("opset; write a whole number such as 11")
images = _whole("number of images; write a whole number from 1")
_some_chips = _whole("number of chips; write all, or a whole number from 1")


def chips(text: str) -> int:
    """0 stands for all."""
    return 0 if text == "all" else _some_chips(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:  # NaN fails this too
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write seconds above 0, such as 20")
    return value


def patience(text: str) -> float:
    return 0.0 if text == "0" else seconds(text)


def phase_limit(text: str) -> tuple[str, float]:
    name, equals, limit = text.partition("=")
    phase = name.replace("-", " ")
    if not equals or phase not in PHASES:
        known = ", ".join(phase.replace(" ", "-") for phase in PHASES)
        raise argparse.ArgumentTypeError(f"{text!r} is no limit; write PHASE=SECONDS with a phase of {known}")
    return phase, seconds(limit)


def shape(text: str) -> tuple[str, list[int]]:
    name, colon, dims = text.rpartition(":")
    shape = [_number(part) for part in dims.lower().split("x")]
    if not colon or not name or not all(shape):
        raise argparse.ArgumentTypeError(f"{text!r} is no shape; write NAME:1x3x224x224")
    return name, shape


def setting(text: str) -> tuple[str, str]:
    """An environment variable with its value."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} sets no variable; write KEY=VALUE")
    return name, value


def percent(text: str) -> float:
    """A share from per cent: `1`, `0.5` or `3%`."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage; write a number such as 1 or 0.5")
    return value / 100


def level(text: str) -> float:
    """A share of false alarms."""
    value = percent(text)
    if not 0 < value < 0.5:
        raise argparse.ArgumentTypeError(f"{text!r} is no share of false alarms; write per cent above 0, such as 1")
    return value


def samples(text: str) -> int:
    """A count of samples."""
    if not (text.isascii() and text.isdecimal() and len(text) < 7 and int(text) > 1):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of samples; write a whole number such as 100")
    return int(text)
