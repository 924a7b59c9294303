"""The schema: what a scenario file may say. Pydantic models, units read at the edge.

Every mapping refuses keys it does not know. A mapping that names a kind by its one key, such as
`work: {lognormal: …}` or `- breaker: {…}`, is a `Choice`.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from cascadesim.scenario.objectives import ObjectiveText
from cascadesim.scenario.units import (
    Clock,
    Count,
    Duration,
    Instant,
    PositiveDuration,
    Rate,
    Share,
    Whole,
    parse_clock,
)


def problem(message: str, *at: str | int) -> PydanticCustomError:
    """Return an error that stands `at` keys below the value that is being validated."""
    # Braces in the message would be read as placeholders.
    return PydanticCustomError("scenario", "{message}", {"message": message, "at": at})


def suggest(word: str, known: list[str]) -> str:
    """Return what the reader may have meant by `word`, or else what is known."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known: {', '.join(known)}" if known else "none is known here"


class Strict(BaseModel):
    """A mapping that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            known = cls.known_keys()
            for key in data:
                if key not in known:
                    raise problem(f'unknown key "{key}"; {suggest(str(key), known)}', key)
        return data

    @classmethod
    def known_keys(cls) -> list[str]:
        """Return the keys as they are written."""
        return [field.alias or name for name, field in cls.model_fields.items()]


class Choice(Strict):
    """A mapping with one key, which names the kind, and that kind's settings."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if len(self.model_fields_set) != 1:
            kinds = ", ".join(type(self).known_keys())
            raise problem(f"give exactly one of: {kinds}")
        if self.chosen is None:
            raise problem("expected settings, got nothing", self.kind)
        return self

    @property
    def kind(self) -> str:
        """Return the key that was given."""
        return next(iter(self.model_fields_set))

    @property
    def chosen(self) -> Any:
        """Return the settings of the kind that was given."""
        return getattr(self, self.kind)


# Distributions ------------------------------------------------------------------------------


class Exponential(Strict):
    """Exponential, by its mean."""

    mean: PositiveDuration


class Lognormal(Strict):
    """Lognormal, by its median and one of a percentile or sigma, the spread of the logarithm."""

    median: PositiveDuration
    p90: PositiveDuration | None = None
    p95: PositiveDuration | None = None
    p99: PositiveDuration | None = None
    sigma: Annotated[float, Field(gt=0, le=5)] | None = None

    @model_validator(mode="after")
    def _one_spread(self) -> Self:
        given = self.model_fields_set - {"median"}
        if len(given) != 1:
            raise problem("give the median and exactly one of: p90, p95, p99, sigma")
        spread = next(iter(given))
        value = getattr(self, spread)
        if value is None:
            raise problem("expected a value, got nothing", spread)
        if spread != "sigma" and value <= self.median:
            raise problem(f"{spread} must be more than the median", spread)
        return self


class Uniform(Strict):
    """Uniform between two durations."""

    low: Duration
    high: PositiveDuration

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise problem("low must be less than high", "low")
        return self


class Work(Choice):
    """How long work takes."""

    constant: Duration | None = None
    exponential: Exponential | None = None
    lognormal: Lognormal | None = None
    uniform: Uniform | None = None


# Workload -----------------------------------------------------------------------------------


class Arrival(Strict):
    """Arrivals at a rate."""

    rate: Rate


class Arrivals(Choice):
    """When requests arrive: at equal distances, or as a Poisson process."""

    constant: Arrival | None = None
    poisson: Arrival | None = None


class Workload(Strict):
    """The offered load."""

    arrivals: Arrivals


# Policies -----------------------------------------------------------------------------------

ErrorName = Literal["rejected", "timed_out", "failed"]
Errors = Annotated[list[ErrorName], Field(min_length=1)]


class Policy(Strict):
    """What every policy has. `name` tells two of a kind apart in dotted paths."""

    name: Annotated[str, Field(pattern=r"^[^\s.=,]+$")] | None = None
    enabled: bool = Field(True, strict=True, description="false leaves the policy out")


class Breaker(Policy):
    """Circuit breaker that opens after consecutive failures."""

    failure_threshold: Count = Field(5, description="consecutive failures that open it")
    recovery_timeout: PositiveDuration = Field(description="how long it stays open")
    half_open_permits: Count = Field(1, description="trial calls let through at once")
    successes_to_close: Count = Field(1, description="trial successes that close it")
    when_open: Literal["reject", "wait"] = Field(
        "reject", description="reject callers at once, or let them wait for the recovery"
    )
    max_recoveries: Whole = Field(
        1, description="recoveries that a waiting caller sits through before it is rejected"
    )
    outcomes: Errors = Field(
        ["rejected", "timed_out", "failed"], description="outcomes that count as failures"
    )


class Deadline(Policy):
    """Ends a call that takes too long."""

    timeout: PositiveDuration
    on_timeout: Literal["cancel", "abandon"] = Field(
        "cancel",
        description="cancel frees what the work holds; abandon lets it run on and hold it",
    )


