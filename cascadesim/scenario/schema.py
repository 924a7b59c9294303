"""The schema: what a scenario file may say. Pydantic models, units read at the edge.

Every mapping refuses keys it does not know. A mapping that names a kind by its one key, such as
`work: {lognormal: …}` or `- breaker: {…}`, is a `Choice`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from cascadesim.scenario.errors import show, suggest
from cascadesim.scenario.objectives import ObjectiveText
from cascadesim.scenario.samples import SampleText
from cascadesim.scenario.units import (
    Clock,
    Count,
    Duration,
    Instant,
    Number,
    PositiveDuration,
    Rate,
    Seed,
    Share,
    Text,
    Warmup,
    Whole,
    duration_text,
    parse_clock,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic.config import JsonDict

# Names stand in dotted paths and in lists on the command line.
NAME_PATTERN = r"^[^\s\x00-\x1f\x7f.=,]+$"
DOTTED_PATTERN = r"^[^\s.]+(\.[^\s.]+)*$"
Name = Annotated[str, Field(strict=True, pattern=NAME_PATTERN)]
MOST_REQUESTS = 20_000_000  # several gigabytes of records
_NO_OTHERS: JsonDict = {"additionalProperties": False}  # than those whose key is a name


def problem(
    message: str, *at: str | int, key: bool = False, without: Sequence[str] = ()
) -> PydanticCustomError:
    """Return an error that stands `at` keys below the value that is being validated.

    `key` says that the last of them is itself what is wrong, and not its value; `without` lists
    keys beside it that must go for it to stay.
    """
    # Braces in the message would be read as placeholders.
    context = {"message": message, "at": at, "key": key, "without": without}
    return PydanticCustomError("scenario", "{message}", context)


class Strict(BaseModel):
    """A mapping that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _check(cls, data: Any) -> Any:
        if isinstance(data, dict):
            cls._check_keys(data)
        return data

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        known = cls.known_keys()
        for key in data:
            if key not in known:
                message = f"unknown key {show(key)}; {suggest(str(key), known)}"
                raise problem(message, str(key), key=True)

    @classmethod
    def known_keys(cls) -> list[str]:
        """Return the keys as they are written."""
        return [field.alias or name for name, field in cls.model_fields.items()]


def _one_kind(schema: dict[str, Any], model: type[Choice]) -> None:
    """Say in a JSON Schema that exactly one kind is given, and not null."""
    for kind in model.kinds():
        settings = schema["properties"][kind]
        del settings["default"]
        settings |= settings.pop("anyOf")[0]
    schema["oneOf"] = [{"required": [kind]} for kind in model.kinds()]


class Choice(Strict):
    """A mapping with one key that names the kind, with that kind's settings.

    The keys in BESIDE may stand next to it.
    """

    model_config = ConfigDict(json_schema_extra=_one_kind)
    BESIDE: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def _check_keys(cls, data: Mapping[Any, Any]) -> None:
        super()._check_keys(data)
        kinds = cls.kinds()
        given = [key for key in data if key in kinds]
        if not given:
            raise problem(f"expected exactly one of: {', '.join(kinds)}; got none")
        if len(given) > 1:
            message = f'"{given[0]}" is given too; keep exactly one of: {", ".join(kinds)}'
            raise problem(message, given[-1], key=True, without=given[:-1])
        if data[given[0]] is None:
            raise problem("expected a value or settings ({} for none), got nothing", given[0])

    @classmethod
    def kinds(cls) -> list[str]:
        """Return the keys of which exactly one is given."""
        return [key for key in cls.known_keys() if key not in cls.BESIDE]

    @property
    def kind(self) -> str:
        """Return the key that was given."""
        return next(key for key in self.kinds() if key in self.model_fields_set)

    @property
    def chosen(self) -> Any:
        """Return the settings of the kind that was given."""
        return getattr(self, self.kind)


# Distributions ------------------------------------------------------------------------------


class Exponential(Strict):
    """Exponential, by its mean."""

    mean: PositiveDuration = Field(description="mean, a duration")


class Lognormal(Choice):
    """Lognormal, by its median and one of a percentile or sigma."""

    BESIDE = ("median",)

    median: PositiveDuration = Field(description="half of the values are shorter")
    p90: PositiveDuration | None = Field(None, description="90% of the values are shorter")
    p95: PositiveDuration | None = Field(None, description="95% of the values are shorter")
    p99: PositiveDuration | None = Field(None, description="99% of the values are shorter")
    sigma: Annotated[Number, Field(gt=0, le=5)] | None = Field(
        None, description="standard deviation of the natural logarithm"
    )

    @model_validator(mode="after")
    def _spread(self) -> Self:
        if self.kind == "sigma":
            return self
        most = {"p90": 600, "p95": 3700, "p99": 110_000}[self.kind]  # where sigma is about 5
        if not self.median < self.chosen <= most * self.median:
            message = f"{self.kind} must be more than the median and at most {most} times it"
            raise problem(message, self.kind)
        return self


