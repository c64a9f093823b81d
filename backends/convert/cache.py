"""Built artifacts, found again by everything that they depend on.

`<key>.<suffix>` is the artifact, `<key>.<suffix>.json` says what it was made from and the hash of its content.
Whatever does not agree with that is built again. One process builds, another that wants the same waits for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backends.base import ConversionError

#: Enough of a SHA-256 for a name that no other key has.
_NAME_DIGITS = 32

#: Writes the file that it is given, in an empty folder of its own; may return facts that only the build knows.
Build = Callable[[Path], Mapping[str, str] | None]


@dataclass(frozen=True, slots=True)
class Cached:
    """An artifact in the cache. `hit` is False if it was built just now; `facts` are what its build returned."""

    path: Path
    hit: bool
    sha256: str
    facts: Mapping[str, str] = field(default_factory=dict)


class ArtifactCache:
    """A folder of artifacts, shared by all processes; `waiting` is called when another one builds the same."""

    def __init__(self, folder: Path, waiting: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._waiting = waiting

    def get(self, key: Mapping[str, str], suffix: str, build: Build) -> Cached:
        """The artifact of that key, built if it is not there or is damaged.

        A build that fails or is killed leaves nothing under the final name. Raises ConversionError when the folder
        cannot be written or the disk is full, and whatever `build` raises.
        """
        final = self._folder / f"{_name(key)}.{suffix}"
        try:
            found = _load(final, key)
            if found is not None:
                return found
            with self._alone(final) as alone:
                if alone:
                    for left in self._folder.glob(f".tmp-{final.name}-*"):  # by builds that were killed
                        shutil.rmtree(left, ignore_errors=True)
                # Another process may have built it while this one waited.
                return _load(final, key) or self._build(final, key, build)
        except OSError as error:
            place = Path(error.filename or self._folder)
            if not place.absolute().is_relative_to(self._folder.absolute()):  # what it is built from
                raise ConversionError(f"{place}: {error.strerror or error}; check that file and try again.") from error
            raise ConversionError(
                f"cannot keep a built model in {self._folder} ({place}: {error.strerror or error}); free some space,"
                " or name another folder with --cache."
            ) from error

    def forget(self, found: Cached) -> None:
        """Take it out of the cache, unless another process has built it again meanwhile."""
        with contextlib.suppress(OSError), self._alone(found.path):
            if _sha256(found.path) == found.sha256:
                found.path.unlink()

    def log(self, key: Mapping[str, str]) -> Path:
        """Where the build of that key keeps what its tool printed; the folder exists. Raises ConversionError."""
        path = self._folder / "logs" / f"{_name(key)}.log"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConversionError(
                f"cannot make {path.parent}: {error.strerror}; name another folder with --cache."
            ) from error
        return path

    def _build(self, final: Path, key: Mapping[str, str], build: Build) -> Cached:
        temporary = Path(tempfile.mkdtemp(prefix=f".tmp-{final.name}-", dir=self._folder))
        try:
            built = temporary / f"artifact{final.suffix}"
            facts = dict(build(built) or {})
            digest = _sha256(built)
            note = temporary / "note.json"
            note.write_text(
                json.dumps({"key": dict(key), "sha256": digest, "facts": facts}, indent=1, sort_keys=True) + "\n",
                encoding="utf-8",
            )
            # In this order a kill in between leaves an artifact whose note does not fit: it is built again.
            built.replace(final)
            note.replace(_note(final))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return Cached(final, False, digest, facts)

    @contextlib.contextmanager
    def _alone(self, final: Path) -> Iterator[bool]:
        """Hold the lock of one artifact; False where the file system has no locks.

        The kernel lets go of a lock when its holder dies, so it is never stale.
        """
        lock = self._folder / "locks" / final.name
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            locked = True
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._waiting()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError:
                locked = False  # then both build, and what does not fit together is built again
            yield locked
        finally:
            os.close(descriptor)


def _name(key: Mapping[str, str]) -> str:
    """A name for the key that does not depend on the order of its fields."""
    text = json.dumps(dict(key), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_NAME_DIGITS]


def _note(final: Path) -> Path:
    return final.with_name(f"{final.name}.json")


def _load(final: Path, key: Mapping[str, str]) -> Cached | None:
    """The artifact if it is what its note says, else None."""
    try:
        note = json.loads(_note(final).read_text(encoding="utf-8"))
        if note["key"] != dict(key) or note["sha256"] != _sha256(final):
            return None
        return Cached(final, True, note["sha256"], {str(name): str(value) for name, value in note["facts"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
