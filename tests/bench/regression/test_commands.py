"""A side by a command: run files found and read, cells matched, faults told."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.errors import UsageError
from bench.regression.commands import Command, CommandSide, match_cells
from reports import store
from reports.matching import CellKey
from reports.records import CellRecord
from reports.regression import Missing
from tests.bench.regression.recorded import write_runs
from tests.reports import samples


def command(text: str, limit_s: float = 60.0) -> Command:
    return Command("base", text, limit_s)


def reason(text: str, limit_s: float = 60.0) -> str:
    found = command(text, limit_s).run()
    assert isinstance(found, Missing)
    return found.reason


def test_a_command_must_say_where_its_run_file_goes() -> None:
    with pytest.raises(UsageError, match=r"--base-cmd 'make bench' does not say .* write \{out\}"):
        command("make bench")


def test_every_run_has_a_fresh_folder_that_the_shell_reads_as_one_word(tmp_path: Path) -> None:
    for _ in range(2):
        assert "no run file" in reason(f"echo {{out}} >> {tmp_path}/places; test ! -e {{out}}")
    first, second = (tmp_path / "places").read_text().split()
    assert first != second
    assert not Path(first).exists()


def test_why_there_is_no_run_file_is_told_in_a_line() -> None:
    assert reason("echo no such model >&2; exit 3 # {out}") == (
        "its command left no run file in {out}; it ended with exit status 3: no such model"
    )
    assert (
        reason("mkdir {out}; touch {out}/a.jsonl {out}/b.jsonl") == "its command left more than one run file in {out}"
    )
    damaged = reason("mkdir {out}; echo nonsense > {out}/run.jsonl")
    assert damaged.startswith("its command left no readable run file: {out}/run.jsonl, line 1: no run file")


def test_a_command_that_takes_too_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    told = reason(f"sleep 1000 & echo $! > {tmp_path}/pid; wait # {{out}}", limit_s=0.5)
    assert told.endswith("it did not end within 0.5 s and was killed (see --cmd-timeout)")
    assert not _alive(int((tmp_path / "pid").read_text()))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_run_file_may_have_any_name(tmp_path: Path) -> None:
    text = write_runs(tmp_path / "base", [[samples.cell("ort", 1, 10.0)]])
    found = command(f"{text} && mv {{out}}/run.jsonl {{out}}/mine.jsonl").run()
    assert not isinstance(found, Missing)
    assert found[0].cells[0].identity.backend == "ort"


def side(tmp_path: Path, runs: list[list[CellRecord]]) -> CommandSide:
    made = CommandSide(command(write_runs(tmp_path / "base", runs)), tmp_path / "base.jsonl", lambda _: None)
    keys = made.discover()
    made.name_rows({key.label: key for key in keys})
    return made


def test_the_first_run_is_not_wasted_and_every_invocation_is_kept(tmp_path: Path) -> None:
    runs = [[samples.cell("ort", 1, 10.0 + n), samples.cell("ov", 1, 20.0 + n)] for n in range(3)]
    made = side(tmp_path, runs)
    for n in range(3):
        found = made.invoke(["ort", "ov"])
        assert found == {"ort": runs[n][0], "ov": runs[n][1]} or n  # later ones are equal but for the figures
        assert isinstance(found["ort"], CellRecord)
        assert found["ort"].latency is not None
        assert found["ort"].latency.median_ms == pytest.approx(10.0 + n, rel=0.01)
    made.close()
    kept = store.read(tmp_path / "base.jsonl")
    assert [(cell.identity.backend, cell.invocation) for cell in kept.cells] == [
        (name, n) for n in range(3) for name in ("ort", "ov")
    ]


def test_several_invocations_within_a_command_count_as_one(tmp_path: Path) -> None:
    cells = [replace(samples.cell("ort", 1, latency), invocation=n) for n, latency in enumerate((10.0, 40.0))]
    made = side(tmp_path, [cells])
    found = made.invoke(["ort"])["ort"]
    assert isinstance(found, CellRecord)
    assert found.latency is not None
    assert found.latency.median_ms == pytest.approx(20.0, rel=0.01)
    made.close()
    assert [cell.invocation for cell in store.read(tmp_path / "base.jsonl").cells] == [0, 1]


def test_what_a_later_run_lacks_is_missing(tmp_path: Path) -> None:
    both = [samples.cell("ort", 1, 10.0), samples.cell("ov", 1, 20.0)]
    made = side(tmp_path, [both, both[:1]])
    made.invoke(["ort", "ov"])
    found = made.invoke(["ort", "ov"])
    assert isinstance(found["ort"], CellRecord)
    assert found["ov"] == Missing("its run file does not hold this cell")
    # There is no third run: the command itself fails.
    assert "no run file" in str(made.invoke(["ort"])["ort"])


def test_a_command_that_fails_twice_at_first_is_refused(tmp_path: Path) -> None:
    said: list[str] = []
    made = CommandSide(command("exit 7 # {out}"), tmp_path / "base.jsonl", said.append)
    with pytest.raises(UsageError, match=r"--base-cmd failed twice: .* exit status 7\.$"):
        made.discover()
    assert len(said) == 1
    assert not (tmp_path / "base.jsonl").exists()


def key(label: str, batch: int = 1, precision: str = "fp32", scope: str = "compute", card: str = "Some CPU") -> CellKey:
    return CellKey(workload="w", scope=scope, card=card, device="cpu", label=label, precision=precision, batch=batch)


def names(base: list[CellKey], new: list[CellKey]) -> list[tuple[str, bool]]:
    """Row names, and whether both sides are there."""
    return [(name, bool(theirs and mine)) for name, theirs, mine in match_cells(base, new)]


def test_equal_cells_are_rows() -> None:
    assert names([key("ort"), key("ort", 4)], [key("ort", 4), key("ort")]) == [
        ("ort bs1 fp32", True),
        ("ort bs4 fp32", True),
    ]


def test_what_is_left_is_matched_without_options_then_without_backend() -> None:
    assert names([key("ort:threads=1"), key("ov")], [key("ort:threads=2"), key("ov")]) == [
        ("ort:threads=1 → ort:threads=2 bs1 fp32", True), ("ov bs1 fp32", True),
    ]  # fmt: skip
    assert names([key("ort")], [key("ov")]) == [("ort → ov bs1 fp32", True)]


def test_doubtful_partners_are_none() -> None:
    options = [key("ort:threads=2"), key("ort:threads=3")]
    assert names([key("ort:threads=1")], options) == [
        ("ort:threads=1 bs1 fp32", False), ("ort:threads=2 bs1 fp32", False), ("ort:threads=3 bs1 fp32", False),
    ]  # fmt: skip
    assert not any(both for _, both in names(options, [key("ort:threads=1")]))
    assert names([key("ort")], [key("ort", 4)]) == [("ort bs1 fp32", False), ("ort bs4 fp32", False)]
    assert not any(both for _, both in names([key("ort", precision="fp16")], [key("ort")]))


def test_several_cards_are_told_apart_by_name() -> None:
    found = names([key("ort"), key("ort", card="T4")], [key("ort"), key("ort", card="T4", scope="end-to-end")])
    assert found == [
        ("ort bs1 fp32 w on Some CPU (cpu)", True),
        ("ort bs1 fp32 w on T4 (cpu)", False),
        ("ort bs1 fp32 end-to-end w on T4 (cpu)", False),
    ]