class Uniform(Strict):
    """Uniform between two durations."""

    low: Duration = Field(description="the shortest")
    high: PositiveDuration = Field(description="the longest")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise problem("low must be less than high", "low")
        return self


class Work(Choice):
    """How long work takes."""

    constant: Duration | None = Field(None, description="always as long")
    exponential: Exponential | None = Field(None, description="memoryless, by its mean")
    lognormal: Lognormal | None = Field(None, description="by median and a percentile or sigma")
    uniform: Uniform | None = Field(None, description="evenly between two durations")


# Workload -----------------------------------------------------------------------------------


class Arrival(Strict):
    """Arrivals at a rate."""

    rate: Rate = Field(description="requests per unit of time, such as 4/s or 240/min")


class Arrivals(Choice):
    """When requests arrive: at equal distances, or as a Poisson process."""

    constant: Arrival | None = Field(None, description="at equal distances")
    poisson: Arrival | None = Field(None, description="independent of each other")


class Workload(Strict):
    """The offered load."""

    arrivals: Arrivals = Field(description="when requests arrive")


# Policies -----------------------------------------------------------------------------------

ErrorName = Literal["rejected", "timed_out", "failed"]
Errors = Annotated[list[ErrorName], Field(min_length=1)]


class Policy(Strict):
    """What every policy has. `name` tells two of a kind apart in dotted paths."""

    name: Name | None = Field(None, description="for dotted paths, in place of the kind")
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

    timeout: PositiveDuration = Field(description="longest time for the call")
    on_timeout: Literal["cancel", "abandon"] = Field(
        "cancel",
        description="cancel frees what the work holds; abandon lets it run on and hold it",
    )


class Retry(Policy):
    """Sends a call that failed again."""

    attempts: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        3, description="calls in all, the first one included"
    )
    backoff: Literal["constant", "linear", "exponential"] = Field(
        "exponential", description="how waits grow from one attempt to the next"
    )
    base: Duration = Field("100ms", validate_default=True, description="the first wait")
    multiplier: Annotated[Number, Field(ge=1)] = Field(
        2.0, description="growth of an exponential backoff"
    )
    cap: PositiveDuration | None = Field(None, description="longest single wait")
    jitter: Literal["none", "full", "equal", "decorrelated"] = Field(
        "none", description="what part of a wait is random"
    )
    budget: Share | None = Field(
        None, description="share of calls that may be retried, beyond a reserve of 10"
    )
    outcomes: Errors = Field(
        ["timed_out", "failed"], description="outcomes that earn another attempt"
    )


class Fallback(Policy):
    """Gives a degraded answer in place of an error."""

    work: Work = Field(
        {"constant": "0s"},
        validate_default=True,
        description="how long the degraded answer takes",
    )
    outcomes: Errors = Field(
        ["rejected", "timed_out", "failed"], description="outcomes that it answers for"
    )


class PolicyChoice(Choice):
    """One policy, by its kind."""

    breaker: Breaker | None = Field(None, description="stops calls after failures")
    deadline: Deadline | None = Field(None, description="ends a call that takes too long")
    fallback: Fallback | None = Field(None, description="a degraded answer in place of an error")
    retry: Retry | None = Field(None, description="sends a call that failed again")

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
    timeout: PositiveDuration = Field(
        "30s", validate_default=True, description="longest wait for a connection"
    )
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

    timeout: PositiveDuration = Field(description="after which it fails such an execution")


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
    session: Session = Field({}, validate_default=True, description="how long a connection is held")
    startup: Startup | None = Field(None, description="waiting for the stage after a restart")
    tracker: Tracker | None = Field(None, description="notices executions that give no answer")
    stages: dict[Name, Stage] = Field(
        {},
        description="stages inside, passed in order after the stage's own work",
        json_schema_extra=_NO_OTHERS,
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.work is None and not self.stages:
            raise problem("a stage needs work, or stages inside it")
        if self.queue_limit is not None and self.concurrency is None:
            raise problem("queue_limit needs concurrency, else nothing queues", "queue_limit")
        if self.pool is None and "session" in self.model_fields_set:
            raise problem("session needs a pool to take its connection from", "session")
        if self.work is None:
            for key in ("tracker", "failure_rate", "kind"):
                if key in self.model_fields_set and getattr(self, key) is not None:
                    message = (
                        f"{key} needs work of the stage's own; this one has only stages inside"
                    )
                    raise problem(message, key)
        self._check_policy_names()
        return self

    def _check_policy_names(self) -> None:
        seen: set[str] = set()
        for i, policy in enumerate(self.policies):
            at = ("policies", i, policy.kind)
            if policy.name in type(self).known_keys():
                raise problem(f'"{policy.name}" is a key of stages; name it otherwise', *at, "name")
            if policy.name in seen:
                message = f'another policy of this stage goes by "{policy.name}"; give one a "name"'
                raise problem(message, *at, key=True)
            seen.add(policy.name)


# Faults -------------------------------------------------------------------------------------


class Outage(Strict):
    """Calls fail, and so do those under way when it begins."""

    fail_after: Duration = Field(
        "0s", validate_default=True, description="how long a call takes to fail"
    )


class ErrorRate(Strict):
    """A share of calls fails after its work."""

    share: Share = Field(description="share of the calls that fail")


class Latency(Strict):
    """Calls that start meanwhile take longer."""

    multiply: Annotated[Number, Field(gt=0, le=10**6)] = Field(
        1.0, description="factor on the work's time"
    )
    add: Duration = Field("0s", validate_default=True, description="time added after the factor")


class Plain(Strict):
    """A fault without settings."""


class Fault(Choice):
    """A timed change of a stage: `{on: agent, from: 1min, for: 45s, outage: {}}`."""

    BESIDE = ("on", "from", "for")

    on: Text = Field(description="the stage")
    start: Instant = Field(alias="from", description="time after t = 0, or by the clock")
    duration: PositiveDuration = Field(alias="for", description="how long it lasts")
    outage: Outage | None = Field(None, description="calls fail")
    error_rate: ErrorRate | None = Field(None, description="a share of the calls fails")
    latency: Latency | None = Field(None, description="calls take longer")
    partition: Plain | None = Field(None, description="no answer: only a timeout ends a call")
    restart: Plain | None = Field(
        None, description="calls under way fail; the stage starts up until the fault is over"
    )


class Observation(Strict):
    """A recorded latency; the simulation sends such a request among the background traffic."""

    at: Instant = Field(description="when the latency was recorded")
    latency: PositiveDuration = Field(description="the recorded latency")
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
        1, description="worlds that each setting meets"
    )


