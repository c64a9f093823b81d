"""Whatever happens to a file on its way here: encodings, noise around it, cut, doubled and damaged lines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.importers import LogError, Tool, ToolLog, read_log
from tests.reports.importers import logs


def told(tmp_path: Path, tool: Tool, text: str | bytes) -> ToolLog:
    path = tmp_path / "tool.log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_log(tool, path)


def read_or_refused(tool: Tool, path: Path) -> ToolLog | str:
    """The log, or the line that refuses it; whatever else is raised is a fault of the importer."""
    try:
        return read_log(tool, path)
    except LogError as error:
        return str(error)


WHOLE: list[tuple[Tool, str]] = [
    ("msame", logs.MSAME_FOLDER), ("msame", logs.MSAME_GUIDE), ("ais_bench", logs.AIS_TEXT),
    ("ais_bench", logs.AIS_JSON), ("trtexec", logs.TRT_7), ("trtexec", logs.TRT_8), ("trtexec", logs.TRT_11),
    ("trtexec", logs.TRT_TIMES_8), ("trtexec", logs.TRT_TIMES_7), ("trtexec", logs.TRT_ENGINE),
    ("trtexec", logs.TRT_IMPLICIT), ("msame", logs.MSAME_DEBUG), ("ais_bench", logs.AIS_DEVICES),
    ("ais_bench", logs.AIS_OLDEST),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "text"), WHOLE)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_and_line_ends_change_nothing(tmp_path: Path, tool: Tool, text: str, encoding: str) -> None:
    expected = told(tmp_path, tool, text)
    assert told(tmp_path, tool, text.replace("\n", "\r\n").encode(encoding)) == expected
    assert told(tmp_path, tool, text.replace("\n", "\r")) == expected


@pytest.mark.parametrize(
    ("tool", "text"), [(tool, text) for tool, text in WHOLE if not text.lstrip().startswith(("{", "[\n", "[{"))]
)
def test_noise_around_changes_nothing(tmp_path: Path, tool: Tool, text: str) -> None:
    noise = "".join(
        f"2021-11-10 07:45:57 epoch {n} \x1b[31mloss\x1b[0m {n / 7:.4f} mean: {n} ms\n" for n in range(5000)
    )
    assert told(tmp_path, tool, noise + text + noise).stated == told(tmp_path, tool, text).stated


@settings(max_examples=300)
@given(st.data())
def test_mutated_logs_give_sound_figures_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    tool, text = data.draw(st.sampled_from(WHOLE))
    reader = data.draw(st.sampled_from([tool, tool, tool, "msame", "ais_bench", "trtexec"]))
    lines = text.splitlines(keepends=True)
    for _ in range(data.draw(st.integers(0, 5))):
        place = data.draw(st.integers(0, max(0, len(lines) - 1)))
        match data.draw(st.sampled_from(["drop", "repeat", "swap", "cut", "word", "junk"])):
            case "drop":
                del lines[place : place + 1]
            case "repeat":
                lines[place:place] = lines[place : place + 1]
            case "swap":
                lines = lines[place:] + lines[:place]
            case "cut" if lines:
                lines[place] = lines[place][: data.draw(st.integers(0, len(lines[place])))]
            case "word" if lines:
                word = data.draw(st.sampled_from(["nan", "-1", "1e999", "", "9" * 400, "x", "0x1", "١٢", "[", "="]))
                words = lines[place].split(" ")
                words[data.draw(st.integers(0, len(words) - 1))] = word
                lines[place] = " ".join(words)
            case _:
                lines.insert(place, data.draw(st.text(max_size=30)) + "\n")
    content = "".join(lines).encode(data.draw(st.sampled_from(["utf-8", "utf-16", "utf-16-le"])), "surrogatepass")
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    path = tmp_path_factory.mktemp("mutated") / "tool.log"
    path.write_bytes(content)
    log = read_or_refused(reader, path)
    if isinstance(log, str):
        assert "\n" not in log
        assert str(path) in log
        return
    stated = log.stated
    figures = [stated.mean_ms, stated.median_ms, stated.min_ms, stated.max_ms, stated.fps, stated.mean_without_first_ms]
    values = [*log.samples_ms, *stated.percentiles_ms.values(), *(value for value in figures if value is not None)]
    assert values
    assert all(math.isfinite(value) and value > 0 for value in values)
    assert log.batch is None or log.batch > 0
