"""Calls that are made to fail, and clients that cope: what a fault prevented is nobody's leak."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.doubles import acl as double
from tests.doubles.acl.surface import FUNCTIONS
from tests.doubles.acl_scene import finish, leaks, machine, model_file, rules, session
from tests.doubles.careful_acl_client import Failed, Session

OOM = 207001
RELEASES = sorted(name for name, function in FUNCTIONS.items() if function.releases)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_can_be_made_to_fail_in_its_own_form(name: str) -> None:
    api = (FUNCTIONS[name].only or ("both",))[0]
    acl = double.build(double.Config(api=api, faults=(double.Fault(call=name, code=4242, message="so be it"),)))
    group, _, last = name.rpartition(".")
    function = getattr(getattr(acl, group) if group else acl, last)
    kinds = {"str": "", "bytes": b"", "tuple[int, ...]": (1,), "Any": np.zeros(1)}
    annotations = list(FUNCTIONS[name].body.__annotations__.items())[1:-1]
    result = function(*(kinds.get(kind, 0) for _, kind in annotations))
    parts = result if isinstance(result, tuple) else (result,)
    if FUNCTIONS[name].fails is not double.surface.RET and 4242 not in parts:
        assert result in (0, "", b"", None, -1) or result == (0, None)
    else:
        assert parts[-1] == 4242
    if name != "get_recent_err_msg":
        assert "so be it" in acl.get_recent_err_msg()


def test_only_the_call_that_was_named_fails() -> None:
    acl = machine(faults=(double.Fault(call="rt.malloc", nth=3, code=OOM),))
    acl.rt.set_device(0)
    assert [acl.rt.malloc(64, 0)[1] for _ in range(5)] == [0, 0, OOM, 0, 0]
    assert rules(acl) == []


def test_every_call_fails_where_no_number_is_given() -> None:
    acl = machine(faults=(double.Fault(call="rt.malloc", code=OOM),))
    acl.rt.set_device(0)
    assert [acl.rt.malloc(64, 0) for _ in range(3)] == [(0, OOM)] * 3


def test_a_fault_of_one_chip_spares_the_others() -> None:
    faults = (double.Fault(call="rt.set_device", chip=2, code=507033), double.Fault(call="rt.malloc", chip=1, nth=2))
    acl = machine(faults=faults)
    assert [acl.rt.set_device(chip) for chip in (0, 1, 2, 3)] == [0, 0, 507033, 0]
    acl.rt.malloc(64, 0)
    acl.rt.set_device(1)
    assert [acl.rt.malloc(64, 0)[1] for _ in range(3)] == [0, 500000, 0]


def test_a_call_that_is_made_to_fail_does_nothing(tmp_path: Path) -> None:
    opened = session(tmp_path, faults=(double.Fault(call="mdl.execute_async", nth=2, code=507011),))
    opened.run()
    before = opened.acl.state.device.at(opened.outputs[0].on_device).content.read(0, 4)
    with pytest.raises(Failed, match="507011"):
        opened.run()
    assert opened.acl.state.device.at(opened.outputs[0].on_device).content.read(0, 4) == before
    opened.run()
    finish(opened)


def test_work_whose_synchronise_failed_is_over_and_has_no_results(tmp_path: Path) -> None:
    opened = session(tmp_path, faults=(double.Fault(call="rt.synchronize_stream", nth=1, code=507011),))
    fresh = opened.results()["y"]
    with pytest.raises(Failed, match="507011"):
        opened.run()
    np.testing.assert_array_equal(opened.results()["y"], fresh)
    finish(opened)
    assert rules(opened.acl) == []


def test_after_a_timeout_there_is_no_right_order_left_to_keep(tmp_path: Path) -> None:
    opened = session(tmp_path, faults=(double.Fault(call="rt.synchronize_stream", code=507046),))
    with pytest.raises(Failed, match="507046"):
        opened.run()
    finish(opened)
    assert rules(opened.acl) == []


def test_an_event_that_is_made_to_fail_ends_the_work_before_it(tmp_path: Path) -> None:
    opened = session(tmp_path, faults=(double.Fault(call="rt.synchronize_event", code=507011),))
    event, _ = opened.acl.rt.create_event()
    opened.start()
    opened.acl.rt.record_event(event, opened.stream)
    assert opened.acl.rt.synchronize_event(event) == 507011
    opened.acl.rt.destroy_event(event)
    finish(opened)


def close_as_well_as_it_goes(opened: Session, again: bool) -> None:
    """Release all, and go on where a release fails, after a second try or not."""
    acl = opened.acl

    def release(call: Callable[..., int], *arguments: int) -> None:
        if call(*arguments) != 0 and again:
            call(*arguments)

    for tensor in (*opened.inputs, *opened.outputs):
        release(acl.destroy_data_buffer, tensor.buffer)
        release(acl.rt.free, tensor.on_device)
        release(acl.rt.free_host, tensor.pinned)
    for dataset in (opened.input_set, opened.output_set):
        release(acl.mdl.destroy_dataset, dataset)
    release(acl.mdl.destroy_desc, opened.description)
    release(acl.mdl.unload, opened.model)
    release(acl.rt.destroy_stream, opened.stream)
    release(acl.rt.destroy_context, opened.context)
    release(acl.rt.reset_device, 0)
    release(acl.finalize)


@pytest.mark.parametrize("name", RELEASES)
@pytest.mark.parametrize("again", [False, True], ids=["once", "tried again"])
def test_what_a_failing_release_left_is_not_the_clients_leak(tmp_path: Path, name: str, again: bool) -> None:
    opened = session(tmp_path, faults=(double.Fault(call=name, code=507899),))
    opened.run()
    close_as_well_as_it_goes(opened, again)
    assert rules(opened.acl) == []
    assert leaks(opened.acl) == []


def test_outputs_can_be_made_not_a_number(tmp_path: Path) -> None:
    opened = session(tmp_path, faults=(double.Fault(call="mdl.execute_async", nth=2, effect="nan"),))
    opened.run()
    assert np.isfinite(opened.results()["y"]).all()
    opened.run()
    assert np.isnan(opened.results()["y"]).all()
    opened.run()
    assert np.isfinite(opened.results()["y"]).all()
    finish(opened)


def test_an_execution_can_be_made_slow(tmp_path: Path) -> None:
    clock = double.Virtual()
    opened = session(tmp_path, clock, faults=(double.Fault(call="mdl.execute_async", nth=2, effect="sleep:0.5"),))
    opened.run()
    assert clock.at == 20_000_000
    opened.start()
    assert clock.at == 20_000_000
    opened.wait()
    assert clock.at == 540_000_000


def test_another_call_can_be_made_slow() -> None:
    clock = double.Virtual()
    acl = machine(clock, faults=(double.Fault(call="rt.set_device", effect="sleep:1.5"),))
    assert acl.rt.set_device(0) == 0
    assert clock.at == 1_500_000_000


def child(folder: Path, code: str, fault: double.Fault) -> subprocess.Popen[str]:
    """A client in a process of its own, which prints a line before the call that goes wrong."""
    environment = double.install(folder, double.Config(faults=(fault,)))
    code = f"from tests.doubles.acl import load\nacl = load()\nacl.init()\nprint('here', flush=True)\n{code}"
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    )


def test_a_call_can_hang_until_the_process_is_killed(tmp_path: Path) -> None:
    with child(
        tmp_path, "acl.rt.set_device(0); print('after')", double.Fault(call="rt.set_device", effect="hang")
    ) as p:
        assert p.stdout is not None
        assert p.stdout.readline() == "here\n"
        p.kill()
        assert p.stdout.read() == ""
        assert p.wait() == -9


def test_a_call_can_take_the_process_down(tmp_path: Path) -> None:
    with child(tmp_path, "acl.rt.set_device(0)", double.Fault(call="rt.set_device", effect="exit")) as process:
        assert process.wait() == -11


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"call": "rt.set_device", "effect": "explode"}, "none of"),
        ({"call": "rt.set_device", "effect": "sleep:"}, "sleep:SECONDS"),
        ({"call": "rt.set_device", "effect": "nan"}, "for executions"),
        ({"call": "rt.set_device", "code": 0}, "success"),
        ({"call": "rt.set_device", "nth": 0}, "number 1"),
    ],
)
def test_faults_that_make_no_sense_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        double.Fault(**fields)


def test_names_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rt\.mallock"):
        double.build(double.Config(faults=(double.Fault(call="rt.mallock"),)))
    with pytest.raises(ValueError, match="get_latest"):
        double.build(double.Config(without=("get_latest",)))


def test_a_description_survives_its_file(tmp_path: Path) -> None:
    config = double.Config(soc="Ascend310P3", base_ms=1.5, faults=(double.Fault(call="init", nth=2),), api="old")
    assert double.read(double.write(tmp_path / "machine.json", config)) == config


@pytest.mark.parametrize("text", ['{"chip": 4}', '{"faults": [{"call": "init", "code": 0}]}', "{", '{"api": "odd"}'])
def test_a_description_that_is_wrong_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "machine.json").write_text(text)
    with pytest.raises(ValueError, match=r"machine\.json"):
        double.read(tmp_path / "machine.json")


def test_a_model_that_finds_no_room(tmp_path: Path) -> None:
    acl = machine(memory_bytes=1000)
    acl.rt.set_device(0)
    assert acl.mdl.load_from_file(str(model_file(tmp_path))) == (0, OOM)
    acl.rt.reset_device(0)
    acl.finalize()
    assert double.faults_found(acl.state.journal.entries) == []