class ScenarioModel(Strict):
    """One scenario: workload, stages, faults, observations, objectives, variants and a sweep."""

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
        description="in the order in which a request passes them", json_schema_extra=_NO_OTHERS
    )
    faults: list[Fault] = Field([], description="timed changes of stages")
    observations: list[Observation] = Field([], description="recorded latencies to replay")
    objectives: list[ObjectiveText] = Field(
        [], description="thresholds to keep", examples=[["p99 < 5s", "error_rate < 1%"]]
    )
    variants: dict[Name, Variant] = Field(
        {}, description="named settings, by dotted path", json_schema_extra=_NO_OTHERS
    )
    sweep: Sweep | None = Field(
        None, description="settings to try side by side; `cascadesim sweep` says which one matters"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        stages = self._stages_by_name()
        if self.fixed_warmup >= self.horizon:
            raise problem("warmup must be shorter than the horizon", "warmup")
        self._check_size()
        for i, fault in enumerate(self.faults):
            self._check_has_work(stages, fault.on, "faults", i, "on")
            self.seconds(fault.start, "faults", i, "from")
        for i, seen in enumerate(self.observations):
            for stage in seen.work:
                self._check_has_work(stages, stage, "observations", i, "work", stage, key=True)
            arrival = self.observed_arrival(i)
            if not 0 <= arrival < self.horizon:
                message = (
                    f"the request would arrive at t = {duration_text(arrival)}; "
                    f"expected from 0 s to below the horizon, {duration_text(self.horizon)}"
                )
                raise problem(message, "observations", i, "at")
        return self

    def _check_size(self) -> None:
        arrivals = self.workload.arrivals
        rate = arrivals.chosen.rate
        if rate * self.horizon > MOST_REQUESTS:
            message = (
                f"sends about {rate * self.horizon:.3g} requests within the horizon, and a run "
                f"holds at most {MOST_REQUESTS / 1e6:g} million; lower the rate or shorten "
                "the horizon"
            )
            raise problem(message, "workload", "arrivals", arrivals.kind, "rate")

    def _check_has_work(
        self, stages: dict[str, Stage], name: str, *at: str | int, key: bool = False
    ) -> None:
        if name not in stages:
            raise problem(f"no stage {show(name)}; {suggest(name, list(stages))}", *at, key=key)
        if stages[name].work is None:
            inside = ", ".join(stages[name].stages)
            message = f"{show(name)} has no work of its own; name a stage inside it: {inside}"
            raise problem(message, *at, key=key)

    def _stages_by_name(self) -> dict[str, Stage]:
        names: dict[str, Stage] = {}

        def visit(stages: dict[str, Stage], *at: str) -> None:
            for name, stage in stages.items():
                here = (*at, "stages", name)
                if name in names:
                    message = f"there is another stage {show(name)}; names must differ"
                    raise problem(message, *here, key=True)
                if name in type(self).known_keys():
                    message = f'"{name}" is a key of the scenario; name the stage otherwise'
                    raise problem(message, *here, key=True)
                names[name] = stage
                visit(stage.stages, *here)

        visit(self.stages)
        return names

    @property
    def fixed_warmup(self) -> float:
        """Return the warm-up in seconds, 0 where it is yet to be found."""
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