class Retry(Policy):
    """Sends a call that failed again."""

    attempts: Count = Field(3, description="calls in all, the first one included")
    backoff: Literal["constant", "linear", "exponential"] = "exponential"
    base: Duration = Field(0.1, description="the first wait; 100ms where not given")
    multiplier: Annotated[float, Field(ge=1)] = Field(
        2.0, description="growth of an exponential backoff"
    )
    cap: PositiveDuration | None = Field(None, description="longest single wait")
    jitter: Literal["none", "full", "equal", "decorrelated"] = "none"
    budget: Share | None = Field(
        None, description="share of calls that may be retried, beyond a reserve of 10"
    )
    outcomes: Errors = Field(
        ["timed_out", "failed"], description="outcomes that earn another attempt"
    )


class Fallback(Policy):
    """Gives a degraded answer in place of an error."""

    work: Work = Field(Work(constant="0s"), description="how long the degraded answer takes")
    outcomes: Errors = Field(
        ["rejected", "timed_out", "failed"], description="outcomes that it answers for"
    )


class PolicyChoice(Choice):
    """One policy, by its kind."""

    breaker: Breaker | None = None
    deadline: Deadline | None = None
    fallback: Fallback | None = None
    retry: Retry | None = None

    @property
    def name(self) -> str:
        """Return what the policy goes by in dotted paths: its name, else its kind."""
        return self.chosen.name or self.kind


# Stages -------------------------------------------------------------------------------------


class Pool(Strict):
    """Database connections, after SQLAlchemy's QueuePool and NullPool."""

    kind: Literal["queue", "null"] = Field(
        "queue", description="keep connections, or make a new one for each checkout"
    )
    connect_time: Duration = Field(description="to make a connection")
    max_connections: Count | None = Field(
        None, description="connections the database accepts; it refuses one more at once"
    )
    size: Count = Field(5, description="connections kept")
    max_overflow: Whole = Field(10, description="connections beyond size, closed when returned")
    timeout: PositiveDuration = Field(30.0, description="longest wait for one; 30s if not given")
    recycle: PositiveDuration | None = Field(
        None, description="age at which a connection is replaced at checkout"
    )

    @model_validator(mode="after")
    def _kind_has_them(self) -> Self:
        if self.kind == "null":
            for key in ("size", "max_overflow", "timeout", "recycle"):
                if key in self.model_fields_set:
                    raise problem(
                        f'"{key}" has no effect on a pool of kind "null", which keeps no '
                        "connections; write kind: queue or leave it out",
                        key,
                    )
        return self


class Session(Strict):
    """The span for which a request holds a connection."""

    lifetime: PositiveDuration | None = Field(
        None, description="after which the reaper ends a session, in use or leaked"
    )
    leak: Share = Field(0.0, description="share of sessions that their request never closes")


class Startup(Strict):
    """What callers do while the stage starts up after a restart."""

    timeout: PositiveDuration = Field(description="how long they wait for it")


class Tracker(Strict):
    """Notices an execution that gives no answer, and fails it, only at its timeout."""

    timeout: PositiveDuration


