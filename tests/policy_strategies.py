"""Work, policies and pools for hypothesis, as the data of a YAML file."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from kit import Data

Draw = Callable[[st.SearchStrategy[Any]], Any]

LATENCIES = Path(__file__).parent / "data" / "latencies.csv"


@cache
def ms(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(lambda n: f"{n}ms")


def maybe(key: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Data]:
    """Return a strategy for a mapping that has the key, or has not."""
    return st.one_of(st.just({}), values.map(lambda value: {key: value}))


def merged(*parts: st.SearchStrategy[Data]) -> st.SearchStrategy[Data]:
    def merge(values: tuple[Data, ...]) -> Data:
        return {key: value for part in values for key, value in part.items()}

    return st.tuples(*parts).map(merge)


percent = st.integers(0, 100).map(lambda n: f"{n}%")


errors = st.lists(
    st.sampled_from(["rejected", "shed", "timed_out", "failed"]), min_size=1, unique=True
)


@st.composite
def lognormals(draw: Draw) -> Data:
    median = draw(st.integers(1, 100))
    spread = draw(st.sampled_from(["p90", "p95", "p99", "sigma"]))
    value = (
        draw(st.floats(0.1, 2)) if spread == "sigma" else f"{median * draw(st.integers(2, 20))}ms"
    )
    return {"median": f"{median}ms", spread: value}


@cache
def works(bounded: bool) -> st.SearchStrategy[Data]:
    kinds = _works(bounded)
    weighed = merged(st.fixed_dictionaries({"weight": st.integers(1, 9)}), st.one_of(kinds))
    parts = st.fixed_dictionaries({"usual": weighed, "other": weighed})
    return st.one_of(*kinds, st.fixed_dictionaries({"mixture": parts}))


def _works(bounded: bool) -> list[st.SearchStrategy[Data]]:
    again = {"file": str(LATENCIES), "column": "latency_ms", "unit": "ms"}
    pareto = {"minimum": ms(1, 50), "alpha": st.floats(0.5, 3), "cap": ms(51, 500)}
    kinds: list[st.SearchStrategy[Data]] = [
        st.fixed_dictionaries({"constant": ms(0, 400)}),
        st.fixed_dictionaries(
            {"uniform": st.fixed_dictionaries({"low": ms(0, 50), "high": ms(51, 600)})}
        ),
        st.fixed_dictionaries({"pareto": st.fixed_dictionaries(pareto)}),
        st.builds(lambda: {"empirical": dict(again)}),  # each its own, as edits change it
    ]
    if not bounded:
        cv = st.floats(0.1, 3)
        kinds += [
            st.fixed_dictionaries({"exponential": st.fixed_dictionaries({"mean": ms(1, 300)})}),
            st.fixed_dictionaries({"lognormal": lognormals()}),
            st.fixed_dictionaries({"gamma": st.fixed_dictionaries({"mean": ms(1, 300), "cv": cv})}),
        ]
    return kinds


@st.composite
def windows(draw: Draw, *sizes: str) -> Data:
    if draw(st.sampled_from(sizes)) == "calls":
        calls = draw(st.integers(1, 8))
        window: Data = {"calls": calls} | draw(maybe("minimum", st.integers(1, calls)))
    else:
        window = {"time": f"{draw(st.integers(1, 5))}s", "minimum": draw(st.integers(1, 5))}
    return window | {"failure_rate": draw(st.integers(1, 100).map(lambda n: f"{n}%"))}


def slow_windows() -> st.SearchStrategy[Data]:
    slow = {"slow_call": ms(1, 500), "slow_rate": st.integers(1, 100).map(lambda n: f"{n}%")}
    return merged(windows("calls", "time"), st.fixed_dictionaries(slow))


def own_breakers() -> st.SearchStrategy[Data]:
    threshold = merged(
        st.fixed_dictionaries({"failure_threshold": st.integers(1, 4)}),
        maybe("clear_every", ms(100, 5000)),
    )
    window = merged(
        st.one_of(windows("calls", "time"), slow_windows()), maybe("strict", st.booleans())
    )
    at_once = merged(
        maybe("half_open_permits", st.sampled_from([1, 2, 3, "all"])),
        maybe("successes_to_close", st.integers(1, 3)),
    )
    in_total = {"half_open_limit": "in_total", "half_open_permits": 3}
    return merged(
        st.one_of(threshold, threshold, st.fixed_dictionaries({"window": window})),
        st.fixed_dictionaries({"recovery_timeout": ms(50, 8000)}),
        st.one_of(at_once, at_once, st.just(in_total)),
        growths(),
        CANCELLED,
    )


def growths() -> st.SearchStrategy[Data]:
    grows = {"recovery_growth": st.floats(1.5, 4), "max_recovery_timeout": ms(8000, 20_000)}
    return st.one_of(st.just({}), st.fixed_dictionaries(grows))


CANCELLED = maybe("cancelled", st.sampled_from(["failure", "success", "ignored"]))


def library_breakers() -> st.SearchStrategy[Data]:
    count, recovery = st.integers(1, 4), ms(50, 8000)
    own: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "pybreaker": {"failure_threshold": count, "successes_to_close": st.integers(1, 3)},
        "purgatory": {"failure_threshold": count},
        "resilience4j": {"window": slow_windows(), "half_open_permits": count},
        "polly": {"window": windows("time")},
        "envoy": {
            "failure_threshold": count,
            "interval": ms(100, 3000),
            "max_recovery_timeout": ms(8000, 20_000),
            "max_ejection": st.sampled_from(["10%", "100%", "100%", "100%"]),
            "panic_threshold": st.sampled_from(["0%", "0%", "0%", "50%"]),
        },
        "gobreaker": {"failure_threshold": count, "half_open_permits": count},
        "opossum": {"window": windows("time")},
    }
    return st.one_of(
        *(
            merged(
                st.fixed_dictionaries(
                    {"preset": st.just(name), "recovery_timeout": recovery} | settings
                ),
                growths() if name in ("resilience4j", "polly") else st.just({}),
                maybe("clear_every", ms(100, 5000)) if name == "gobreaker" else st.just({}),
                CANCELLED,
            )
            for name, settings in own.items()
        )
    )


@cache
def codels() -> st.SearchStrategy[Data]:
    return merged(
        st.fixed_dictionaries({"target": ms(1, 400), "interval": ms(401, 2000)}),
        maybe("law", st.sampled_from(["folly", "rfc8289"])),
    )


@cache
def policies(bounded: bool) -> st.SearchStrategy[list[Data]]:
    enabled = maybe("enabled", st.sampled_from([True, True, False]))
    breaker = merged(
        enabled,
        st.one_of(own_breakers(), library_breakers()),
        maybe("when_open", st.sampled_from(["reject", "wait"])),
        maybe("max_recoveries", st.integers(0, 3)),
        maybe("outcomes", errors),
    )
    tokens = {"max_tokens": st.integers(1, 20), "token_ratio": st.floats(0.01, 2)}
    deadline = merged(
        enabled,
        st.fixed_dictionaries({"timeout": ms(20, 3000)}),
        st.one_of(
            maybe("on_timeout", st.sampled_from(["cancel", "abandon"])),
            st.fixed_dictionaries({"on_timeout": st.just("abandon"), "propagate": st.booleans()}),
        ),
    )
    retry = merged(
        enabled,
        st.fixed_dictionaries({"attempts": st.integers(1, 4)}),
        maybe("backoff", st.sampled_from(["constant", "linear", "exponential"])),
        maybe("base", ms(0, 500)),
        maybe("multiplier", st.floats(1, 4)),
        maybe("cap", ms(1, 1500)),
        maybe("jitter", st.sampled_from(["none", "full", "equal", "decorrelated"])),
        maybe("stop_after", ms(0, 2000)),
        maybe("honours_retry_after", st.booleans()),
        maybe("budget", percent),
        maybe("budget_reserve", st.sampled_from(["0/s", "1/s", "5/s"])),
        maybe("budget_span", ms(100, 20000)),
        maybe("throttle", st.fixed_dictionaries(tokens)),
        maybe("quota", st.fixed_dictionaries({"tokens": st.integers(1, 30)})),
        maybe("active_budget", st.fixed_dictionaries({"share": percent})),
        maybe("outcomes", errors),
    )
    hedge = merged(
        enabled,
        st.fixed_dictionaries({"after": ms(0, 800)}),
        maybe("attempts", st.integers(2, 5)),
        maybe("outcomes", st.just([]) | errors),
        maybe("throttle", st.fixed_dictionaries(tokens)),
    )
    fallback = merged(enabled, maybe("work", works(bounded)), maybe("outcomes", errors))
    bulkhead = merged(
        enabled,
        st.fixed_dictionaries({"concurrency": st.integers(1, 5), "timeout": ms(0, 2000)}),
        maybe("queue_limit", st.integers(0, 6)),
        maybe("codel", codels()),
    )
    of_algorithm: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "aimd": {"backoff_ratio": st.floats(0.5, 0.99), "timeout": ms(50, 2000)},
        "gradient2": {"smoothing": st.floats(0.1, 1), "queue_size": st.integers(0, 4)},
        "vegas": {"probe_multiplier": st.integers(1, 5)},
    }
    adaptive_limit = merged(
        enabled,
        st.one_of(
            *(
                st.fixed_dictionaries({"algorithm": st.just(name)} | own)
                for name, own in of_algorithm.items()
            )
        ),
        st.fixed_dictionaries({"initial": st.integers(1, 4), "max": st.integers(4, 8)}),
        maybe("min", st.just(1)),
        maybe("outcomes", errors),
    )
    rate_limit = merged(
        enabled,
        st.fixed_dictionaries({"rate": st.integers(1, 12).map(lambda n: f"{n}/s")}),
        maybe("burst", st.integers(1, 5)),
        st.fixed_dictionaries({"timeout": ms(0, 2000)}),
        maybe("queue_limit", st.integers(0, 6)),
    )
    throttle = merged(
        enabled,
        maybe("multiplier", st.floats(1, 4)),
        maybe("window", ms(100, 20_000)),
        maybe("outcomes", errors),
    )
    choice = st.one_of(
        st.fixed_dictionaries({"throttle": throttle}),
        st.fixed_dictionaries({"breaker": breaker}),
        st.fixed_dictionaries({"deadline": deadline}),
        st.fixed_dictionaries({"retry": retry}),
        st.fixed_dictionaries({"hedge": hedge}),
        st.fixed_dictionaries({"fallback": fallback}),
        st.fixed_dictionaries({"bulkhead": bulkhead}),
        st.fixed_dictionaries({"rate_limit": rate_limit}),
        st.fixed_dictionaries({"adaptive_limit": adaptive_limit}),
    )
    return st.lists(choice, max_size=4).map(_named)


def _named(chosen: list[Data]) -> list[Data]:
    """Give every policy a name of its own, as a stage may have two of a kind."""
    return [
        {kind: settings | {"name": f"{kind}-{i}"}}
        for i, policy in enumerate(chosen)
        for kind, settings in policy.items()
    ]


@st.composite
def pools(draw: Draw, bounded: bool) -> Data:
    pool: Data = {"connect_time": draw(st.one_of(ms(0, 100), works(bounded)))}
    kind = draw(st.sampled_from(["queue", "queue", "queue", "null", "static"]))
    if kind != "static":
        pool |= draw(maybe("max_connections", st.integers(1, 6)))
    if kind != "null" and draw(st.booleans()):
        pool |= {"pre_ping": True} | draw(maybe("ping_time", ms(0, 50)))
    if kind != "queue":
        return pool | {"kind": kind}
    pool["size"] = draw(st.integers(0, 3))
    if pool["size"]:
        pool["max_overflow"] = draw(st.integers(-1, 2))
    pool |= draw(merged(maybe("timeout", ms(50, 3000)), maybe("recycle", ms(100, 5000))))
    return pool | draw(maybe("use_lifo", st.booleans()))
