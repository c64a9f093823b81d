"""What atc and the runtime print when they fail: the line that tells what, and what to do about it.

Codes and texts: the list of errors in GE's source (base/common/error_registry, 2026), which atc, and ACL's last error
message, draw from; older codes from what users published.
"""

from __future__ import annotations

import re

from backends.convert import tool
from backends.convert.tool import Explained

INSTALL = (
    "source CANN's set_env.sh (source /usr/local/Ascend/ascend-toolkit/set_env.sh; newer: .../cann/set_env.sh), or"
    " install the CANN toolkit."
)
#: The code of an error as atc prints it: `E10001: ...`, or `Invalid_Argument(E10001): ...` in newer versions.
_ERROR = re.compile(r"(?<![A-Za-z0-9_])(E[A-Z]?\d{4,5})\)?:\s*(.*)")
_WARNING = re.compile(r"(?<![A-Za-z0-9_])(W[A-Z]?\d{4,5})\)?:\s*(.*)")
_MODULE = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
#: Errors that say nothing in their own line; the next one has the matter.
_INNER = ("E19999", "EZ9999")

DOMAINS = "keep one opset domain in the model: remove the opset_imports that no node uses."
_OPSET = "export with a lower --opset (11 is read by old CANN, too), or convert with a newer CANN."
_VALUE = "check the names and shapes of the inputs, the flags against atc --help, and --soc-version."
_SHAPES = "check the names and shapes of the inputs against those of the .onnx file."
_GEARS = (
    "a dynamic batch takes 2 to 100 different sizes of 1 or more, and -1 as the first dimension of its inputs and"
    " nowhere else."
)
_OPERATORS = (
    "check --soc-version, and that CANN's operator package for this chip is installed (a package of its own from CANN"
    " 8.5 on); else the chip does not have this operator."
)
_FILE = "check that the file is there, whole, and may be read or written by this user."
_TOO_LARGE = "the model is too large for this version; convert a smaller one, or with a newer CANN."

_ADVICE = {
    "E10001": _VALUE,
    "E10002": _SHAPES,
    "E10003": _VALUE,
    "E10004": _VALUE,
    "E10007": _VALUE,
    "E10009": "leave --dynamic-batch or the other option of dynamic shapes out; atc takes one of them.",
    "E10011": _SHAPES,
    "E10012": _GEARS,
    "E10013": _VALUE,
    "E10014": _VALUE,
    "E10016": _SHAPES,
    "E10018": _GEARS,
    "E10031": _GEARS,
    "E10035": _GEARS,
    "E10036": _GEARS,
    "E10037": _GEARS,
    "E10038": _GEARS,
    "E10039": _GEARS,
    "E10040": _GEARS,
    "E10041": "the .onnx file is damaged, or its weights file is not beside it; export it again.",
    "E10047": _VALUE,
    "E10049": _SHAPES,
    "E10054": _VALUE,
    "E10061": _VALUE,
    "E10501": f"its operators are not registered (ASCEND_OPP_PATH); {INSTALL}",
    "E11005": _SHAPES,
    "E11010": _OPSET,
    "E13000": _FILE,
    "E13001": _FILE,
    "E13003": _FILE,
    "E13004": _FILE,
    "E13010": _OPERATORS,
    "E13015": _TOO_LARGE,
    "E13023": _TOO_LARGE,
    "E13024": f"an environment variable of CANN is wrong; {INSTALL}",
    "E13025": "an input buffer has not the size that the .om takes; check its batch size and the types of its inputs.",
    "E16001": "the .onnx file has an input that nothing in it gives; export it again.",
    "E16002": _OPSET,
    "E16004": "the .onnx file is empty; export it again.",
    "E16005": DOMAINS,
    "E19010": _OPSET,  # older code of EZ9010
    "EZ9010": _OPSET,
    "EZ3002": _OPERATORS,
    "EZ3003": _OPERATORS,
}
_SOC_ADVICE = (
    "give the chip's exact name with --soc-version, Ascend and the Name column of npu-smi info (Ascend310,"
    " Ascend310P3), to a CANN that still knows this chip."
)
_OTHER_ADVICE = "see the output, and with --log=debug atc's own log in $HOME/ascend/log."


def explain(output: str) -> Explained:
    """The first error line in atc's output, and what to do about it."""
    found = _ERROR.search(output)
    if found is None:
        return _explain_without_code(output)
    code, text = found[1], found[2].strip()
    if code in _INNER:
        text = f"{text} {_next_line(output[found.end() :], code)}".strip()
    return Explained(f"{code}: {text}", _about_the_chip(code, text) or _ADVICE.get(code, _OTHER_ADVICE))


def advice(text: str) -> str:
    """What to do about the first code in such a text that has an advice of its own; "" if none has."""
    found = (_about_the_chip(code, rest) or _ADVICE.get(code, "") for code, rest in _ERROR.findall(text))
    return next((words for words in found if words), "")


def warning(output: str) -> str:
    """The first warning that atc printed, as one line; "" if none."""
    found = _WARNING.search(output)
    return found[0].strip() if found else ""


def _about_the_chip(code: str, text: str) -> str:
    return _SOC_ADVICE if code in ("E10001", "E10003", "E10014", "E10061") and "soc_version" in text else ""


def _explain_without_code(output: str) -> Explained:
    if started := tool.explain_start(output, INSTALL):
        return started
    if module := _MODULE.search(output):
        install = f"install what atc's Python part needs, into the Python that it runs: pip install {module[1]}."
        return Explained(module[0], install)
    wrong = next((line.strip() for line in output.splitlines() if "error" in line.lower()), "")
    return Explained(wrong or tool.last_line(output), _OTHER_ADVICE)


def _next_line(rest: str, code: str) -> str:
    line = next((line.strip() for line in rest.splitlines() if line.strip()), "")
    return line.removeprefix(code).strip()
