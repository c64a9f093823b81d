"""The .om for one batch size: named by the user, found in a folder, or built by atc where CANN has it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backends.base import Artifact, BackendUnavailable, Model, ModelMismatch, Precision, require_onnx
from backends.convert import ArtifactCache, ToolMissing, atc, om, read_graph

#: What atc is told for a precision where the user does not say it; force_fp16 is its own default.
_MODES: Mapping[Precision, str] = {Precision.FP16: "", Precision.FP32: "must_keep_origin_dtype"}


def _convert(soc: str = "Ascend310", batch: int | None = None) -> str:
    """The command that makes one."""
    return f"python -m bench convert --to om --soc-version {soc}" + ("" if batch is None else f" --bs {batch}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for. `gears` are the batch sizes of a dynamic .om, None for a static one.

    `soc` gives the chip's exact name, as Ascend310, or "" where that cannot be told. `mode` is atc's
    --precision_mode, "" if the user did not say it.
    """

    model: Model
    precision: Precision
    gears: tuple[int, ...] | None
    mode: str
    soc: Callable[[], str]


def find_or_build(wish: Wish) -> Artifact:
    """Raises ModelMismatch (no such file, or not what was asked for), BackendUnavailable, ConversionError."""
    if wish.model.compiled is None:
        return _built(wish)
    path = wish.model.compiled
    return _given(wish, _in_folder(path, wish) if path.is_dir() else path)


def _in_folder(folder: Path, wish: Wish) -> Path:
    """The folder's .om for the wish, by the batch sizes in its name."""
    batch = wish.model.batch
    named = {path: om.named_batches(path) for path in sorted(folder.glob("*.om"))}
    kind = {path: batches for path, batches in named.items() if (len(batches) > 1) == (wish.gears is not None)}
    found = [path for path, batches in kind.items() if batch in batches]
    if len(found) == 1:
        return found[0]
    if found:
        raise ModelMismatch(
            f"{folder} has several .om files for batch size {batch}: {', '.join(path.name for path in found)}; name the"
            " one that is meant, or move the others away."
        )
    what = "with several batch sizes, one of them" if wish.gears is not None else "for batch size"
    name = "NAME_dyn1-4-8-16.om" if wish.gears is not None else f"NAME_bs{batch}.om"
    has = ", ".join(path.name for path in named) or "none at all"
    raise ModelMismatch(
        f"{folder} has no .om {what} {batch} (it has {has}); make one and call it {name}: {_convert(batch=batch)}."
    )


def _given(wish: Wish, path: Path) -> Artifact:
    """A file of the user's, with what is known of it, and from whom."""
    header = om.inspect(path)
    if header.encrypted:
        raise ModelMismatch(f"{path} is encrypted, which cannot be loaded by its path alone; convert it without a key.")
    facts = om.read_sidecar(path)
    settings = {"om": path.name, "CANN of the file": header.platform_version or "unknown"}
    if facts is None:
        _check_precision(wish, str(path), wish.mode)
        told = f"acl:precision_mode={wish.mode}" if wish.mode else "nobody: atc's default is assumed"
        settings |= {
            "soc_version": "not told", "precision_mode": om.precision_words(wish.mode), "precision told by": told,
        }  # fmt: skip
        return Artifact(wish.model, wish.precision, path, _sha256(path), settings)
    _check_facts(wish, path, facts)
    if wish.model.onnx is not None and read_graph(wish.model.onnx).sha256 != facts.onnx_sha256:
        settings["made from"] = (
            "another .onnx than this run's: other weights (--weights), or another way of exporting it"
        )
    settings |= {
        "soc_version": facts.soc_version, "precision_mode": facts.precision,
        "precision told by": f"{path.name}.json, which bench convert wrote",
    }  # fmt: skip
    return Artifact(wish.model, wish.precision, path, facts.sha256, settings)


def _check_precision(wish: Wish, what: str, mode: str) -> None:
    """That the file computes in what was asked for, when it was made with that --precision_mode."""
    # Where atc chose for every operator, most of the work is in fp16.
    computes = om.arithmetic(mode) or Precision.FP16
    if computes is not wish.precision:
        raise ModelMismatch(
            f"{what} computes in {om.precision_words(mode)}, not in {wish.precision}; ask for --precision"
            f" {computes}, convert it with --precision-mode must_keep_origin_dtype (fp32) or without (fp16), or, where"
            " it was made by other hands, say how: --backend acl:precision_mode=MODE."
        )


def _check_facts(wish: Wish, path: Path, facts: om.OmFacts) -> None:
    if wish.mode not in ("", facts.precision_mode):
        made = facts.precision_mode or "force_fp16, atc's default"
        raise ModelMismatch(f"{path} was made with --precision_mode {made}; leave out precision_mode={wish.mode}.")
    _check_precision(wish, str(path), facts.precision_mode)
    soc = wish.soc()
    if soc and facts.soc_version != soc:
        raise ModelMismatch(
            f"{path} was made for {facts.soc_version}, the chip here is {soc}; convert it again: {_convert(soc)}."
        )


def _built(wish: Wish) -> Artifact:
    """By atc, or as it built it before."""
    model = wish.model
    if wish.gears is not None and model.batch not in wish.gears:
        listed = "-".join(map(str, sorted({*wish.gears, model.batch})))
        raise ModelMismatch(
            f"a dynamic .om for the batch sizes {', '.join(map(str, wish.gears))} does not take {model.batch}; name it"
            f" too: --backend acl:batch=dynamic,gears={listed}."
        )
    onnx = require_onnx(model, "acl")
    try:
        tool = atc.locate()
    except ToolMissing as error:
        raise BackendUnavailable(
            f"there is no .om for {model.name} at batch size {model.batch}, and none can be made here: {error} Or name"
            " files that were made elsewhere: --compiled FILE|DIR."
        ) from None
    soc = wish.soc()
    if not soc:
        raise BackendUnavailable(
            "the chip's exact name, which atc needs, cannot be found out here; name it: --backend acl:soc=Ascend310."
        )
    if model.cache is None:
        raise ModelMismatch("acl builds an .om in a cache folder, and was given none; name an .om file instead.")
    settings = atc.Settings(soc, wish.mode or _MODES[wish.precision])
    _check_precision(wish, "an .om made so", settings.precision_mode)
    made = atc.convert(tool, read_graph(onnx), wish.gears or model.batch, settings, ArtifactCache(model.cache))
    facts = {"om": "made by atc", "soc_version": soc, "precision_mode": made.precision}
    notes = {"notes": "; ".join(made.notes)} if made.notes else {}
    return Artifact(model, wish.precision, made.path, made.sha256, {**facts, **notes})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
