"""What the plain scalars of YAML stand for, which depends on the version of YAML.

`off`, `010`, `1_000` and `1:30` are false, 8, 1000 and 90 in YAML 1.1, and text, 10, text and text
in YAML 1.2. A file does not say which of them its service reads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cascadesim.lint.finds import NotReadable
from cascadesim.values.errors import show

if TYPE_CHECKING:
    from collections.abc import Callable

_Schema = list[tuple[re.Pattern[str], "Callable[[str], Any]"]]


def _int(base: int) -> Callable[[str], int]:
    return lambda text: int(text.replace("_", ""), base)


def _sixties(text: str) -> float:
    """Return a number whose digits count to 60, such as 1:30."""
    number: float = 0
    for part in text.lstrip("+-").replace("_", "").split(":"):
        number = number * 60 + (float(part) if "." in part else int(part))
    return -number if text.startswith("-") else number


def _float(text: str) -> float:
    return float(re.sub(r"\.(?=inf|nan)", "", text.lower().replace("_", "")))


_ANY: _Schema = [
    (re.compile("|~|null|Null|NULL"), lambda _: None),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), _float),
]
# Section 10.3.2 of YAML 1.2.
_NEW: _Schema = [
    *_ANY,
    (re.compile("true|True|TRUE"), lambda _: True),
    (re.compile("false|False|FALSE"), lambda _: False),
    (re.compile("[-+]?[0-9]+"), _int(10)),
    (re.compile("0o[0-7]+"), _int(8)),
    (re.compile("0x[0-9a-fA-F]+"), _int(16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), _float),
]
# The types of YAML 1.1, as PyYAML has them; others take y and n for booleans too, as its text does.
_OLD: _Schema = [
    *_ANY,
    (re.compile("y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON"), lambda _: True),
    (re.compile("n|N|no|No|NO|false|False|FALSE|off|Off|OFF"), lambda _: False),
    (re.compile("[-+]?0b[01_]+"), _int(2)),
    (re.compile("[-+]?0x[0-9a-fA-F_]+"), _int(16)),
    (re.compile("[-+]?0[0-7_]+"), _int(8)),
    (re.compile("[-+]?(0|[1-9][0-9_]*)"), _int(10)),
    (re.compile(r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?"), _float),
    (re.compile(r"\.[0-9][0-9_]*([eE][-+][0-9]+)?"), _float),
    (re.compile(r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+"), _sixties),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*"), _sixties),
]


def plain_scalar(text: str) -> Any:
    """Return what text without quotes stands for: text, a number, a boolean or None.

    Raises NotReadable where that is another thing in YAML 1.1 than in 1.2, or too long a number.
    """
    try:
        old, new = _read(text, _OLD), _read(text, _NEW)
    except ValueError:
        raise NotReadable("is a number that cannot be read") from None
    if repr(old) != repr(new):  # as 1, 1.0 and true are equal
        raise NotReadable(
            f"is {_shown(old)} in YAML 1.1, as PyYAML reads it, and {_shown(new)} in YAML 1.2; "
            f"write {_shown(old)} or {_shown(new)}"
        )
    return new


def _read(text: str, schema: _Schema) -> Any:
    return next((value(text) for pattern, value in schema if pattern.fullmatch(text)), text)


def _shown(value: Any) -> str:
    """Return a value as both versions read it."""
    return re.sub(r"^(-?\d+)e", r"\1.0e", show(value)) if isinstance(value, float) else show(value)
