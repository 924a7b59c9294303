"""A whole scenario: its workload, stages, faults, observations, objectives and variants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from cascadesim.faults.registry import settings_by_kind
from cascadesim.plan.connections import CONNECTIONS
from cascadesim.scenario.objectives import ObjectiveText
from cascadesim.scenario.samples import SampleText
from cascadesim.scenario.schema.classes import (
    check_objectives,
    check_observed,
    check_paths,
    check_workload,
)
from cascadesim.scenario.schema.faults import Fault
from cascadesim.scenario.schema.rows import check_path_rows, check_row
from cascadesim.scenario.schema.stages import Stage
from cascadesim.scenario.schema.workload import Arrivals, Clients, Piecewise, Workload
from cascadesim.values import sources
from cascadesim.values.errors import show, suggest
from cascadesim.values.sources import follows
from cascadesim.values.strict import DOTTED_PATTERN, NO_OTHERS, Name, Strict, problem
from cascadesim.values.units import (
    Clock,
    Count,
    Duration,
    Instant,
    PositiveDuration,
    Seed,
    Text,
    Warmup,
    duration_text,
    parse_clock,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.config import JsonDict

    from cascadesim.plan.arrivals import Rates
    from cascadesim.scenario.schema.connections import Connections
    from cascadesim.scenario.schema.workload import RequestClass

MOST_FAULTS = 100_000  # of one random fault
MOST_REQUESTS = 20_000_000  # several gigabytes of records
_LESS = {"rate": "rate", "rates": "rate", "clients": "number of clients"}  # what makes them less


class Observation(Strict):
    """A recorded latency; the simulation sends such a request among the background traffic."""

    at: Instant = Field(description="when the latency was recorded")
    latency: PositiveDuration = Field(description="the recorded latency")
    request_class: Name | None = Field(
        None, alias="class", description="the class of the request, where there are any"
    )
    stamp: Literal["reply", "arrival"] = Field(
        "reply", description="whether `at` is the instant of the reply or of the arrival"
    )
    work: dict[str, Duration] = Field(
        {}, description="the request's own work by stage, where it is fitted and not drawn"
    )


class Variant(Strict):
    """Settings of a variant, by dotted path: `{agent.deadline.timeout: 5s}`.

    `extends` names a variant to start from.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "propertyNames": {"pattern": DOTTED_PATTERN},
            "additionalProperties": True,
        },
    )

    extends: Text | None = Field(None, description="a variant whose settings this one starts from")

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        """Take any: dotted paths are checked where they are applied."""


def _varied(value: Any) -> Any:
    if (isinstance(value, list) and value) or (isinstance(value, str) and ".." in value):
        return value
    got = "an empty list" if value == [] else show(value)
    message = f'expected a list such as [5s, 10s] or a range such as "1s..60s", got {got}'
    raise problem(message)


_VARIED: JsonDict = {
    "anyOf": [
        {"type": "array", "minItems": 1, "items": {}},
        {"type": "string", "pattern": r"^.+\.\..+$", "examples": ["1s..60s", "5..20:5"]},
    ]
}
Varied = Annotated[list[Any] | str, BeforeValidator(_varied), WithJsonSchema(_VARIED)]


class Sweep(Strict):
    """What `cascadesim sweep` does: `{vary: {agent.deadline.timeout: 1s..30s}, sample: lhs:64}`."""

    FOLLOWS = follows(sample=(sources.SAMPLES, sources.SALIB))

    vary: Annotated[dict[Text, Varied], Field(min_length=1)] = Field(
        description="settings by dotted path, each over a list of values (`[5s, 10s]`), steps "
        "(`5..20:5`) or, for a sample, a range (`1s..60s`; `0.0..1.0` for numbers that are not "
        "whole)",
        json_schema_extra={"propertyNames": {"pattern": DOTTED_PATTERN}},
    )
    sample: SampleText | None = Field(
        None,
        description="a sample in place of all combinations: `sobol:256`, `lhs:100`, or "
        "`saltelli:64` for Sobol indices (64 times the settings and 2)",
    )
    replications: Annotated[Count, Field(le=10_000)] = Field(
        1, description="replications of each setting"
    )