class Stage(Strict):
    """One thing that a request passes through."""

    kind: Literal["service", "agent"] = Field(
        "service", description="the work of an agent counts as agent execution"
    )
    work: Work | None = Field(None, description="how long the stage's own work takes")
    failure_rate: Share = Field(0.0, description="chance that a call fails after its work")
    concurrency: Count | None = Field(None, description="calls worked on at once")
    queue_limit: Whole | None = Field(
        None, description="calls that may wait for concurrency; one more is rejected"
    )
    policies: list[PolicyChoice] = Field([], description="what wraps the stage, outermost first")
    pool: Pool | None = Field(None, description="connections that the stage draws from")
    session: Session = Session()
    startup: Startup | None = None
    tracker: Tracker | None = None
    stages: dict[str, Stage] = Field(
        {}, description="stages inside, passed in order after the stage's own work"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.work is None and not self.stages:
            raise problem("a stage needs work, or stages inside it")
        if self.queue_limit is not None and self.concurrency is None:
            raise problem("queue_limit needs concurrency, else nothing queues", "queue_limit")
        if self.pool is None and "session" in self.model_fields_set:
            raise problem("session needs a pool to take its connection from", "session")
        if self.tracker is not None and self.work is None:
            raise problem("tracker needs work to watch over", "tracker")
        seen: set[str] = set()
        for i, policy in enumerate(self.policies):
            if policy.name in seen or policy.name in type(self).known_keys():
                raise problem(
                    f'"{policy.name}" already names something in this stage; give it a name',
                    *("policies", i, policy.kind),
                )
            seen.add(policy.name)
        return self


# Faults -------------------------------------------------------------------------------------


class Outage(Strict):
    """Calls fail, and so do those under way when it begins."""

    fail_after: Duration = Field(0.0, description="how long a call takes to fail; at once if 0s")


class ErrorRate(Strict):
    """A share of calls fails after its work."""

    share: Share


class Latency(Strict):
    """Calls that start meanwhile take longer."""

    multiply: Annotated[float, Field(gt=0)] = 1.0
    add: Duration = 0.0


class Plain(Strict):
    """A fault without settings."""


class Fault(Strict):
    """A timed change of a stage: `{on: agent, from: 1min, for: 45s, outage: {}}`."""

    on: str = Field(description="the stage")
    start: Instant = Field(alias="from", description="time after t = 0, or by the clock")
    duration: PositiveDuration = Field(alias="for")
    outage: Outage | None = None
    error_rate: ErrorRate | None = None
    latency: Latency | None = None
    partition: Plain | None = Field(None, description="no answer: only a timeout ends a call")
    restart: Plain | None = Field(
        None, description="calls under way fail; the stage starts up until the fault is over"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [key for key in type(self).known_keys() if key not in ("on", "from", "for")]
        if len(self.model_fields_set & set(kinds)) != 1:
            raise problem(f"give exactly one of: {', '.join(kinds)}")
        if getattr(self, self.kind) is None:
            raise problem("expected settings (write {} for none), got nothing", self.kind)
        return self

    @property
    def kind(self) -> str:
        """Return the kind of fault that was given."""
        return next(iter(self.model_fields_set - {"on", "start", "duration"}))


class Observation(Strict):
    """A recorded latency; the simulation sends such a request among the background traffic."""

    at: Instant = Field(description="when the latency was recorded")
    latency: PositiveDuration
    stamp: Literal["reply", "arrival"] = Field(
        "reply", description="whether `at` is the instant of the reply or of the arrival"
    )
    work: dict[str, Duration] = Field(
        {}, description="the request's own work by stage, where it is fitted and not drawn"
    )


class Variant(Strict):
    """Settings of a variant, by dotted path; `extends` names a variant to start from."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"additionalProperties": True},
    )

    extends: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, data: Any) -> Any:
        return data  # dotted paths are checked where they are applied


class ScenarioModel(Strict):
    """One scenario: workload, stages, faults, observations, objectives and variants."""

    name: Annotated[str, Field(min_length=1)]
    summary: str = ""
    clock: Clock | None = Field(None, description="what t = 0 is called, such as 23:29:00")
    horizon: PositiveDuration = Field(description="how long to simulate")
    drain: Duration = Field(
        0.0, description="how long requests under way at the horizon are followed; none arrive"
    )
    warmup: Duration = Field(0.0, description="requests that arrive earlier are not measured")
    seed: Whole = 1
    workload: Workload
    stages: Annotated[dict[str, Stage], Field(min_length=1)] = Field(
        description="in the order in which a request passes them"
    )
    faults: list[Fault] = []
    observations: list[Observation] = []
    objectives: list[ObjectiveText] = Field([], examples=[["p99 < 5s", "error_rate < 1%"]])
    variants: dict[str, Variant] = Field({}, description="named settings, by dotted path")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = self._stage_names()
        if self.warmup >= self.horizon:
            raise problem("warmup must be shorter than the horizon", "warmup")
        for i, fault in enumerate(self.faults):
            if fault.on not in names:
                raise problem(
                    f'no stage "{fault.on}"; {suggest(fault.on, names)}', "faults", i, "on"
                )
            self.seconds(fault.start, "faults", i, "from")
        for i, seen in enumerate(self.observations):
            for stage in seen.work:
                if stage not in names:
                    message = f'no stage "{stage}"; {suggest(stage, names)}'
                    raise problem(message, "observations", i, "work", stage)
            if not 0 <= self.observed_arrival(i) < self.horizon:
                message = "the observed request must arrive between t = 0 and the horizon"
                raise problem(message, "observations", i, "at")
        return self

    def _stage_names(self) -> list[str]:
        names: list[str] = []

        def visit(stages: dict[str, Stage], *at: str) -> None:
            for name, stage in stages.items():
                here = (*at, "stages", name)
                if not name or any(c.isspace() or c in ".=," for c in name):
                    raise problem("a stage name has no spaces and none of . = ,", *here)
                if name in names:
                    raise problem(f'there is another stage "{name}"; names must differ', *here)
                if name in type(self).known_keys():
                    raise problem(f'"{name}" is a key of the scenario; name it otherwise', *here)
                names.append(name)
                visit(stage.stages, *here)

        visit(self.stages)
        return names

    def seconds(self, instant: str | float, *at: str | int) -> float:
        """Return an instant in seconds after t = 0; `at` is its place, for the error."""
        if not isinstance(instant, str):
            return instant
        if self.clock is None:
            raise problem('a clock time needs "clock", what t = 0 is called', *at)
        day = 86_400
        return ((parse_clock(instant) or 0.0) - (parse_clock(self.clock) or 0.0)) % day

    def observed_arrival(self, i: int) -> float:
        """Return when the request of observation `i` arrives, in seconds after t = 0."""
        seen = self.observations[i]
        at = self.seconds(seen.at, "observations", i, "at")
        return at if seen.stamp == "arrival" else at - seen.latency
