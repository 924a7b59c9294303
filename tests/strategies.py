"""Scenarios for hypothesis, as the data of a YAML file; they use everything the schema has."""

from hypothesis import strategies as st
from kit import Data
from policy_strategies import (
    LATENCIES,
    Draw,
    codels,
    maybe,
    merged,
    ms,
    percent,
    policies,
    pools,
    works,
)

from cascadesim.faults.registry import settings_by_kind

HORIZON = 20  # seconds
BARE = [kind for kind, fault in settings_by_kind().items() if not fault.model_fields]


@st.composite
def stages(draw: Draw, bounded: bool, names: list[str], depth: int = 0) -> Data:
    """Draw one stage; its name and those of the stages inside are appended to `names`."""
    stage: Data = {}
    inside: Data = {}
    if depth < 2 and draw(st.integers(0, 2)) == 0:
        inside = draw_stages(draw, bounded, names, draw(st.integers(1, 3)), depth + 1)
        stage["stages"] = inside
        if len(inside) > 1:
            stage |= draw(maybe("parallel", st.booleans()))
        if stage.get("parallel"):
            for each in inside.values():
                each.pop("when_full", None)
    if not inside or draw(st.booleans()):
        stage["work"] = draw(works(bounded))
        stage["kind"] = draw(st.sampled_from(["service", "agent"]))
        stage |= draw(maybe("failure_rate", percent))
        stage |= draw(maybe("tracker", st.fixed_dictionaries({"timeout": ms(100, 4000)})))
    stage |= draw(maybe("concurrency", st.integers(1, 5)))
    if "concurrency" in stage:
        stage |= draw(maybe("queue_limit", st.integers(0, 6)))
        if "queue_limit" in stage:
            stage |= draw(maybe("retry_after", ms(1, 2000)))
        stage |= draw(
            st.one_of(maybe("queue", st.sampled_from(["fifo", "lifo"])), maybe("codel", codels()))
        )
    stage |= draw(maybe("startup", st.fixed_dictionaries({"timeout": ms(50, 5000)})))
    stage |= draw(maybe("pool", pools(bounded)))
    if "pool" in stage and stage["pool"].get("kind") != "static":
        session = merged(maybe("lifetime", ms(50, 3000)), maybe("leak", percent))
        stage |= draw(maybe("session", session))
    stage["policies"] = draw(policies(bounded))
    return stage


def unblocked(drawn: Data, paths: list[list[str]]) -> None:
    """Let stages refuse calls that some path comes to from another stage than the one before."""
    for before, name in zip([None, *drawn], drawn, strict=False):
        ways = [(None, *path)[path.index(name)] for path in paths if name in path]
        if any(way != before for way in ways):
            drawn[name].pop("when_full", None)


def draw_stages(draw: Draw, bounded: bool, names: list[str], count: int, depth: int) -> Data:
    drawn: Data = {}
    for _ in range(count):
        name = f"stage-{len(names)}"
        names.append(name)
        before = list(drawn.values())[-1:]
        drawn[name] = draw(stages(bounded, names, depth))
        keeps = before and "concurrency" in before[0] and "codel" not in before[0]
        if keeps and "queue_limit" in drawn[name] and "codel" not in drawn[name]:
            drawn[name] |= draw(maybe("when_full", st.sampled_from(["block", "block", "reject"])))
            if drawn[name].get("when_full") == "block":
                drawn[name].pop("retry_after", None)
    return drawn


def faults(names: list[str], pools: list[str]) -> st.SearchStrategy[Data]:
    """Return a strategy for faults of stages with work, of which some also have a pool to leak."""
    cold = st.fixed_dictionaries({"multiply": st.floats(1.01, 5), "for": ms(1, 8000)})
    latency = merged(maybe("multiply", st.floats(0.5, 5)), maybe("add", ms(0, 1000)))
    kinds: st.SearchStrategy[Data] = st.one_of(
        st.fixed_dictionaries({"outage": maybe("fail_after", ms(0, 500))}),
        st.fixed_dictionaries({"error_rate": st.fixed_dictionaries({"share": percent})}),
        st.fixed_dictionaries({"latency": latency}),
        st.sampled_from(BARE).map(lambda kind: {kind: {}}),
        st.fixed_dictionaries({"restart": maybe("cold_start", cold)}),
        st.fixed_dictionaries(
            {"cold_start": st.fixed_dictionaries({"multiply": st.floats(1.01, 5)})}
        ),
    )
    planned = st.fixed_dictionaries({"from": ms(0, 15_000), "for": ms(1, 8000)})
    often = st.fixed_dictionaries({"mtbf": ms(100, 20_000), "mttr": ms(1, 5000)})
    when = st.one_of(planned, planned, st.fixed_dictionaries({"random": often}))
    found = merged(on_some(names), when, kinds)
    if not pools:
        return found
    leak = st.fixed_dictionaries({"pool_leak": st.fixed_dictionaries({"share": percent})})
    return st.one_of(found, found, merged(on_some(pools), when, leak))


def on_some(names: list[str]) -> st.SearchStrategy[Data]:
    several = st.lists(st.sampled_from(names), min_size=1, unique=True)
    return st.fixed_dictionaries({"on": st.sampled_from(names) | several})


