"""Names, aliases, options, and third parties' plug-ins, good and broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backends import registry
from backends.base import Backend, BackendUnavailable


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder on sys.path that importlib.metadata looks into."""
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._plugins.cache_clear()
    yield tmp_path
    registry._plugins.cache_clear()
    sys.modules.pop("someones_backend", None)


def install(folder: Path, code: str, name: str = "someones") -> None:
    """Lay down a distribution as pip would: a module and its entry point."""
    (folder / "someones_backend.py").write_text(code)
    info = folder / "someones_backend-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: someones-backend\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[bench.backends]\n{name} = someones_backend:SomeonesBackend\n")


@pytest.mark.parametrize(
    ("alias", "name"), [("torch", "pytorch"), ("ort", "onnxruntime"), ("ov", "openvino"), ("trt", "tensorrt")]
)
def test_aliases(alias: str, name: str) -> None:
    assert registry.canonical_name(alias) == name
    assert registry.load(alias).name == name


def test_unknown_name_has_the_near_match() -> None:
    with pytest.raises(registry.UnknownBackend, match="did you mean 'onnxruntime'"):
        registry.canonical_name("onnxrunime")


def test_all_built_in_backends_probe_without_importing_a_runtime() -> None:
    code = (
        "import sys\nfrom backends import registry\n"
        "for b in registry.load_all(): b.probe()\n"
        "print([m for m in ('torch','onnxruntime','openvino','tensorrt','acl','pycuda') if m in sys.modules])"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_plugin_is_found_and_loaded(plugin_folder: Path) -> None:
    install(
        plugin_folder,
        "from backends.openvino import OpenVinoBackend\n"
        "class SomeonesBackend(OpenVinoBackend):\n    name = 'someones'\n",
    )
    assert "someones" in registry.names()
    assert isinstance(registry.load("someones"), Backend)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import no_such_runtime_at_all\n", "no_such_runtime_at_all"),
        ("class SomeonesBackend: pass\n", "no backends.base.Backend"),
        ("class SomeonesBackend:\n    def __init__(self): raise SystemError('bad chip')\n", "bad chip"),
    ],
)
def test_a_broken_plugin_is_listed_with_its_reason_and_harms_nobody(plugin_folder: Path, code: str, words: str) -> None:
    install(plugin_folder, code)
    with pytest.raises(BackendUnavailable, match=words) as caught:
        registry.load("someones")
    assert "\n" not in str(caught.value)
    listed = registry.load_all()
    broken = [entry for entry in listed if isinstance(entry, registry.BrokenPlugin)]
    assert [entry.name for entry in broken] == ["someones"]
    assert len(listed) == len(registry.BUILT_IN) + 1


def test_a_plugin_cannot_take_a_built_in_name(plugin_folder: Path) -> None:
    install(plugin_folder, "raise SystemExit('never imported')\n", name="pytorch")
    assert registry.load("pytorch").title == "PyTorch"


def test_options_are_complete_typed_and_checked() -> None:
    backend = registry.load("onnxruntime")
    assert registry.parse_options(backend, {"threads": "2"})["threads"] == 2
    assert registry.parse_options(backend, {})["spinning"] is True
    with pytest.raises(ValueError, match="did you mean 'threads'"):
        registry.parse_options(backend, {"thread": "2"})
    with pytest.raises(ValueError, match="whole number"):
        registry.parse_options(backend, {"threads": "two"})
