"""Headings, table headers and the environment's labels of a finished report in another language.

Words are replaced as wholes, by the dictionary below; what it lacks stays as it is. Names of backends, cards and units,
and terms that Chinese engineers use in English, stay too. Sentences, figures and code are never touched.

To add a line: put the English words, exactly as the report has them, into HEADINGS, HEADERS or LABELS. Of a heading
such as `Latency (compute)` only what stands before the bracket is looked up. `unknown` lists what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

LANGUAGES = ("en", "zh")

HEADINGS: Mapping[str, str] = {
    "Verdicts": "结论",
    "Environment": "环境说明",
    "Latency": "时延",
    "FPS per card": "单卡吞吐率",
    "Throughput, measured": "实测吞吐率",
    "Share of the limit of the card": "达到硬件峰值的比例",
    "Published figures, looked at closely": "公开数据核对",
    "Translated pictures": "生成图片",
    "Every cell": "逐项数据",
    "Accuracy": "精度对比",
    "On the device's own clock": "设备事件计时",
    "Telemetry": "设备监测",
    "What to know": "注意事项",
    "Figures from elsewhere": "其他来源的数据",
    "How this was measured": "测量方法",
    # of two folders of pictures
    "Accuracy of translated pictures": "生成图片的精度对比",
    "Who against whom": "对比双方",
    "Over all images": "全部图片",
    "The worst image": "误差最大的图片",
    "Thresholds": "阈值",
    "How this was obtained": "对比方法",
}

#: Headings with names in them; `\1` and `\2` are kept as they are.
HEADING_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(.+): latency and FPS per card"), r"\1：时延与单卡吞吐率"),
    (re.compile(r"The (\d+) worst images"), r"误差最大的 \1 张图片"),
    # ratios: `Atlas 300I / Tesla T4 (compute)`
    (re.compile(r"(.+ / .+ \((?:.+, )?(?:compute|end-to-end)\))"), r"性能对比 \1"),
)

HEADERS: Mapping[str, str] = {
    "Batch size": "Batch Size",
    "Ratio": "性能比",
    "Ratio, measured": "性能比（实测）",
    "geometric mean": "几何平均",
    "Cell": "测试项",
    # every cell
    "Median": "中位数",
    "Median (ms)": "中位数 (ms)",
    "95 % interval": "95 % 置信区间",
    "Mean": "平均值",
    "Best": "最小值",
    "p99, upper bound": "p99 上界",
    "Samples": "样本数",
    "Worth": "等效独立样本数",
    "Left out": "舍弃样本数",
    "Outliers": "离群值",
    # on the device's own clock
    "Host, median (ms)": "主机计时中位数 (ms)",
    "Device, median (ms)": "设备计时中位数 (ms)",
    "Device, mean (ms)": "设备计时平均值 (ms)",
    "Host - device (ms)": "主机减设备 (ms)",
    "Calls": "调用次数",
    # accuracy
    "Executed precision": "实际精度",
    "Output": "输出",
    "Verdict": "结论",
    "SSIM, lowest": "SSIM 最低值",
    "Changed pixels": "变化像素占比",
    "Worst image": "误差最大的图片",
    # telemetry
    "Host meanwhile": "测量期间主机状态",
    "Peak memory": "内存峰值",
    "Device clock (MHz)": "设备频率 (MHz)",
    "Power (W)": "功耗 (W)",
    "Temperature (°C)": "温度 (°C)",
    "Device memory": "设备内存",
    "Energy per image (J)": "单张图片能耗 (J)",
    # throughput
    "Chips": "芯片数",
    "Streams": "并发流数",
    "FPS of all": "总吞吐率 (FPS)",
    "FPS per card, measured": "单卡吞吐率（实测）",
    "derived": "单卡吞吐率（由时延计算）",
    "Efficiency": "扩展效率",
    "By worker": "各进程",
    "Window (s)": "统计窗口 (s)",
    "Median latency (ms)": "时延中位数 (ms)",
    # figures from elsewhere
    "Min": "最小值",
    "Max": "最大值",
    "Count": "次数",
    "FPS, as it counts them": "FPS（来源自身口径）",
    "FPS per card, stated": "单卡吞吐率（来源给出）",
    "Source": "来源",
    "Printed": "原文数值",
    "Recomputed": "重新计算",
    "Agree": "是否一致",
    # of two folders of pictures
    "Folder": "目录",
    "Made by": "生成方",
    "Provenance": "数据来源",
    "Settings": "设置",
    "Metric": "指标",
    "All images": "全部图片",
    "Worst image in it": "误差最大的图片",
    "Which": "文件",
    "Best image in it": "误差最小的图片",
    "Every image must have": "单张图片阈值",
    "Image": "图片",
    # terms that stay
    "max abs": "max abs",
    "mean abs": "mean abs",
    "PSNR (dB)": "PSNR (dB)",
    "cosine": "cosine",
    "SSIM": "SSIM",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
}

#: What the header of one side of a ratio says of its figures, after the card and the engine; as HEADING_PATTERNS.
SIDES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"precision unknown"), "精度未知"),
    (re.compile(r"clock: host"), "主机计时"),
    (re.compile(r"clock: device-events"), "设备事件计时"),
    (re.compile(r"derived from 1 of (\d+) chips"), r"由 1 个芯片的时延计算（共 \1 个）"),
    (re.compile(r"stated from 1 of (\d+) chips"), r"来源给出（1 个芯片乘以 \1）"),
    (re.compile(r"derived"), "由时延计算"),
    (re.compile(r"stated"), "来源给出"),
    (re.compile(r"(.+): measured"), r"\1: 实测"),
    (re.compile(r"(\d+) chips?"), r"\1 个芯片"),
    (re.compile(r"(\d+) streams? each"), r"每芯片 \1 个流"),
    (re.compile(r"imported( \(.+\))?"), r"导入\1"),
    (re.compile(r"published( \(.+\))?"), r"公开数据\1"),
    (re.compile(r"simulated"), "模拟"),
)

#: First column of the table of the environment.
LABELS: Mapping[str, str] = {
    "Started": "开始时间",
    "Host": "主机",
    "CPU": "CPU",
    "Cards": "加速卡",
    "Driver": "驱动版本",
    "Engines": "推理引擎",
    "Model": "模型",
    "Inputs": "输入数据",
    "When it began": "开始时的状态",
    "Resumed": "续测时间",
    "Python": "Python",
    "Packages": "软件包",
    "Harness": "测试工具版本",
    "Command": "命令",
}

#: A table that begins so has names of columns, or batch sizes, as headers, and these words among them.
_BEFORE_NAMES = "Batch size"
_AMONG_NAMES = ("Ratio", "Ratio, measured", "geometric mean")
_ENVIRONMENT = "Environment"

_FENCE = re.compile(r"\s*(```+|~~~+)")
_HEADING = re.compile(r"(#{1,6} )(.*)")
_DELIMITERS = re.compile(r"\|(?::?-+:?\|)+")
_BARS = re.compile(r"(?<!\\)\|")
#: `Tesla T4: trtexec, fp32, ...`
_SIDE = re.compile(r"[^,]+: [^,]+, ")
_IN_BRACKETS = re.compile(r"(.+?) (\(.*\))")


def translate(markdown: str, language: str) -> str:
    """The report with its headings, headers and labels in that language, one of LANGUAGES. Raises ValueError."""
    if language not in LANGUAGES:
        raise ValueError(f"no language {language!r}; there are {', '.join(LANGUAGES)}")
    if language == "en":
        return markdown
    lines = markdown.split("\n")
    # From the last to the first, so that replacing some words does not move the others.
    for words in reversed(list(_words(lines))):
        found = words.translated
        if found is not None:
            line = lines[words.line]
            lines[words.line] = line[: words.start] + found + line[words.start + len(words.text) :]
    return "\n".join(lines)


def unknown(markdown: str) -> list[str]:
    """Headings, headers and labels of a report that the dictionary lacks, in order, each once."""
    lines = markdown.split("\n")
    return list(dict.fromkeys(words.text for words in _words(lines) if words.translated is None))


@dataclass(frozen=True, slots=True)
class _Words:
    """Words that may be translated: where they stand, and in what role."""

    line: int
    start: int
    text: str
    role: Literal["heading", "header", "label", "side"]

    @property
    def translated(self) -> str | None:
        if self.role == "heading":
            return _heading(self.text)
        if self.role == "side":
            return ", ".join(map(_of_side, self.text.split(", ")))
        return (HEADERS if self.role == "header" else LABELS).get(self.text)


def _heading(text: str) -> str | None:
    if text in HEADINGS:
        return HEADINGS[text]
    parts = _IN_BRACKETS.fullmatch(text)
    if parts and parts[1] in HEADINGS:
        return f"{HEADINGS[parts[1]]} {parts[2]}"
    for pattern, form in HEADING_PATTERNS:
        if match := pattern.fullmatch(text):
            return match.expand(form)
    return None


def _of_side(text: str) -> str:
    """A part of a side's header; a name stays as it is."""
    for pattern, form in SIDES:
        if match := pattern.fullmatch(text):
            return match.expand(form)
    return text


