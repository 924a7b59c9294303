"""Scenarios that reports are made of, and reading HTML."""

from functools import cache
from html.parser import HTMLParser

from conftest import ROOT

import cascadesim
from cascadesim.report.data import Report, report

# Everything is constant, so that every figure is known.
CONSTANT = """\
name: constant
clock: "10:00:00"
horizon: 60s
workload: {arrivals: {constant: {rate: 2/s}}}
stages:
  agent:
    work: {constant: 100ms}  # given: measured
    policies:
      - breaker: {failure_threshold: 3, recovery_timeout: 10s, when_open: reject}  # assumed
  log: {work: {constant: 5ms}}
faults: [{on: agent, from: 20s, for: 5s, outage: {}}]
objectives: [p50 < 200ms]
variants:
  before: {}
  faster: {agent.work.constant: 50ms}
  both: {agent.work.constant: 50ms, log.work.constant: 3ms, agent.breaker.failure_threshold: 4}
"""

NAME = "</title><script>alert('name')</script>"
STAGE = "<script>alert(1)</script>"
BREAKER = "</svg><script>alert(2)</script>"
VARIANT = "\"'><img/src/onerror\\"
HOSTILE = f"""\
name: "{NAME}"
summary: "two\\nlines, <b>bold</b> & 'quotes' \\u202e </script>"
clock: "10:00:00"
horizon: 40s
workload: {{arrivals: {{constant: {{rate: 2/s}}}}}}
stages:
  {STAGE}:
    work: {{constant: 100ms}}  # given: <script>alert(3)</script> "'--></pre>
    policies:
      - breaker: {{name: {BREAKER}, failure_threshold: 3, recovery_timeout: 10s, when_open: reject}}
faults: [{{on: {STAGE}, from: 20s, for: 5s, outage: {{}}}}]
observations: [{{at: "10:00:05", latency: 3s}}]
objectives: [p99 < 10ms]
variants:
  before: {{}}
  ? |-
    {VARIANT}
  : {{{STAGE}.work.constant: 50ms}}
"""


def report_of(text: str, **options: object) -> Report:
    """Return a report with one replication, unless told otherwise."""
    return report(cascadesim.loads(text), **{"replications": 1, **options})  # type: ignore[arg-type]


@cache
def incident() -> Report:
    scenario = cascadesim.load(ROOT / "scenarios" / "incident-60s")
    return report(scenario, ["before", "agent-breaker"], replications=1)


class Page(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []  # tag, name, value
        self.texts: list[tuple[str, str]] = []  # the tag it stands in, text
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append((self.tags[-1] if self.tags else "", data))

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.texts)
