"""Reading the tables of npu-smi: every layout, made-up tables of any width, and tables that were mangled."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.telemetry import NpuChip, NpuTable, TelemetryUnavailable, parse_info
from backends.telemetry.npu_table import NotUnderstood, NpuProcess
from tests.doubles import npu_smi

MIB = 2**20


def test_an_atlas_300i_has_four_chips_under_one_npu() -> None:
    table = parse_info(npu_smi.CARD_300I)
    assert (table.version, table.driver, table.processes) == ("20.2.2", "20.2.2", None)
    assert [(chip.npu, chip.chip, chip.device) for chip in table.chips] == [(2048, n, n) for n in range(4)]
    assert table.chip(2) == NpuChip(
        npu=2048, chip=2, device=2, name="310", health="Alarm", power_w=12.8, temperature_c=88.0, utilization=0.99,
        memory_used_bytes=2705 * MIB, memory_total_bytes=8192 * MIB, bus_id="0000:63:00.0",
    )  # fmt: skip
    assert table.chip(2048) is None


def test_only_an_exact_name_is_one_for_atc() -> None:
    tables = (npu_smi.CARD_300I, npu_smi.CARD_310P, npu_smi.BOARD_310B, npu_smi.CARD_A3)
    names = [parse_info(table).chips[0].soc_version for table in tables]
    assert names == ["Ascend310", "Ascend310P3", "Ascend310B4", ""]


def test_what_is_not_told_is_none() -> None:
    (chip,) = parse_info(npu_smi.BOARD_310).chips
    assert (chip.bus_id, chip.memory_used_bytes, chip.memory_total_bytes) == ("", None, 8192 * MIB)
    (chip,) = parse_info(npu_smi.CARD_310P).chips
    assert (chip.power_w, chip.temperature_c, chip.health) == (None, 46.0, "Warning")
    (chip,) = parse_info(npu_smi.BOARD_310B).chips
    assert (chip.power_w, chip.memory_used_bytes) == (None, 14542 * MIB)


def test_the_driver_may_be_of_another_version_than_the_tool() -> None:
    table = parse_info(npu_smi.CARD_310P)
    assert (table.version, table.driver) == ("22.0.0", "22.0.3")


def test_two_chips_behind_one_address_and_their_processes() -> None:
    table = parse_info(npu_smi.CARD_DUO)
    assert [(chip.device, chip.bus_id) for chip in table.chips] == [(0, "0000:81:00.0"), (1, "0000:81:00.0")]
    assert table.processes == (NpuProcess(5, 0, 4194301), NpuProcess(5, 1, 4194302), NpuProcess(5, 1, 4194303))


def test_hbm_is_the_memory_and_the_position_is_the_device() -> None:
    table = parse_info(npu_smi.CARD_910B)
    assert [(chip.npu, chip.device) for chip in table.chips] == [(3, 0), (5, 1)]
    assert [chip.memory_used_bytes for chip in table.chips] == [2894 * MIB, 31738 * MIB]
    assert table.processes == (NpuProcess(5, 0, 4194301),)


def test_a_second_die_without_power() -> None:
    table = parse_info(npu_smi.CARD_A3)
    assert [(chip.chip, chip.device, chip.power_w) for chip in table.chips] == [(0, 0, 170.7), (1, 1, None)]


def test_a_cell_for_the_npu_id_alone() -> None:
    table = parse_info(npu_smi.CARD_950)
    (chip,) = table.chips
    assert (chip.npu, chip.chip, chip.device, chip.name, chip.health) == (0, 0, 0, "Ascend950PR", "OK")
    assert (chip.power_w, chip.utilization, chip.memory_total_bytes) == (210.0, 0.05, 114688 * MIB)
    assert table.processes == (NpuProcess(0, 0, 4194301),)


def test_a_table_that_lists_no_chip() -> None:
    lines = npu_smi.CARD_310P.splitlines(keepends=True)
    assert parse_info("".join(lines[:6])).chips == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        npu_smi.NOT_LOADED,
        "".join(npu_smi.CARD_300I.splitlines(keepends=True)[:7]),  # ends after the first line of a chip
        npu_smi.CARD_300I.replace("Bus-Id", "Bus"),
        npu_smi.CARD_300I.replace("| 1       1 ", "| 1       0 "),
        npu_smi.CARD_300I.replace("2703 / 8192", "2703"),
    ],
)
def test_other_texts_are_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstood, match="was not understood") as caught:
        parse_info(text)
    assert isinstance(caught.value, TelemetryUnavailable)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", ["| 5       1 | unknown | python3 | 9 |", "| 5       1 |", "| | 1 | python3 | 9 |"])
def test_processes_in_an_unknown_form_cost_only_their_list(line: str) -> None:
    table = parse_info(npu_smi.CARD_DUO + line)
    assert table.processes is None
    assert table.chip(1).temperature_c == 58.0


JUNK = ("|", "| ", "9" * 5000, "nan", "NA", "\n", "| 1 | 2 | 3 |\n")
HEALTH = ("OK", "Warning", "Alarm", "Critical", "UNKNOWN")
BYTES = st.integers(1, 10**6).map(lambda count: count * MIB)


def chips(device: int) -> st.SearchStrategy[NpuChip]:
    return st.builds(
        NpuChip,
        npu=st.integers(0, 2**31),
        chip=st.integers(0, 63),
        device=st.just(device),
        name=st.from_regex(r"[A-Za-z0-9]{1,8}( [A-Z0-9]{1,4})?", fullmatch=True),
        health=st.sampled_from(HEALTH),
        power_w=st.none() | st.integers(1, 9999).map(lambda tenths: tenths / 10),
        temperature_c=st.none() | st.integers(-40, 120).map(float),
        utilization=st.none() | st.integers(0, 100).map(lambda percent: percent / 100),
        memory_used_bytes=st.none() | BYTES,
        memory_total_bytes=BYTES,
        bus_id=st.sampled_from(["", "0000:0A:00.0"]),
    )


class Pen:
    """Writes tables with columns of any width, in a layout with numbered devices or one with HBM."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.numbered = draw(st.booleans())

    def line(self, *cells: str) -> str:
        return "|" + "|".join(self.spaced("", cell, "") for cell in cells) + "|"

    def spaced(self, *words: str) -> str:
        return "".join(word + " " * self.draw(st.integers(1, 12)) for word in words[:-1]) + words[-1]

    def rule(self) -> str:
        return "+" + "-" * self.draw(st.integers(0, 80)) + "+"

    def none(self, *ways: str) -> str:
        return self.draw(st.sampled_from(ways))

    def chip(self, chip: NpuChip) -> list[str]:
        power = self.none("NA", "-", "0.0") if chip.power_w is None else f"{chip.power_w:.1f}"
        celsius = self.none("NA", "-200") if chip.temperature_c is None else f"{chip.temperature_c:.0f}"
        percent = "NA" if chip.utilization is None else f"{chip.utilization * 100:.0f}"
        used = "NA" if chip.memory_used_bytes is None else str(chip.memory_used_bytes // MIB)
        slash = self.none("/", " / ", "/ ", "     /")
        memory = f"{used}{slash}{chip.memory_total_bytes // MIB}"
        pages = [] if self.numbered and self.draw(st.booleans()) else ["15", "/", "970"]
        place = self.spaced(str(chip.chip), str(chip.device)) if self.numbered else str(chip.chip)
        memories = [memory] if self.numbered else ["0", "/", "0", memory]
        return [
            self.line(self.spaced(str(chip.npu), chip.name), chip.health, self.spaced(power, celsius, *pages)),
            self.line(place, chip.bus_id or "NA", self.spaced(percent, *memories)),
            self.rule(),
        ]

    def table(self, table: NpuTable) -> str:
        lines = [self.rule(), self.line(self.spaced(f"npu-smi {table.version}", f"Version: {table.driver}"))]
        lines += [self.line("NPU Name", "Health", "Power(W) Temp(C)")]
        lines += [self.line("Chip Device" if self.numbered else "Chip", "Bus-Id", "AICore(%) Memory-Usage(MB)")]
        lines += [line for chip in table.chips for line in self.chip(chip)]
        if table.processes is not None:
            lines += [self.line("NPU Chip", "Process id", "Process name", "Process memory(MB)")]
            lines += [
                self.line(self.spaced(str(each.npu), str(each.chip)), str(each.pid), self.none("", "python3"), "9")
                for each in table.processes
            ]
            lines += [] if table.processes else [self.line("No running processes found in NPU 0")]
        return "\n".join(lines)


@st.composite
def tables(draw: st.DrawFn) -> tuple[NpuTable, str]:
    """A table and its text."""
    version = st.from_regex(r"2[0-9]\.[0-9](\.rc[0-9]|\.[0-9]){1,2}", fullmatch=True)
    listed = tuple(draw(chips(device)) for device in range(draw(st.integers(0, 5))))
    process = st.builds(NpuProcess, st.integers(0, 2**31), st.integers(0, 63), st.integers(1, 2**22))
    running = draw(st.none() | st.lists(process, max_size=4).map(tuple))
    table = NpuTable(draw(version), draw(version), listed, running)
    return table, Pen(draw).table(table)


@given(tables())
def test_made_up_tables_are_read_as_they_were_written(made: tuple[NpuTable, str]) -> None:
    table, text = made
    assert parse_info(text) == table


@given(st.sampled_from(npu_smi.ALL), st.data())
def test_mangled_tables_raise_nothing_but_their_own_error(text: str, data: st.DataObject) -> None:
    pieces = text.splitlines(keepends=True) if data.draw(st.booleans()) else list(text)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(pieces) - 1))
        match data.draw(st.sampled_from(["drop", "repeat", "cut", "insert"])):
            case "drop" if len(pieces) > 1:
                del pieces[place]
            case "repeat":
                pieces.insert(place, pieces[place])
            case "cut":
                pieces = pieces[: place + 1]
            case "insert":
                pieces.insert(place, data.draw(st.text(max_size=5) | st.sampled_from(JUNK)))
    with contextlib.suppress(NotUnderstood):
        for chip in parse_info("".join(pieces)).chips:
            assert chip.utilization is None or 0 <= chip.utilization <= 1
            assert chip.temperature_c is None or -100 <= chip.temperature_c <= 200


@given(st.text())
def test_any_text_raises_nothing_but_their_own_error(text: str) -> None:
    with contextlib.suppress(NotUnderstood):
        parse_info(text)
    with contextlib.suppress(NotUnderstood):
        parse_info(npu_smi.CARD_300I + text)