def _words(lines: list[str]) -> Iterator[_Words]:
    """All words with a role, in order; names are left out."""
    section = ""
    fence = ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif fence:
            continue
        elif heading := _HEADING.fullmatch(line):
            section = heading[2]
            yield _Words(number, heading.end(1), section, "heading")
        elif line.startswith("|"):
            cells = _cells(line)
            if number + 1 < len(lines) and _DELIMITERS.fullmatch(lines[number + 1]):
                found = [_Words(number, start, text, "header") for start, text in _headers(cells, section)]
                if cells[0][1] == _BEFORE_NAMES:
                    found += [_Words(number, start, text, "side") for start, text in cells if _SIDE.match(text)]
                yield from sorted(found, key=lambda words: words.start)
            elif section == _ENVIRONMENT and not _DELIMITERS.fullmatch(line):
                start, text = cells[0]
                yield _Words(number, start, text, "label")


def _headers(cells: list[tuple[int, str]], section: str) -> list[tuple[int, str]]:
    """The headers of a table that are no names."""
    if section == _ENVIRONMENT:
        return []  # letters of machines
    if cells[0][1] == _BEFORE_NAMES:
        return [cells[0], *(cell for cell in cells[1:] if cell[1] in _AMONG_NAMES)]
    return [cell for cell in cells if cell[1]]


def _cells(line: str) -> list[tuple[int, str]]:
    """The cells of a table's row, each with the place where its text begins."""
    bars = [match.start() for match in _BARS.finditer(line)]
    found = []
    for left, right in pairwise(bars):
        inside = line[left + 1 : right]
        text = inside.strip()
        found.append((left + 1 + inside.index(text), text))
    return found
