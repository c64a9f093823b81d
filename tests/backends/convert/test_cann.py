"""Which version of CANN a tool belongs to, by the files that its versions have had."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.convert import cann


def tool_in(folder: Path, **files: str) -> Path:
    """<folder>/bin/atc, and files in the folder; a double underscore stands for a slash, one for a dot."""
    (folder / "bin").mkdir(parents=True)
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    atc = folder / "bin/atc"
    atc.touch()
    return atc


CONFIG = "version_dot_cfg"
INFO = "version_dot_info"


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({CONFIG: "# x\nruntime_running_version=[1:7.0.0]\ntoolkit_running_version=[1.2:8.1.RC1]\n"}, "8.1.RC1"),
        ({CONFIG: "toolkit_running_version=[7.7.T20.0.B210:8.0.RC2.alpha001],[1:2]\n"}, "8.0.RC2.alpha001"),
        ({CONFIG: "toolkit_installed_version=[1.82.22.2.220:5.0.4.1]\n"}, "5.0.4.1"),
        ({CONFIG: "runtime_running_version=[6.0.1]\n"}, "6.0.1"),
        ({CONFIG: "toolkit_running_version=\n", INFO: "Version=7.6.0.1.220\nversion_dir=8.0.0\n"}, "8.0.0"),
        ({INFO: "Version=7.6.0.1.220\ntimestamp=20240101\n"}, ""),  # a component's own, which is not CANN's
        ({INFO: "Version=9.2.0-beta.2\nversion_dir=cann\n"}, "9.2.0-beta.2"),
        ({"x86_64-linux__ascend_toolkit_install_dot_info": "package_name=Ascend\nversion=8.3.RC1\n"}, "8.3.RC1"),
        ({CONFIG: "toolkit_running_version=[1:2:3]\n"}, ""),
        ({CONFIG: "\xff\0nothing"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_the_files_of_its_versions(tmp_path: Path, files: dict[str, str], version: str) -> None:
    assert cann.version_of(tool_in(tmp_path / "latest", **files), {}) == version


@pytest.mark.parametrize("name", ["5.0.2.alpha003", "cann-5.0.2.alpha003"])
def test_the_folder_of_an_old_one_tells_it(tmp_path: Path, name: str) -> None:
    atc = tool_in(tmp_path / name)
    link = tmp_path / "bin/atc"
    link.parent.mkdir()
    link.symlink_to(atc)
    assert cann.version_of(link, {}) == "5.0.2.alpha003"


def test_a_file_beside_the_link_counts_before_one_behind_it(tmp_path: Path) -> None:
    behind = tool_in(tmp_path / "8.0.RC2")
    latest = tool_in(tmp_path / "latest", **{CONFIG: "toolkit_running_version=[1:8.0.RC3]\n"})
    latest.unlink()
    latest.symlink_to(behind)
    assert cann.version_of(latest, {}) == "8.0.RC3"


def test_the_environment_is_asked_where_the_tools_own_folders_tell_nothing(tmp_path: Path) -> None:
    atc = tool_in(tmp_path / "tools")
    tool_in(tmp_path / "home", **{CONFIG: "toolkit_running_version=[1:7.0.0]\n"})
    environment = {"ASCEND_HOME_PATH": str(tmp_path / "home"), "ASCEND_TOOLKIT_HOME": str(tmp_path / "missing")}
    assert cann.version_of(atc, environment) == cann.version_here(environment) == "7.0.0"
    assert cann.version_here({}) == ""


def test_the_compilers_note_tells_the_toolkits_version(tmp_path: Path) -> None:
    tool_in(tmp_path / "home", compiler__version_dot_info="Version=7.6.0.1.220\nversion_dir=8.0.0\n")
    assert cann.version_here({"ASCEND_TOOLKIT_HOME": str(tmp_path / "home")}) == "8.0.0"


def test_opsets_by_version() -> None:
    wide = ["7.0.0", "7.0.RC1", "8.0.RC2", "8.5.0"]
    assert [cann.opsets(each) for each in wide] == [(9, 18)] * 4
    assert [cann.opsets(each) for each in ("5.0.2", "5.1.RC2", "6.0.1")] == [(9, 13)] * 3
    assert [cann.opsets(each) for each in ("6.3.RC1", "9.0.0", "", "unknown", "4.0.1")] == [None] * 5


@given(st.text(), st.integers(0, 40))
def test_no_opset_is_refused_but_for_a_known_range(version: str, opset: int) -> None:
    refusal = cann.refused_opset(version, opset)
    known = cann.opsets(version)
    assert bool(refusal) == (known is not None and not known[0] <= opset <= known[1])
    assert known is None or not cann.refused_opset(version, cann.SAFE_OPSET)
