"""Under which conditions cells were measured, and what two sides do not share."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from reports.fingerprint import commits, differences, fingerprint
from reports.matching import match
from reports.records import Git, Run, Telemetry
from tests.reports.samples import cell, header
from tests.reports.stored.made import run_of

BASE = run_of("a", cell("pytorch", 1, 10.0))


def differing(new: Run) -> list[tuple[str | None, str]]:
    (pair,) = match([BASE], [new]).matches
    same = fingerprint(pair.base.taken) == fingerprint(pair.new.taken)
    found = differences(pair)
    assert same == all(one.kind is None for one in found), "the fingerprint and the differences say the same"
    return [(one.kind, str(one)) for one in found]


def header_with(**changes: Any) -> Any:
    made = header()
    assert made.host is not None
    assert made.conditions is not None
    host = {key: value for key, value in changes.items() if hasattr(made.host, key)}
    rest = {key: value for key, value in changes.items() if key not in host}
    return {"host": replace(made.host, **host), "conditions": replace(made.conditions, **rest)}


def test_equal_conditions_differ_in_nothing() -> None:
    assert differing(run_of("b", cell("pytorch", 1, 10.0))) == []


@pytest.mark.parametrize(
    ("cell_changes", "run_changes", "told"),
    [
        ({}, header_with(name="other"), ("host", "host: other against lab")),
        ({}, header_with(cpu="New CPU"), ("host", "CPU: New CPU against Some CPU")),
        ({}, header_with(logical_cpus=8), ("host", "CPUs usable: 8 (2 cores) against 4 (2 cores)")),
        ({}, header_with(governor="performance"), ("settings", "frequency governor: performance against powersave")),
        ({}, header_with(thread_settings={"OMP_NUM_THREADS": "1"}),
         ("settings", "OMP_NUM_THREADS: 1 against not recorded")),
        ({}, {"packages": {"numpy": "2.1.0"}}, (None, "package numpy: 2.1.0 against 2.0.0")),
        ({}, header_with(os="Linux 7"), (None, "operating system: Linux 7 against Linux")),
        ({"session": {"threads": "1"}}, {}, ("runtime", "threads: 1 against 2")),
        ({"session": {"threads": "2", "torch": "3"}}, {}, ("runtime", "torch: 3 against not recorded")),
        ({"clock": "device-events"}, {}, ("clock", "clock: device-events against host")),
        ({"telemetry": Telemetry(driver="550.1")}, {}, ("driver", "driver: 550.1 against not recorded")),
        ({"chips": 4}, {}, ("host", "chips of the card: 4 against 1")),
    ],
)  # fmt: skip
def test_every_condition_is_told_with_its_kind(
    cell_changes: dict[str, Any], run_changes: dict[str, Any], told: tuple[str | None, str]
) -> None:
    assert differing(run_of("b", cell("pytorch", 1, 10.0, **cell_changes), **run_changes)) == [told]


def test_the_model_and_the_inputs_are_conditions() -> None:
    made = cell("pytorch", 1, 10.0)
    new = replace(made, identity=replace(made.identity, model_sha256="1" * 64, inputs_sha256="2" * 64))
    assert [kind for kind, _ in differing(run_of("b", new))] == ["model", "inputs"]


def test_a_side_that_is_mixed_in_itself_differs_even_from_an_equal_mixture() -> None:
    mixed = [
        run_of(name, cell("pytorch", 1, 10.0), **header_with(name=host)) for name, host in (("a", "x"), ("b", "y"))
    ]
    again = [replace(run, run=replace(run.run, id=run.run.id * 2)) for run in mixed]
    (pair,) = match(mixed, again).matches
    assert [str(one) for one in differences(pair)] == ["host: x, y against x, y"]


def test_what_the_harness_left_in_a_session_is_no_condition() -> None:
    late = cell("pytorch", 1, 10.0, session={"threads": "2", "aftermath": "it had to be killed"})
    assert differing(run_of("b", late)) == []


def test_kinds_can_be_left_out_of_the_fingerprint() -> None:
    (pair,) = match([BASE], [run_of("b", cell("pytorch", 1, 10.0), **header_with(name="other"))]).matches
    assert fingerprint(pair.base.taken, ["host"]) == fingerprint(pair.new.taken, ["host"])


def test_commits_are_told_once_with_uncommitted_changes() -> None:
    clean, dirty = Git(commit="1" * 40, dirty=False), Git(commit="2" * 40, dirty=True)
    runs = [header(git=git) for git in (clean, dirty, clean, None)]
    assert commits(runs) == "111111111111, 222222222222 with uncommitted changes"
    assert commits([header()]) == "not recorded"
