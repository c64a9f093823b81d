"""The report of two folders of pictures compared."""

from __future__ import annotations

from reports.accuracy import THRESHOLDS
from reports.comparison import ComparedFolder, FolderComparison, decibels, metric_rows
from reports.markdown.format import clean, code, number, table_lines

#: Worst images that are listed.
_LISTED = 20


def render(comparison: FolderComparison, picture: str) -> str:
    """The report; `picture` is the file name of the worst images' strip, beside it, or empty."""
    verdict = comparison.verdict()
    sections = [
        "# Accuracy of translated pictures",
        "> **SIMULATED: some of these pictures come from a test double, not from a device.**"
        if comparison.simulated
        else "",
        f"**{clean(comparison.sentence())}**",
        _sides(comparison),
        _totals(comparison),
        _worst(comparison, picture),
        "## Thresholds\n\n"
        f"{comparison.precision}: {verdict.threshold}. Range: 2 (pictures have values in [-1, 1]). What leads to them:"
        " `reports/accuracy/thresholds.py`.",
        _method(comparison),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _sides(comparison: FolderComparison) -> str:
    def row(role: str, side: ComparedFolder) -> tuple[str, ...]:
        precision, provenance = side.precision or "not known", side.provenance or "not known"
        return role, side.path, side.maker, precision, provenance, side.session or "-"

    header = ("", "Folder", "Made by", "Executed precision", "Provenance", "Settings")
    rows = [row("candidate", comparison.candidate), row("reference", comparison.reference)]
    lines = ["## Who against whom", table_lines(header, rows).replace("--:|", ":--|")]
    if comparison.notes:
        lines.append("\n".join(f"- {clean(note)}" for note in comparison.notes))
    return "\n\n".join(lines)


def _totals(comparison: FolderComparison) -> str:
    rows = [(row.metric, row.total, row.worst, row.worst_name, row.best, row.limit) for row in metric_rows(comparison)]
    if not rows:
        return ""
    header = ("Metric", "All images", "Worst image in it", "Which", "Best image in it", "Every image must have")
    left_out = sum(1 for image in comparison.accuracy.images if image.differences is None)
    text = f"## Over all images\n\n{len(comparison.accuracy.images)} images"
    if comparison.padding:
        text += f" (and {comparison.padding} copies that fill up the last batch, left out)"
    text += (
        ". All images: the largest max abs, the mean of mean abs and of SSIM, cosine and PSNR over all values, the"
        " share of all pixels."
    )
    if left_out:
        text += f" Wrong and in none of these figures, for values that are NaN or infinite: {left_out}."
    return f"{text}\n\n{table_lines(header, rows)}"


def _worst(comparison: FolderComparison, picture: str) -> str:
    threshold = THRESHOLDS[comparison.precision]
    images = comparison.worst(_LISTED)
    if not images:
        return ""
    wrong = len(comparison.accuracy.wrong(comparison.precision))
    rows = []
    for image in images:
        found, problems = image.differences, image.problems(threshold)
        rows.append(
            (
                comparison.numbering.name(image.number),
                f"**wrong**: {', '.join(problems)}" if problems else "passed",
                number(found.max_abs if found else None, "{:.3g}"),
                number(found.mean_abs if found else None, "{:.3g}"),
                number(found.cosine if found else None, "{:.7f}"),
                decibels(found.psnr_db) if found else "-",
                number(found.ssim if found else None, "{:.6f}"),
                number(found.changed_pixels if found else None, "{:.3%}"),
            )
        )
    header = ("Image", "Verdict", "max abs", "mean abs", "cosine", "PSNR (dB)", "SSIM", "Changed pixels")
    text = f"## The {len(rows)} worst images\n\n" if len(rows) > 1 else "## The worst image\n\n"
    text += f"{wrong} of {len(comparison.accuracy.images)} are wrong. " if wrong else "None is wrong. "
    text += "First those that use up most of what the thresholds allow; all images are in `images.csv`.\n\n"
    text += table_lines(header, rows)
    return text + (f"\n\n![The worst images]({picture})" if picture else "")


def _method(comparison: FolderComparison) -> str:
    numbering = comparison.numbering
    lines = [
        "## How this was obtained",
        f"- {comparison.started}" + (f", by {code(comparison.command)}" if comparison.command else ""),
        f"- Pair n holds batch n // {numbering.targets} with target attribute n mod {numbering.targets},"
        f" {numbering.batch} images in each; image k of a pair is its row k. All counted from 0.",
        "- Every image by itself, in float64. PSNR: 20·log10(2 / root mean square difference). SSIM: scikit-image's"
        " structural_similarity, window 7, range 2, mean over channels. Changed pixels: some channel is off by more"
        " than 1/255 of the range.",
        "- One image beyond a threshold, or with a value that is NaN or infinite, and the whole is not passed.",
    ]
    return lines[0] + "\n\n" + "\n".join(lines[1:])