def observations(names: list[str], request_class: str | None) -> st.SearchStrategy[Data]:
    """Return a strategy for observations of requests that pass these stages."""
    of: Data = {} if request_class is None else {"class": request_class}
    second = st.integers(10, HORIZON - 1).map(lambda n: f"12:00:{n:02d}")
    return merged(
        st.just(of),
        st.fixed_dictionaries({"at": second, "latency": ms(1, 10_000)}),
        maybe("stamp", st.sampled_from(["reply", "arrival"])),
        maybe("work", st.dictionaries(st.sampled_from(names), ms(0, 2000), max_size=2))
        if names
        else st.just({}),
    )


@st.composite
def workloads(draw: Draw) -> Data:
    rates = st.integers(1, 12).map(lambda n: f"{n}/s")
    kind = draw(st.sampled_from(["constant", "poisson", "piecewise", "replay"]))
    if kind == "replay":
        times = {"file": str(LATENCIES), "column": "latency_ms", "unit": "s"}
        return {kind: times | {"speed": draw(st.integers(5, 20)), "share": "80%"}}
    if kind != "piecewise":
        return {kind: {"rate": draw(rates)}}
    pieces = [
        {"from": draw(ms(0, 3000)), "rate": draw(rates)},
        {"from": draw(ms(3001, 6000)), "rate": draw(st.just("0/s") | rates), "to": draw(rates)},
        {"from": draw(ms(6001, 9000)), "rate": draw(rates)},
    ]
    period = maybe("period", st.just("9500ms"))
    spacing = maybe("spacing", st.sampled_from(["poisson", "even"]))
    return {kind: {"rates": pieces} | draw(merged(period, spacing))}


@st.composite
def classed(draw: Draw, stages: list[str]) -> Data:
    """Draw a workload of classes that pass these stages, with weights or arrivals of their own."""
    paths = draw(
        st.lists(st.lists(st.sampled_from(stages), min_size=1, unique=True), min_size=1, max_size=3)
    )
    passed = {stage for path in paths for stage in path}
    paths[-1] += [stage for stage in stages if stage not in passed]
    classes: Data = {f"class-{i}": {"path": path} for i, path in enumerate(paths)}
    apart = draw(st.booleans())
    for each in classes.values():
        own = {"arrivals": workloads()} if apart else {"weight": st.integers(0, 9)}
        each.update(draw(st.fixed_dictionaries(own)))
    if apart:
        return {"classes": classes}
    classes["class-0"]["weight"] += 1
    return {"arrivals": draw(workloads()), "classes": classes}


def with_load(data: Data, load: Data) -> Data:
    """Return the scenario with another load, such as clients, that its classes share by weight."""
    classes = {
        name: {"path": each["path"], "weight": each.get("weight", 1)}
        for name, each in data["workload"].get("classes", {}).items()
    }
    return data | {"workload": load | ({"classes": classes} if classes else {})}


def with_stages(data: Data, stages: Data) -> Data:
    """Return the scenario with other stages at the top, all of which every class passes."""
    workload = dict(data["workload"])
    if "classes" in workload:
        workload["classes"] = {
            name: {key: value for key, value in each.items() if key != "path"}
            for name, each in workload["classes"].items()
        }
    return data | {"workload": workload, "stages": stages}


def leaking(drawn: Data) -> list[str]:
    """Return the names of the stages whose pool can leak."""
    inside = [name for stage in drawn.values() for name in leaking(stage.get("stages", {}))]
    own = [n for n, s in drawn.items() if s.get("pool", {"kind": "static"}).get("kind") != "static"]
    return own + inside


def working(drawn: Data) -> list[str]:
    """Return the names of the stages that have work of their own, which faults can be on."""
    inside = [name for stage in drawn.values() for name in working(stage.get("stages", {}))]
    return [name for name, stage in drawn.items() if "work" in stage] + inside


@st.composite
def scenarios(draw: Draw, bounded: bool = False) -> Data:
    """Draw a scenario; `bounded` leaves out work without a longest value."""
    names: list[str] = []
    drawn = draw_stages(draw, bounded, names, draw(st.integers(1, 3)), 0)
    apart = classed(list(drawn))
    plain = st.fixed_dictionaries({"arrivals": workloads()})
    workload = draw(st.one_of(plain, plain, apart))
    classes = workload.get("classes", {})
    unblocked(drawn, [each["path"] for each in classes.values()])
    seen = []
    for name in draw(st.lists(st.sampled_from(list(classes) or [None]), max_size=3)):
        path = drawn if name is None else {key: drawn[key] for key in classes[name]["path"]}
        seen.append(draw(observations(working(path), name)))
    names = working(drawn)
    return {
        "name": "drawn",
        "clock": "12:00:00",
        "horizon": f"{HORIZON}s",
        "drain": draw(ms(0, 5000)),
        "warmup": draw(ms(0, 5000)),
        "workload": workload,
        "stages": drawn,
        "faults": draw(st.lists(faults(names, leaking(drawn)), max_size=3)),
        "observations": seen,
    }
