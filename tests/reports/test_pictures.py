"""The strip of sample pictures of a run, and that older runs have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from reports import markdown, pictures, store
from reports.page import Page
from reports.records import Run
from tests.reports.samples import cell, example, header, strip, with_pictures


def tones(path: Path) -> set[int]:
    """The greys of the pictures in a drawn strip: whole squares of one colour."""
    with Image.open(path) as image:
        counts = np.bincount(np.asarray(image.convert("L")).ravel())
    return set(np.flatnonzero(counts > 100 * 100).tolist()) - {255}


def test_every_variant_is_shown_at_its_largest_batch_and_wrong_ones_too(tmp_path: Path) -> None:
    run = with_pictures()
    assert [(shown.identity.label(), shown.identity.batch, shown.status) for shown in pictures.shown(run)] == [
        ("pytorch", 4, "ok"), ("openvino", 4, "ok"), ("openvino", 1, "wrong"),
    ]  # fmt: skip
    (path,) = pictures.draw(Page([run]), tmp_path)
    assert path.name == "pictures.png"
    assert pictures.names(Page([run]), "a-") == ["a-pictures.png"]
    assert tones(path) == {200, 90, 100, 150, 0}
    with Image.open(path) as image:
        red = np.all(np.asarray(image.convert("RGB")) == (0xB0, 0, 0), axis=2)
    assert red.any(), "the wrong one is marked"


def test_nothing_is_red_where_nothing_is_wrong(tmp_path: Path) -> None:
    run = with_pictures()
    (path,) = pictures.draw(Page([Run(run=run.run, cells=run.cells[:2])]), tmp_path)
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert not (pixels[:, :, 0] > pixels[:, :, 1] + 60).any()


def test_variants_of_two_scopes_share_a_row_and_precisions_do_not() -> None:
    cells = [
        cell("pytorch", 4, 1.0, pictures=strip(1)),
        cell("pytorch", 4, 1.0, scope="end-to-end", pictures=strip(2)),
        cell("pytorch", 4, 1.0, precision="bf16", pictures=strip(3)),
    ]
    assert [shown.id for shown in pictures.shown(Run(run=header(), cells=cells))] == [cells[0].id, cells[2].id]


@pytest.mark.parametrize("damage", [b"", b"no picture", strip(100)[:-40]], ids=["empty", "foreign", "cut off"])
def test_damaged_pictures_cost_their_row_only(tmp_path: Path, damage: bytes) -> None:
    run = with_pictures()
    cells = [replace(run.cells[1], pictures=damage), run.cells[3]]
    (path,) = pictures.draw(Page([Run(run=run.run, cells=cells)]), tmp_path)
    assert tones(path) == {200, 90, 150}


def test_a_long_label_stays_left_of_the_pictures(tmp_path: Path) -> None:
    options = {f"OPTION{n}": "$WALUE\n$" * 6 for n in range(4)}
    named = cell("onnxruntime", 4, 1.0, options=options, pictures=strip(100, 1), status="wrong")
    (path,) = pictures.draw(Page([Run(run=header(), cells=[named])]), tmp_path)
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    left = int(np.argmax((pixels == 100).sum(axis=0) > 100))
    top = int(np.argmax((pixels == 100).sum(axis=1) > 100))
    assert (pixels[top : top + 120, 15 : left - 8] < 255).any()
    assert (pixels[top : top + 120, left - 8 : left - 4] == 255).all()


def test_runs_without_pictures_have_no_strip(tmp_path: Path) -> None:
    assert pictures.names(Page([example()])) == []
    assert pictures.draw(Page([example()]), tmp_path) == []
    assert "Translated pictures" not in markdown.render(Page([example()]), [Path("compute-fps.png")])


def test_the_report_links_the_strip_once_even_under_a_misleading_name() -> None:
    text = markdown.render(Page([with_pictures()]), [Path("compute-fps.png"), Path("compute-pictures.png")])
    assert text.count("compute-pictures.png") == 1
    section = text.partition("## Translated pictures")[2].partition("\n## ")[0]
    assert "![samples of translated pictures](compute-pictures.png)" in section
    assert "Those in red are wrong" in section


def test_the_accuracy_table_shows_what_was_found_image_by_image() -> None:
    text = markdown.render(Page([with_pictures()]), [])
    rows = [line for line in text.partition("## Accuracy")[2].splitlines() if line.startswith("|")]
    assert rows[0].endswith("| SSIM, lowest | Changed pixels | Worst image |")
    assert rows[2].endswith("| equal | 1.0000000 | 0.999950 | 1.25% | - |")
    assert rows[4].endswith("| 20.0 | 1.0000000 | 0.500000 | 1.25% | 2 of 4 |")


def test_a_run_file_of_version_1_1_is_read_and_reported() -> None:
    run = store.read(Path(__file__).parent / "golden" / "run-1.1.jsonl")
    assert run.run.schema == "1.1"
    assert [each.status for each in run.cells] == ["ok", "wrong", "failed"]
    assert all(each.pictures is None for each in run.cells)
    assert all(output.ssim is None for each in run.cells for output in each.accuracy)
    text = markdown.render(Page([run]), [])
    assert "SSIM" not in text


def test_pictures_survive_the_run_file(tmp_path: Path) -> None:
    run = with_pictures()
    with store.RunWriter(tmp_path / "run.jsonl", run.run) as writer:
        for each in run.cells:
            writer.append(each)
    assert store.read(tmp_path) == run
