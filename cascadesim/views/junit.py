"""JUnit XML, which build servers show as test results.

By the schema of the Jenkins xUnit plugin (junit-10.xsd), without times, host names and dates: the
same run is the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from cascadesim import __version__
from cascadesim.files import from_here
from cascadesim.values.errors import one_line
from cascadesim.views.objective import details, value
from cascadesim.views.page import plain

if TYPE_CHECKING:
    from cascadesim.analysis.judged import Judged
    from cascadesim.studies.gate import Gate, JudgedScenario, JudgedVariant


def junit_xml(gate: Gate) -> str:
    """Return a test suite for each scenario, in it a test case for each variant and objective."""
    root = ET.Element("testsuites", {"name": "cascadesim", **_counts(gate.judged)})
    for scenario in gate.scenarios:
        root.append(_suite(gate, scenario))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _counts(judged: list[tuple[JudgedScenario, JudgedVariant, Judged]]) -> dict[str, str]:
    failures = sum(not one.met for *_, one in judged)
    return {"tests": str(len(judged)), "failures": str(failures), "errors": "0"}


def _suite(gate: Gate, scenario: JudgedScenario) -> ET.Element:
    cases = [case for case in gate.judged if case[0] is scenario]
    # What does not print, such as a control character, may not be in XML at all.
    name, source = one_line(scenario.name), one_line(from_here(scenario.source))
    counts = {**_counts(cases), "skipped": "0"}
    suite = ET.Element("testsuite", {"name": name, **counts, "file": source})
    properties = ET.SubElement(suite, "properties")
    run = {"cascadesim": __version__, "seed": scenario.seed, "replications": gate.replications}
    for key, text in run.items():
        ET.SubElement(properties, "property", name=key, value=str(text))
    for _, variant, judged in cases:
        classname = name if variant.name is None else f"{name}.{one_line(variant.name)}"
        case = ET.SubElement(suite, "testcase", classname=classname, name=judged.objective.text)
        if not judged.met:
            _fail(case, judged, gate.replications)
    return suite


def _fail(case: ET.Element, judged: Judged, replications: int) -> None:
    objective = judged.objective
    message = f"{objective.measure} is {value(judged)}, expected {objective.text}"
    failure = ET.SubElement(case, "failure", type="objective", message=message)
    failure.text = "\n".join([message, *map(plain, details(judged, replications))])
