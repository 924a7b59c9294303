"""The page with every option of a scenario, as Markdown: made from the JSON Schema alone."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from cascadesim.scenario import objectives, samples
from cascadesim.scenario.json_schema import json_schema
from cascadesim.scenario.places import (
    ROOT,
    Part,
    Schema,
    definition,
    forms,
    inside,
    parts,
    reference,
)
from cascadesim.scenario.source import flow
from cascadesim.values import units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

VALUES = units.VALUES | objectives.VALUES | samples.VALUES
_MOST = 10**9  # a limit that only slips go beyond
_BEGINNING = """\
# Every option of a scenario

Made by `cascadesim schema --format markdown` from the schema that scenarios are read by, so it is
neither more nor less than what they may say. Editors complete and check the same options by
[scenario.schema.json](scenario.schema.json).

An option is named by its dotted place, in variants, `--set`, `--vary` and sweeps as here. Words in
capitals stand for yours: `STAGE` for the name of a stage, wherever it is nested, `N` for a place in
a list, from 0. A policy is named by its kind, or by its `name`. How [values](#values) are written
is said at the end, and so are the [sources](#sources): the documentation, paper or formula that an
option follows. One that has none is our own.
"""


def page() -> str:
    """Return the page."""
    return _Page(json_schema()).text()


class _Page:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._parts = parts(schema)
        self._anchors = dict(zip(self._parts, _anchors(map(_title, self._parts)), strict=True))
        self._sources: dict[tuple[str, str], int] = {}
        self._values: dict[str, None] = {}
        self._by_choice = dict(self._chosen_places())

    def text(self) -> str:
        """Return the whole page."""
        chapters = [_BEGINNING, *map(self._chapter, self._parts)]
        return "\n".join([*chapters, self._values_text(), self._sources_text()])

    def _chosen_places(self) -> Iterator[tuple[str, str]]:
        """Yield the options whose defaults another chooses, each with that one's key."""
        for part in self._parts:
            for by, choices in definition(self._schema, part.name).get("x-defaults", {}).items():
                for choice in choices.values():
                    yield from ((_join(part.place, key), by) for key in _flat(choice["settings"]))

    def _chapter(self, part: Part) -> str:
        schema = definition(self._schema, part.name)
        lines = [f"{'#' * min(part.level + 2, 4)} {_title(part)}", ""]
        if part.name != ROOT:
            lines += [f"{_where(part)} {_one_line(schema.get('description', ''))}", ""]
        rows = [self._row(part, key, setting) for key, setting in schema["properties"].items()]
        lines += _table(("option", "value", "default", "source", "meaning"), rows)
        for by, choices in schema.get("x-defaults", {}).items():
            lines += ["", *self._chosen(part, by, choices)]
        return "\n".join([*lines, ""])

    def _row(self, part: Part, key: str, setting: Schema) -> tuple[str, ...]:
        place = _join(part.place, key)
        return (
            f"`{place}`",
            self._value(setting),
            self._default(part, key, setting),
            self._cited(setting.get("x-source", ())),
            setting["description"],
        )

    def _value(self, setting: Schema) -> str:
        said = [self._form(form) for form in forms(setting)]
        return ", or ".join(dict.fromkeys(said))

    def _form(self, form: Schema) -> str:
        several = inside(form)
        if several is not None:
            kind, entry = several
            return f"{kind} of {self._value(entry) or 'values'}"
        name = reference(form)
        if name is not None:
            part = next((part for part in self._parts if part.name == name), None)
            return "`{}`" if part is None else f"[{_title(part).lower()}](#{self._anchors[part]})"
        if "x-value" in form:
            self._values[form["x-value"]] = None
            return str(form["x-value"])
        return _plain_value(form)

    def _default(self, part: Part, key: str, setting: Schema) -> str:
        schema = definition(self._schema, part.name)
        if "default" in setting:
            default = setting["default"]
            text = "none" if default is None else f"`{flow(_short(default))}`"
        elif key in schema.get("required", ()):
            text = "required"
        else:
            text = _one_of(key, schema)
        by = self._by_choice.get(f"{part.place}.{key}")
        return text if by is None else f"{text}; by {by}"

    def _cited(self, sources: Sequence[dict[str, str]]) -> str:
        return " ".join(f"[{self._number(source)}](#sources)" for source in sources)

    def _number(self, source: dict[str, str]) -> int:
        name = source["title"], source.get("url", "")
        return self._sources.setdefault(name, len(self._sources) + 1)

    def _chosen(self, part: Part, by: str, choices: dict[str, Schema]) -> list[str]:
        """Return the defaults that every choice of an option brings, a column each."""
        brought = [_flat(choice["settings"]) for choice in choices.values()]
        fixed = [_flat(choice.get("fixed", {})) for choice in choices.values()]
        keys = dict.fromkeys(key for settings in (*brought, *fixed) for key in settings)
        rows = [
            (f"`{_join(part.place, key)}`", *map(_brought, [key] * len(brought), brought, fixed))
            for key in keys
        ]
        if all("x-source" in choice for choice in choices.values()):
            cited = (self._cited(choice["x-source"]) for choice in choices.values())
            rows.append(("source", *cited))
        said = (
            f"The defaults that each {by} brings. A setting with - is one that it does not have; "
            "that is refused beside it, as is one that is fixed."
        )
        return [said, "", *_table((by, *(f"`{name}`" for name in choices)), rows)]

    def _values_text(self) -> str:
        rows = [(kind, VALUES[kind]) for kind in sorted(self._values)]
        return "\n".join(["## Values", "", *_table(("value", "how it is written"), rows), ""])

    def _sources_text(self) -> str:
        lines = [
            f"{number}. [{title}]({url})" if url else f"{number}. {title}"
            for (title, url), number in self._sources.items()
        ]
        return "\n".join(["## Sources", "", *lines, ""])


def _title(part: Part) -> str:
    if part.name == ROOT:
        return "Scenario"
    keys = [part.key]
    if not part.shared:
        keys += [place.rpartition(".")[2] for place in part.others]
    return " and ".join(dict.fromkeys(keys)).replace("_", " ").capitalize()


def _where(part: Part) -> str:
    """Return the place of a part, as the beginning of a sentence on it."""
    others = ", ".join(f"`{place}`" for place in part.others)
    if part.shared:
        return f"`{part.place}` stands for any of {others}."
    return f"`{part.place}`, and {others}:" if others else f"`{part.place}`:"


def _join(*words: str) -> str:
    return ".".join(filter(None, words))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _plain_value(form: Schema) -> str:
    """Return what a value is that has no name of its own."""
    if "enum" in form or "const" in form:
        return ", ".join(f"`{flow(value)}`" for value in form.get("enum", [form.get("const")]))
    kind = form.get("type")
    if kind == "boolean":
        return "`true`, `false`"
    if kind in ("integer", "number"):
        return {"integer": "whole number", "number": "number"}[kind] + _range(form)
    return "text" if kind == "string" else "anything"


def _range(form: Schema) -> str:
    words = []
    for key, word in (("minimum", "from"), ("exclusiveMinimum", "above")):
        words += [f" {word} {form[key]}"] if key in form else []
    if form.get("maximum", _MOST) < _MOST:
        words.append(f" to {form['maximum']}")
    if "exclusiveMaximum" in form:
        words.append(f" to below {form['exclusiveMaximum']}")
    return "".join(words)


def _one_of(key: str, schema: Schema) -> str:
    """Return whether an option is required, and which other options can stand in its place."""
    for ways in (schema.get("oneOf", ()), schema.get("anyOf", ())):
        wanted = [way["required"] for way in ways]
        if not any(key in way for way in wanted):
            continue
        if len(wanted) > 2 and all(len(way) == 1 for way in wanted):
            return "one of these"
        others = [f"`{other}`" for way in wanted if key not in way for other in way]
        return f"required, or {' and '.join(others)}"
    return "none"


def _short(value: Any) -> Any:
    """Return a default as people write it: 1.0 as 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _flat(settings: dict[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        here = _join(above, key)
        flat |= _flat(value, here) if isinstance(value, dict) else {here: value}
    return flat


def _brought(key: str, settings: dict[str, Any], fixed: dict[str, Any]) -> str:
    if key in fixed:
        return f"`{flow(fixed[key])}`, fixed"
    if key not in settings:
        return "-"
    return "as above" if settings[key] is None else f"`{flow(settings[key])}`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a table whose columns are as wide as what is in them, but for the last."""
    cells = [tuple(cell.replace("|", "\\|") for cell in row) for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)][:-1]
    lines = [
        "| " + " | ".join([*map(str.ljust, row[:-1], widths), row[-1]]) + " |" for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|---|"
    return [lines[0], rule, *lines[1:]]


def _anchors(titles: Iterable[str]) -> Iterator[str]:
    """Yield the anchors that GitHub gives to headings, numbered from the second of a kind on."""
    seen: Counter[str] = Counter()
    for title in titles:
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        yield f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor
        seen[anchor] += 1