class ScenarioModel(Strict):
    """One scenario: workload, stages, faults, observations, objectives, variants and a sweep."""

    FOLLOWS = follows(warmup=sources.MSER5, objectives=sources.THRESHOLDS)

    name: Annotated[Text, Field(min_length=1)] = Field(description="what reports call it")
    summary: Text = Field("", description="one sentence on what it is about")
    clock: Clock | None = Field(None, description="what t = 0 is called, such as 23:29:00")
    horizon: PositiveDuration = Field(description="how long to simulate")
    drain: Duration = Field(
        "0s",
        validate_default=True,
        description="how long requests under way at the horizon are followed; none arrive",
    )
    warmup: Warmup = Field(
        "0s",
        validate_default=True,
        description="requests that arrive earlier are not measured; auto finds it by MSER-5",
    )
    seed: Seed = Field(1, description="of all random draws")
    workload: Workload = Field(description="the requests that are sent")
    stages: Annotated[dict[Name, Stage], Field(min_length=1)] = Field(
        description="in the order in which a request passes them", json_schema_extra=NO_OTHERS
    )
    faults: list[Fault] = Field([], description="timed changes of stages")
    observations: list[Observation] = Field([], description="recorded latencies to replay")
    objectives: list[ObjectiveText] = Field(
        [],
        description="thresholds to keep, of all requests",
        examples=[["p99 < 5s", "error_rate < 1%"]],
    )
    variants: dict[Name, Variant] = Field(
        {}, description="named settings, by dotted path", json_schema_extra=NO_OTHERS
    )
    sweep: Sweep | None = Field(
        None, description="settings to try side by side; `cascadesim sweep` says which one matters"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        stages = self._stages_by_name()
        self._check_rows()
        if self.fixed_warmup >= self.horizon:
            raise problem("warmup must be shorter than the horizon", "warmup")
        self._check_workload()
        for i, fault in enumerate(self.faults):
            self._check_fault(stages, fault, "faults", i)
        if self.classes:
            check_paths(self.classes, self.stages)
            check_path_rows(self.classes, self.stages)
        check_objectives(self.objectives, self.classes)
        for i, seen in enumerate(self.observations):
            for stage in seen.work:
                self._check_has_work(stages, stage, "observations", i, "work", stage, key=True)
            check_observed(seen, i, self.classes, self.stages)
            arrival = self.observed_arrival(i)
            if not 0 <= arrival < self.horizon:
                message = (
                    f"the request would arrive at t = {duration_text(arrival)}; "
                    f"expected from 0 s to below the horizon, {duration_text(self.horizon)}"
                )
                raise problem(message, "observations", i, "at")
        return self

    def _check_workload(self) -> None:
        check_workload(self.workload)
        if self.workload.closed is not None:
            self._check_clients(self.workload.closed)
        elif self.workload.connections is not None:
            self._check_messages(self.workload.connections)
        for at, arrivals in self._all_arrivals():
            self._check_arrivals(arrivals, *at)

    def _all_arrivals(self) -> Iterator[tuple[tuple[str, ...], Arrivals]]:
        if self.workload.arrivals is not None:
            yield ("workload", "arrivals"), self.workload.arrivals
        for name, settings in self.classes.items():
            if settings.arrivals is not None:
                yield ("workload", "classes", name, "arrivals"), settings.arrivals

    def _check_clients(self, closed: Clients) -> None:
        think = closed.think.distribution.mean
        if not think:
            message = "must take some time: a client whose request ends at once would never stop"
            raise problem(message, "workload", "closed", "think")
        requests = closed.clients * self.horizon / think
        self._check_number(f"up to {requests:.3g}", requests, "workload", "closed", "clients")

    def _check_messages(self, connections: Connections) -> None:
        at = ("workload", "connections")
        gap = connections.messages.distribution.mean
        if not gap:
            raise problem(
                "must take some time, or messages would come without end", *at, "messages"
            )
        requests = connections.clients * self.horizon / gap
        self._check_number(f"about {requests:.3g}", requests, *at, "clients")

    def _check_arrivals(self, arrivals: Arrivals, *at: str) -> None:
        at = (*at, arrivals.kind)
        if arrivals.replay is not None:  # a file may not have more rows than MOST_REQUESTS
            arrivals.replay.place(self.clock, self.horizon, *at)
            return
        if arrivals.piecewise is not None:
            key, requests = "rates", self.rates(arrivals.piecewise, *at).expected(self.horizon)
        else:
            key, requests = "rate", arrivals.chosen.rate * self.horizon
        at = (*at, key)
        if not requests:
            raise problem("sends no requests within the horizon", *at)
        self._check_number(f"about {requests:.3g}", requests, *at)

    def _check_number(self, shown: str, requests: float, *at: str) -> None:
        if requests > MOST_REQUESTS:
            message = (
                f"sends {shown} requests within the horizon, and a run "
                f"holds at most {MOST_REQUESTS / 1e6:g} million; lower the {_LESS[at[-1]]} or "
                "shorten the horizon"
            )
            raise problem(message, *at)

    def rates(self, piecewise: Piecewise, *at: str) -> Rates:
        """Return the rates of arrivals, with clock times placed; `at` is the place for errors."""
        at = (*at, "rates")
        pieces = enumerate(piecewise.rates)
        starts = [self.seconds(piece.start, *at, i, "from") for i, piece in pieces]
        return piecewise.plan(starts, *at)

    def _check_fault(self, stages: dict[str, Stage], fault: Fault, *at: str | int) -> None:
        for j, name in enumerate(fault.stages):
            place = (*at, "on") if isinstance(fault.on, str) else (*at, "on", j)
            if name == CONNECTIONS and self.workload.connections is not None:
                self._check_on_connections(fault, *place)
            elif fault.chosen.ON_POOL:
                self._check_leaks(stages, name, *place)
            else:
                self._check_has_work(stages, name, *place)
        if fault.start is not None:
            start, end = self.seconds(fault.start, *at, "from"), self.horizon + self.drain
            if start >= end:
                message = (
                    f"the fault would begin at t = {duration_text(start)}, when the run has ended; "
                    f"expected below horizon and drain, {duration_text(end)}"
                )
                raise problem(message, *at, "from")
        if fault.random is None:
            return
        expected = (self.horizon + self.drain) / (fault.random.mtbf + fault.random.mttr)
        if expected > MOST_FAULTS:
            message = (
                f"comes about {expected:.3g} times within the run, of at most {MOST_FAULTS}; "
                "lengthen mtbf"
            )
            raise problem(message, *at, "random", "mtbf")

    def _check_on_connections(self, fault: Fault, *at: str | int) -> None:
        if not fault.chosen.ON_CONNECTIONS:
            kinds = [kind for kind, other in settings_by_kind().items() if other.ON_CONNECTIONS]
            message = f"{fault.kind} is for stages; connections can have {' and '.join(kinds)}"
            raise problem(message, *at)

    def _check_leaks(self, stages: dict[str, Stage], name: str, *at: str | int) -> None:
        self._check_is_stage(stages, name, *at)
        pool = stages[name].pool
        if pool is None:
            others = [other for other, stage in stages.items() if stage.pool is not None]
            right = f"name a stage with one: {', '.join(others)}" if others else "give it one"
            raise problem(f"{show(name)} has no pool that could leak; {right}", *at)
        if pool.kind == "static":
            message = f"{show(name)} has a static pool, of which all share the one connection"
            raise problem(f"{message}, so none is leaked", *at)

    def _check_is_stage(
        self, stages: dict[str, Stage], name: str, *at: str | int, key: bool = False
    ) -> None:
        if name not in stages:
            raise problem(f"no stage {show(name)}; {suggest(name, list(stages))}", *at, key=key)

    def _check_has_work(
        self, stages: dict[str, Stage], name: str, *at: str | int, key: bool = False
    ) -> None:
        self._check_is_stage(stages, name, *at, key=key)
        if stages[name].work is None:
            inside = ", ".join(stages[name].stages)
            message = f"{show(name)} has no work of its own; name a stage inside it: {inside}"
            raise problem(message, *at, key=key)

    def _check_rows(self) -> None:
        check_row(self.stages, "stages")
        if self.workload.connections is not None:
            handshake = self.workload.connections.handshake
            check_row(handshake.stages, "workload", CONNECTIONS, "handshake", "stages")

    def _stages_by_name(self) -> dict[str, Stage]:
        names: dict[str, Stage] = {}
        places: dict[str, str] = {}
        connections = self.workload.connections

        def visit(stages: dict[str, Stage], *at: str) -> None:
            for name, stage in stages.items():
                here = (*at, "stages", name)
                if name in names:
                    message = (
                        f"there is another stage {show(name)}, at {places[name]}; names of stages "
                        "are global, as a dotted path begins with one"
                    )
                    raise problem(message, *here, key=True)
                if name in type(self).known_keys():
                    message = f'"{name}" is a key of the scenario; name the stage otherwise'
                    raise problem(message, *here, key=True)
                if name == CONNECTIONS and connections is not None:
                    message = f'faults call the clients "{name}"; name the stage otherwise'
                    raise problem(message, *here, key=True)
                names[name], places[name] = stage, ".".join(here)
                visit(stage.stages, *here)

        visit(self.stages)
        if connections is not None:
            visit(connections.handshake.stages, "workload", CONNECTIONS, "handshake")
        return names

    @property
    def classes(self) -> dict[str, RequestClass]:
        """Return the classes of requests by name, none where all go the same way."""
        return self.workload.classes or {}

    @property
    def all_objectives(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Return the objectives with where they stand: of all requests, then of each class."""
        return [
            *((("objectives", i), text) for i, text in enumerate(self.objectives)),
            *(
                (("workload", "classes", name, "objectives", i), f"{name}: {text}")
                for name, settings in self.classes.items()
                for i, text in enumerate(settings.objectives)
            ),
        ]

    @property
    def has_planned_faults(self) -> bool:
        """Return whether there is an incident: a fault that comes once, at a set time."""
        return any(fault.random is None for fault in self.faults)

    @property
    def fixed_warmup(self) -> float:
        """Return the warm-up in seconds, 0 where `auto` has not found it."""
        return 0.0 if isinstance(self.warmup, str) else self.warmup

    def seconds(self, instant: str | float, *at: str | int) -> float:
        """Return an instant in seconds after t = 0; `at` is its place, for the error."""
        if not isinstance(instant, str):
            return instant
        if self.clock is None:
            raise problem('a clock time needs "clock", what t = 0 is called', *at)
        day = 86_400
        after = ((parse_clock(instant) or 0.0) - (parse_clock(self.clock) or 0.0)) % day
        if after >= self.horizon and after > day / 2:  # nearer to t = 0 from before
            raise problem(f"{instant} is before t = 0, which is {self.clock}", *at)
        return after

    def observed_arrival(self, i: int) -> float:
        """Return when the request of observation `i` arrives, in seconds after t = 0."""
        seen = self.observations[i]
        at = self.seconds(seen.at, "observations", i, "at")
        return at if seen.stamp == "arrival" else at - seen.latency
