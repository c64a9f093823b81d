"""The cache of built artifacts: found by its whole key, built once, never half-written, never believed unchecked."""

from __future__ import annotations

import errno
import fcntl
import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.base import ConversionError
from backends.convert import ArtifactCache

KEY = {"onnx": "a" * 64, "batch": "4", "tool": "atc 1"}


class Builder:
    """Writes its text and counts."""

    def __init__(self, text: str = "built") -> None:
        self.text, self.count = text, 0

    def __call__(self, path: Path) -> dict[str, str]:
        assert list(path.parent.iterdir()) == [], "a build starts in an empty folder"
        self.count += 1
        path.write_text(f"{self.text} {self.count}")
        return {"platform": "linux_x86_64"}


def files(folder: Path) -> list[str]:
    """What lies there, but for locks."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.parent.name != "locks")


def test_second_time_it_is_found_with_its_facts(tmp_path: Path) -> None:
    builder = Builder()
    first = ArtifactCache(tmp_path).get(KEY, "om", builder)
    second = ArtifactCache(tmp_path).get(dict(reversed(KEY.items())), "om", builder)
    assert (first.hit, second.hit, builder.count) == (False, True, 1)
    assert first.path == second.path
    assert second.path.read_text() == "built 1"
    assert first.sha256 == second.sha256
    assert second.facts == {"platform": "linux_x86_64"}
    note = json.loads(first.path.with_name(f"{first.path.name}.json").read_text())
    assert note["key"] == KEY
    assert files(tmp_path) == [first.path.name, f"{first.path.name}.json"]


@settings(max_examples=40)
@given(
    first=st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=4),
    second=st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=4),
)
def test_two_keys_share_an_artifact_only_if_they_are_equal(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, str], second: dict[str, str]
) -> None:
    cache = ArtifactCache(tmp_path_factory.mktemp("cache"))
    builder = Builder()
    cache.get(first, "om", builder)
    assert cache.get(second, "om", builder).hit == (first == second)


@settings(max_examples=30)
@given(where=st.floats(0, 1, exclude_max=True), what=st.sampled_from(["flip", "cut", "add"]))
def test_a_damaged_artifact_is_built_again(tmp_path_factory: pytest.TempPathFactory, where: float, what: str) -> None:
    cache = ArtifactCache(tmp_path_factory.mktemp("cache"))
    builder = Builder("some bytes of a model")
    path = cache.get(KEY, "om", builder).path
    content = bytearray(path.read_bytes())
    place = int(where * len(content))
    if what == "flip":
        content[place] ^= 1
    path.write_bytes(content[:place] if what == "cut" else bytes(content) + b"x" * (what == "add"))
    again = cache.get(KEY, "om", builder)
    assert not again.hit
    assert again.path.read_text() == "some bytes of a model 2"
    assert cache.get(KEY, "om", builder).hit


@pytest.mark.parametrize("text", [None, "", "{", "[]", "null", '{"key": {}, "sha256": 3, "facts": 1}', "\xff"])
def test_without_a_sound_note_it_is_built_again(tmp_path: Path, text: str | None) -> None:
    builder = Builder()
    path = ArtifactCache(tmp_path).get(KEY, "om", builder).path
    note = path.with_name(f"{path.name}.json")
    note.unlink()
    if text is not None:
        note.write_text(text, encoding="latin-1")
    assert not ArtifactCache(tmp_path).get(KEY, "om", builder).hit
    assert ArtifactCache(tmp_path).get(KEY, "om", builder).hit


def test_a_note_of_another_key_is_not_believed(tmp_path: Path) -> None:
    builder = Builder()
    path = ArtifactCache(tmp_path).get(KEY, "om", builder).path
    note = path.with_name(f"{path.name}.json")
    note.write_text(note.read_text().replace("atc 1", "atc 2"))
    assert not ArtifactCache(tmp_path).get(KEY, "om", builder).hit


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), ConversionError("no")])
def test_a_build_that_fails_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def fail(path: Path) -> None:
        path.write_text("half of it")
        raise error

    with pytest.raises(type(error)):
        ArtifactCache(tmp_path).get(KEY, "om", fail)
    assert files(tmp_path) == []
    assert not ArtifactCache(tmp_path).get(KEY, "om", Builder()).hit


def die(folder: Path) -> None:
    def killed(path: Path) -> None:
        path.write_text("half of it")
        os.kill(os.getpid(), 9)

    ArtifactCache(folder).get(KEY, "om", killed)


def test_a_build_that_is_killed_leaves_nothing_under_the_name_and_the_next_one_clears_up(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=die, args=(tmp_path,))
    process.start()
    process.join(30)
    assert process.exitcode == -9
    assert files(tmp_path) == ["artifact.om"]
    path = ArtifactCache(tmp_path).get(KEY, "om", Builder()).path
    assert files(tmp_path) == [path.name, f"{path.name}.json"]


def build_slowly(folder: Path, answers: Path, locks: bool) -> None:
    waited: list[bool] = []

    def slow(path: Path) -> None:
        time.sleep(0.3)
        path.write_text(f"built by {os.getpid()}")

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if not locks:
        fcntl.flock = refuse  # type: ignore[assignment]
    cached = ArtifactCache(folder, waiting=lambda: waited.append(True)).get(KEY, "om", slow)
    (answers / str(os.getpid())).write_text(f"{cached.hit} {bool(waited)} {cached.path.read_text()}")


def four_at_once(tmp_path: Path, locks: bool) -> list[str]:
    answers = tmp_path / "answers"
    answers.mkdir()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=build_slowly, args=(tmp_path / "cache", answers, locks)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    return sorted(answer.read_text() for answer in answers.iterdir())


def test_of_several_at_once_one_builds_and_the_others_wait_for_it(tmp_path: Path) -> None:
    first, *others = four_at_once(tmp_path, locks=True)
    text = first.removeprefix("False False ")
    assert text.startswith("built by ")
    assert others == [f"True True {text}"] * 3


def test_where_there_are_no_locks_all_build_and_nothing_is_damaged(tmp_path: Path) -> None:
    four_at_once(tmp_path, locks=False)
    ArtifactCache(tmp_path / "cache").get(KEY, "om", Builder())
    found = ArtifactCache(tmp_path / "cache").get(KEY, "om", Builder())
    assert found.hit
    assert found.path.read_text().startswith("built ")


def test_a_full_disk_is_one_line_with_what_to_do(tmp_path: Path) -> None:
    def full(path: Path) -> None:
        path.write_text("half of it")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with pytest.raises(ConversionError, match=r"^cannot keep .*No space left on device\); free some space.*--cache\.$"):
        ArtifactCache(tmp_path).get(KEY, "om", full)
    assert files(tmp_path) == []


def test_a_source_that_cannot_be_read_is_no_matter_of_the_cache(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx.data"

    def read(path: Path) -> None:
        path.write_bytes(source.read_bytes())

    with pytest.raises(
        ConversionError, match=r"model\.onnx\.data: No such file or directory; check that file"
    ) as caught:
        ArtifactCache(tmp_path / "cache").get(KEY, "om", read)
    assert "--cache" not in str(caught.value)


def test_what_is_forgotten_is_only_what_was_found(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    found = cache.get(KEY, "om", Builder())
    found.path.write_text("built again by another")
    cache.forget(found)
    assert found.path.exists()
    again = cache.get(KEY, "om", Builder())
    assert not again.hit
    cache.forget(again)
    assert not again.path.exists()
    cache.forget(again)


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ArtifactCache(tmp_path / "file" / "cache")
    with pytest.raises(ConversionError, match=r"--cache\.$"):
        cache.get(KEY, "om", Builder())
    with pytest.raises(ConversionError, match=r"--cache\.$"):
        cache.log(KEY)
