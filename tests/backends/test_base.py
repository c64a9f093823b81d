"""The protocol's own rules."""

from __future__ import annotations

import numpy as np
import pytest

from backends.base import Device, DeviceError, ModelMismatch, OptionSpec, Precision, Scope, SessionClosed, check_feeds
from backends.conformance import ConformanceError, check_closes, check_inputs_matter, check_refuses
from reports import records
from tests.doubles.virtual import SPEC, VirtualClock, VirtualSession, feeds


def test_device_names_round_trip() -> None:
    for text in ("cpu", "cuda:0", "npu:3"):
        assert str(Device.parse(text)) == text
    assert Device.parse("cuda") == Device("cuda", 0)


def test_a_third_partys_kind_of_device_is_a_device() -> None:
    assert Device.parse("tpu:1") == Device("tpu", 1)
    assert Device.parse(str(Device("cpu", 1))) == Device("cpu", 1)


@pytest.mark.parametrize("text", ["", "cuda:", "cuda:x", "CPU", "cuda:-1", "1"])
def test_other_device_names_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write cpu"):
        Device.parse(text)


def test_feeds_are_checked_by_name_shape_and_dtype() -> None:
    good = np.zeros(SPEC.shape, SPEC.dtype)
    check_feeds((SPEC,), {"x": good})
    for wrong, words in (
        ({}, "'x' is missing"),
        ({"x": good[:1]}, "expected x 4x2 float32, given x 1x2 float32"),
        ({"x": good.astype(np.float64)}, "given x 4x2 float64"),
        ({"x": good, "z": good}, "no input 'z'"),
    ):
        with pytest.raises(ModelMismatch, match=words):
            check_feeds((SPEC,), wrong)


def test_session_is_closed_once_and_for_all() -> None:
    session = VirtualSession(VirtualClock())
    with session:
        session.enqueue()
    with pytest.raises(SessionClosed):
        session.enqueue()
    check_closes(session, feeds()[0])


def test_session_closes_after_an_error() -> None:
    session = VirtualSession(VirtualClock())
    with pytest.raises(RuntimeError, match="boom"), session:
        raise RuntimeError("boom")
    with pytest.raises(SessionClosed):
        session.synchronize()


class _BadEnd(VirtualSession):
    def _close(self) -> None:
        raise DeviceError("the chip is gone; look for it.")


def test_an_error_while_closing_does_not_hide_the_one_before_it() -> None:
    with pytest.raises(RuntimeError, match="boom"), _BadEnd(VirtualClock()):
        raise RuntimeError("boom")
    with pytest.raises(DeviceError, match="the chip is gone"), _BadEnd(VirtualClock()):
        pass


def test_kit_accepts_a_good_session_and_names_stale_outputs() -> None:
    good = VirtualSession(VirtualClock())
    check_inputs_matter(good, *feeds(2))
    check_refuses(good, feeds()[0])

    class Stale(VirtualSession):
        """Answers every question with its first answer."""

        def _copy_inputs(self, feeds: object) -> None:
            pass

    with pytest.raises(ConformanceError, match="same outputs"):
        check_inputs_matter(Stale(VirtualClock()), *feeds(2))


def test_kit_names_outputs_that_are_views() -> None:
    class View(VirtualSession):
        """Hands out its own buffer."""

        def enqueue(self) -> None:
            self._y[:] = self._x + 1

        def copy_outputs(self) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
            return {"y": self._y}

    with pytest.raises(ConformanceError, match="must return copies"):
        check_inputs_matter(View(VirtualClock()), *feeds(2))


def test_options_parse_to_the_type_of_their_default() -> None:
    assert OptionSpec("threads", 0, "").parse("3") == 3
    assert OptionSpec("spin", True, "").parse("off") is False
    assert OptionSpec("mode", "a", "", ("a", "b")).parse("b") == "b"
    for spec, text in ((OptionSpec("threads", 0, ""), "-1"), (OptionSpec("spin", True, ""), "maybe"),
                       (OptionSpec("mode", "a", "", ("a", "b")), "c")):  # fmt: skip
        with pytest.raises(ValueError, match="write"):
            spec.parse(text)


def test_names_on_the_wire_are_the_names_of_the_protocol() -> None:
    assert set(records.PrecisionName.__args__) == {p.value for p in Precision}  # type: ignore[attr-defined]
    assert set(records.ScopeName.__args__) == {s.value for s in Scope}  # type: ignore[attr-defined]
