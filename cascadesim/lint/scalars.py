"""Plain scalars of YAML, whose values depend on the version of YAML.

`off`, `010`, `1_000` and `1:30` are false, 8, 1000 and 90 in YAML 1.1, and text, 10, text and text
in YAML 1.2. A file does not say which version its service reads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cascadesim.lint.finds import NotReadable
from cascadesim.values.errors import show

if TYPE_CHECKING:
    from collections.abc import Callable

_Schema = list[tuple[str, "Callable[[str], Any]"]]


def _int(base: int) -> Callable[[str], int]:
    return lambda text: int(text.replace("_", ""), base)


def _float(text: str) -> float:
    return float(re.sub(r"\.(?=inf|nan)", "", text.lower().replace("_", "")))


def _base_60(text: str) -> float:
    """Return a number whose parts count to 60, such as 1:30."""
    number: float = 0
    for part in text.lstrip("+-").replace("_", "").split(":"):
        number = number * 60 + (float(part) if "." in part else int(part))
    return -number if text.startswith("-") else number


_ANY: _Schema = [
    ("|~|null|Null|NULL", lambda _: None),
    (r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", _float),
]
# Section 10.3.2 of YAML 1.2.
_NEW: _Schema = [
    *_ANY,
    ("true|True|TRUE", lambda _: True),
    ("false|False|FALSE", lambda _: False),
    ("[-+]?[0-9]+", _int(10)),
    ("0o[0-7]+", _int(8)),
    ("0x[0-9a-fA-F]+", _int(16)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", _float),
]
# The types of YAML 1.1, as PyYAML has them; others take y and n for booleans too, as its text does.
_OLD: _Schema = [
    *_ANY,
    ("y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON", lambda _: True),
    ("n|N|no|No|NO|false|False|FALSE|off|Off|OFF", lambda _: False),
    ("[-+]?0b[01_]+", _int(2)),
    ("[-+]?0x[0-9a-fA-F_]+", _int(16)),
    ("[-+]?0[0-7_]+", _int(8)),
    ("[-+]?(0|[1-9][0-9_]*)", _int(10)),
    (r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?", _float),
    (r"\.[0-9][0-9_]*([eE][-+][0-9]+)?", _float),
    (r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+", _base_60),
    (r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*", _base_60),
]


def plain_scalar(text: str) -> Any:
    """Return the value of text without quotes: text, a number, a boolean or None.

    Raises NotReadable for another value in YAML 1.1 than in 1.2, and for too long a number.
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
    return next((value(text) for pattern, value in schema if re.fullmatch(pattern, text)), text)


def _shown(value: Any) -> str:
    """Return a value as both versions read it."""
    return re.sub(r"^(-?\d+)e", r"\1.0e", show(value)) if isinstance(value, float) else show(value)
