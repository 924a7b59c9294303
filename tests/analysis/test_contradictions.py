from typing import Any

import pytest
from kit import plan_of

from cascadesim.analysis.contradictions import contradictions, retry_costs


def scenario(rate: str = "4/s", **stages: Any) -> dict[str, Any]:
    return {
        "name": "checked",
        "horizon": "60s",
        "workload": {"arrivals": {"poisson": {"rate": rate}}},
        "stages": stages,
    }


def stage(*policies: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"work": {"constant": "100ms"}, "policies": list(policies)} | more


def deadline(timeout: str, **more: Any) -> dict[str, Any]:
    return {"deadline": {"timeout": timeout} | more}


def breaker(recovery: str, when_open: str = "wait", **more: Any) -> dict[str, Any]:
    return {"breaker": {"recovery_timeout": recovery, "when_open": when_open} | more}


def bulkhead(**settings: Any) -> dict[str, Any]:
    return {"bulkhead": settings}


def retry(**settings: Any) -> dict[str, Any]:
    return {"retry": settings}


FAST = breaker("2s", "reject", preset="purgatory")
POLLY = breaker("2s", "reject", preset="polly", window={"minimum": 9})
FALL = {"fallback": {}}
SLOW = {"calls": 9, "slow_call": "10s", "slow_rate": "50%"}
SLOWER = {"work": {"constant": "500ms"}, "concurrency": 1}
STUCK = {
    "mixture": {
        "usual": {"weight": "50%", "constant": "100ms"},
        "stuck": {"weight": "50%", "constant": "1h"},
    }
}
POOL = {"connect_time": "40ms", "timeout": "5s"}
OUTER = {"name": "outer"}


@pytest.mark.parametrize(
    ("stages", "settings", "says"),
    [
        (
            {"a": stage(deadline("1s", name="outer"), deadline("2s"))},
            ("a.deadline.timeout", "a.outer.timeout"),
            "the inner timeout of 2.00 s never fires",
        ),
        (
            {"a": {"policies": [deadline("1s")], "stages": {"b": stage(deadline("2s"))}}},
            ("b.deadline.timeout", "a.deadline.timeout"),
            "the outer one ends the call after 1.00 s",
        ),
        (
            {"a": stage(deadline("1s"), tracker={"timeout": "30s"})},
            ("a.tracker.timeout", "a.deadline.timeout"),
            "never fires",
        ),
        (
            {"a": stage(deadline("1s"), startup={"timeout": "120s"})},
            ("a.startup.timeout", "a.deadline.timeout"),
            "never fires",
        ),
        (
            {"a": stage(deadline("1s"), pool=POOL)},
            ("a.pool.timeout", "a.deadline.timeout"),
            "callers give up after 1.00 s, before the pool's timeout of 5.00 s",
        ),
        (
            {"a": stage(pool=POOL, session={"lifetime": "300s"})},
            ("a.session.lifetime", "a.pool.timeout"),
            "with all 15 connections held",
        ),
        (
            {"a": stage({"retry": {"attempts": 4}}, concurrency=1)},
            ("a.retry.attempts", "a.concurrency"),
            "retries make 4 calls of each request: 16/s against a capacity of 10/s",
        ),
        (
            {"a": stage(breaker("4s"))},
            None,
            None,
        ),
        (
            {"a": stage(breaker("4s")), "b": stage(breaker("2s"))},
            ("a.breaker.recovery_timeout", "b.breaker.recovery_timeout"),
            "recoveries along the chain add up to 6.00 s, beyond the objective of 5.00 s",
        ),
        (
            {"a": stage(breaker("60s"))},
            ("a.breaker.recovery_timeout",),
            "a recovery takes 60.00 s, beyond the objective of 5.00 s",
        ),
        (
            {"a": stage(pool=POOL, session={"leak": "1%"})},
            ("a.session.lifetime", "a.pool.timeout"),
            "nothing ever frees one",
        ),
        (
            {"a": stage({"retry": {"attempts": 10}}, pool=POOL | {"size": 1, "max_overflow": 0})},
            ("a.retry.attempts", "a.pool.size"),
            "against a capacity of 10/s",
        ),
        (
            {"a": {"policies": [{"retry": {}}], "concurrency": 1, "stages": {"b": stage()}}},
            ("a.retry.attempts", "a.concurrency"),
            "12/s against a capacity of 10/s",
        ),
        (
            {"a": stage({"hedge": {"after": "1s"}}, deadline("500ms"))},
            ("a.hedge.after", "a.deadline.timeout"),
            "no slow call is sent again: it has ended after 500 ms",
        ),
        (
            {"a": stage({"hedge": {"after": "10ms"}}, {"retry": {"attempts": 4}}, concurrency=1)},
            ("a.hedge.attempts", "a.retry.attempts", "a.concurrency"),
            "hedges and retries make 8 calls of each request: 32/s against a capacity of 10/s",
        ),
        (
            {"a": stage({"rate_limit": {"rate": "5/s", "timeout": "2s", "queue_limit": 10}})},
            ("a.rate_limit.queue_limit", "a.rate_limit.timeout"),
            "no more than 10 calls wait, as another would do so for longer than 2.00 s",
        ),
        (
            {"a": stage(bulkhead(timeout="10ms", codel={}))},
            ("a.bulkhead.codel.target", "a.bulkhead.timeout"),
            "nothing is ever shed: nobody waits for longer than 10 ms",
        ),
        (
            {"a": stage(deadline("1s"), concurrency=2, codel={"target": "1s", "interval": "9s"})},
            ("a.codel.target", "a.deadline.timeout"),
            "nothing is ever shed: nobody waits for longer than 1.00 s",
        ),
        (
            {"a": stage({"adaptive_limit": {"max": 9}}, bulkhead(concurrency=9))},
            ("a.bulkhead.concurrency", "a.adaptive_limit.max"),
            "the bulkhead of 9 has no effect: no more than 9 calls are ever inside it",
        ),
        (
            {"a": stage(bulkhead(concurrency=9), {"adaptive_limit": {"max": 8}})},
            ("a.bulkhead.concurrency", "a.adaptive_limit.max"),
            "the bulkhead of 9 has no effect: no more than 8 calls are ever inside it",
        ),
        (
            {"a": stage(deadline("1s"), bulkhead(timeout="2s"))},
            ("a.bulkhead.timeout", "a.deadline.timeout"),
            "the inner timeout of 2.00 s never fires",
        ),
        (
            {
                "a": stage(
                    deadline("1s", on_timeout="abandon", propagate=True), bulkhead(timeout="2s")
                )
            },
            ("a.bulkhead.timeout", "a.deadline.timeout"),
            "the inner timeout of 2.00 s never fires",
        ),
        (
            {"a": stage(bulkhead(concurrency=7), deadline("1s"), concurrency=2, queue_limit=5)},
            ("a.bulkhead.concurrency", "a.concurrency"),
            "the bulkhead of 7 has no effect: no more than 7 calls are ever inside it",
        ),
        (
            {"a": stage(bulkhead(concurrency=9, name="outer"), bulkhead(concurrency=9))},
            ("a.outer.concurrency", "a.bulkhead.concurrency"),
            "the bulkhead of 9 has no effect",
        ),
        (
            {"a": {"policies": [bulkhead(concurrency=3)], "stages": {"b": stage(bulkhead())}}},
            ("b.bulkhead.concurrency", "a.bulkhead.concurrency"),
            "the bulkhead of 25 has no effect: no more than 3 calls are ever inside it",
        ),
        (
            {
                "a": {
                    "policies": [{"retry": {}}],
                    "concurrency": 1,
                    "parallel": True,
                    "stages": {"b": stage(), "c": stage()},
                }
            },
            ("a.retry.attempts", "a.concurrency"),
            "12/s against a capacity of 10/s",
        ),
        (
            {
                "a": {
                    "parallel": True,
                    "stages": {"b": stage(breaker("6s")), "c": stage(breaker("9s"))},
                }
            },
            ("c.breaker.recovery_timeout",),
            "a recovery takes 9.00 s, beyond the objective of 5.00 s",
        ),
        (
            {"a": stage(deadline("2s"), breaker("60s", cancelled="failure"))},
            ("a.breaker.recovery_timeout", "a.deadline.timeout"),
            "most who wait for a recovery give up: it takes 60.00 s, and their time is over after "
            "2.00 s",
        ),
        (
            {"a": stage(deadline("1s"), {"rate_limit": {"rate": "5/s", "timeout": "10s"}})},
            ("a.rate_limit.timeout", "a.deadline.timeout"),
            "a turn that comes within 10.00 s gives up after 1.00 s",
        ),
        (
            {"a": stage(breaker("60s", "reject", window=SLOW), deadline("2s"))},
            ("a.breaker.window.slow_call", "a.deadline.timeout"),
            "no call is ever slow: it ends after 2.00 s",
        ),
        (
            {"a": stage(retry(outcomes=["rejected"]), breaker("60s", "reject"))},
            ("a.retry.outcomes", "a.breaker.recovery_timeout"),
            "sent again for 300 ms at most, and the breaker stays open for 60.00 s",
        ),
        (
            {"a": stage(retry(), concurrency=9, queue_limit=5)},
            ("a.retry.outcomes", "a.queue_limit"),
            "nothing is ever sent again",
        ),
        (
            {"a": stage(deadline("1s"), retry(base="1s"))},
            ("a.retry.base", "a.deadline.timeout"),
            "no second attempt ever begins: it waits for 1.00 s",
        ),
        (
            {"a": stage(deadline("99ms"))},
            ("a.deadline.timeout", "a.work"),
            "the work takes 100 ms or longer, and the deadline ends it after 99 ms",
        ),
        (
            {"a": {"policies": [deadline("150ms")], "stages": {"b": stage(), "c": stage()}}},
            ("a.deadline.timeout", "a.work"),
            "the work takes 200 ms or longer",
        ),
        (
            {"a": stage(bulkhead(concurrency=8), concurrency=1, queue_limit=99), "b": SLOWER},
            ("workload", "b.concurrency"),
            "4 requests/s come, and the stage can work on 2/s",
        ),
        (  # a deadline of 500 ms ends what takes longer
            {"a": stage(deadline("500ms"), work=STUCK, concurrency=1)},
            ("workload", "a.concurrency"),
            "4 requests/s come, and the stage can work on 3.",
        ),
        (
            {"a": stage(pool=POOL | {"max_connections": 12})},
            ("a.pool.max_overflow", "a.pool.max_connections"),
            "the pool opens up to 15 connections, and the database refuses more than 12",
        ),
        (
            {"a": {"parallel": True, "stages": {"b": stage(FAST), "c": stage(FAST)}}},
            ("b.breaker.recovery_timeout", "c.breaker.recovery_timeout"),
            "they keep each other open",
        ),
        # What is in order gives no warning.
        ({"a": {"parallel": True, "stages": {"b": stage(FAST), "c": stage(POLLY)}}}, None, None),
        (
            {"a": {"parallel": True, "stages": {"b": stage(FALL, FAST), "c": stage(FAST)}}},
            None,
            None,
        ),
        ({"a": stage(pool=POOL | {"max_connections": 12}, concurrency=12)}, None, None),
        ({"a": stage(deadline("200ms"), work=STUCK, concurrency=1)}, None, None),
        ({"a": stage(deadline("50ms"), FALL)}, None, None),  # a degraded answer may come sooner
        ({"a": stage(deadline("1s"), retry(base="999ms"))}, None, None),
        ({"a": stage(retry(), deadline("1s"), concurrency=9, queue_limit=5)}, None, None),
        ({"a": stage(retry(outcomes=["rejected"]), breaker("300ms", "reject"))}, None, None),
        ({"a": stage(breaker("60s", "reject", window=SLOW), deadline("11s"))}, None, None),
        (
            {"a": stage(deadline("1s"), {"rate_limit": {"rate": "5/s", "timeout": "1s"}})},
            None,
            None,
        ),
        ({"a": stage(startup={"timeout": "120s"}, tracker={"timeout": "15s"})}, None, None),
        ({"a": stage(deadline("1s", name="o", on_timeout="abandon"), deadline("2s"))}, None, None),
        ({"a": stage(deadline("2s"), breaker("2s", cancelled="failure"))}, None, None),
        ({"a": stage(deadline("2s", name="outer"), deadline("1s"))}, None, None),
        ({"a": stage(breaker("60s", "reject"))}, None, None),
        ({"a": stage(deadline("6s"), pool=POOL)}, None, None),
        ({"a": stage(pool=POOL, session={"lifetime": "4s"})}, None, None),
        ({"a": stage(pool=POOL)}, None, None),
        ({"a": stage({"retry": {"attempts": 2}}, concurrency=1)}, None, None),
        (
            {
                "a": stage(
                    {"retry": {"attempts": 4, "budget": "20%", "budget_reserve": "0/s"}},
                    concurrency=1,
                )
            },
            None,
            None,
        ),
        ({"a": stage(bulkhead(concurrency=6), concurrency=2, queue_limit=5)}, None, None),
        (  # each call is inside the second one twice
            {
                "a": stage(
                    bulkhead(concurrency=3, name="o"),
                    {"hedge": {"after": "10ms"}},
                    bulkhead(concurrency=5),
                )
            },
            None,
            None,
        ),
        (  # a throttle lets none of its calls through again
            {
                "a": stage(
                    {"hedge": {"after": "10ms", "throttle": {"max_tokens": 9, "token_ratio": 1}}},
                    concurrency=1,
                )
            },
            None,
            None,
        ),
        ({"a": stage({"hedge": {"after": "10ms"}}, deadline("500ms"))}, None, None),
        ({"a": stage(bulkhead(timeout="10ms", codel={"law": "rfc8289"}))}, None, None),
        ({"a": stage(deadline("1s"), concurrency=2, codel={"target": "90ms"})}, None, None),
        (
            {"a": stage({"rate_limit": {"rate": "5/s", "timeout": "2s", "queue_limit": 9}})},
            None,
            None,
        ),
        (  # calls are inside the bulkhead while they wait for a token
            {
                "a": stage(
                    bulkhead(concurrency=9),
                    {"rate_limit": {"rate": "5/s", "timeout": "2s"}},
                    concurrency=2,
                    queue_limit=2,
                )
            },
            None,
            None,
        ),
        ({"a": stage(bulkhead(), concurrency=2)}, None, None),  # it is what limits the queue
        ({"a": stage(bulkhead(), {"fallback": {}}, concurrency=2, queue_limit=0)}, None, None),
        (
            {"a": stage(bulkhead(), concurrency=2, queue_limit=0, startup={"timeout": "9s"})},
            None,
            None,
        ),
        (
            {
                "a": stage(
                    bulkhead(concurrency=3, name="outer", timeout="1s"),
                    deadline("1s", on_timeout="abandon"),
                    bulkhead(concurrency=3, timeout="1s"),
                )
            },
            None,
            None,
        ),
    ],
)
def test_contradictions(
    stages: dict[str, Any], settings: tuple[str, ...] | None, says: str | None
) -> None:
    found = contradictions(plan_of(scenario(**stages)), limit=5.0)
    if settings is None or says is None:
        assert found == []
    else:
        assert [c.settings for c in found] == [settings]
        assert says in found[0].problem


WHERE = "workload.connections"
PINGED = {"ping": {"interval": "30s"}, "idle_timeout": "20s"}


def shaking(concurrency: int = 2, **options: Any) -> dict[str, Any]:
    """Return a handshake that works for 200 ms, and is given up after 5 s."""
    login = {"work": {"constant": "200ms"}, "concurrency": concurrency} | options
    return {"timeout": "5s", "on_timeout": "abandon", "stages": {"login": login}}


@pytest.mark.parametrize(
    ("options", "settings", "says"),
    [
        (PINGED, ("ping.interval", "idle_timeout"), "a quiet one after 20.00 s, before a ping"),
        ({"limit": 99}, ("limit", "clients"), "no more than 99 of 100 clients are connected"),
        (  # 98 that wait for two at work: 49 times 200 ms
            {"handshake": shaking()},
            ("login.queue_limit", "handshake.timeout"),
            "the last is served after 9.80 s, 4.80 s after its client has given it up",
        ),
        (
            {"handshake": shaking(queue_limit=51)},
            ("login.queue_limit", "handshake.timeout"),
            "with 51 handshakes waiting, the last is served after 5.10 s",
        ),
        # What is in order gives no warning.
        (PINGED | {"idle_timeout": "30s"}, None, None),
        (
            {"idle_timeout": "30s"},
            ("idle_timeout", "messages"),
            "every 60.00 s, and its connection is cut when it was quiet for 30.00 s",
        ),
        ({"idle_timeout": "60s"}, None, None),
        ({"limit": 100}, None, None),
        ({"handshake": shaking(queue_limit=50)}, None, None),  # just in time
        ({"handshake": shaking(4)}, None, None),  # 96 / 4 times 200 ms are 4.8 s
        ({"handshake": shaking() | {"on_timeout": "cancel"}}, None, None),
        ({"handshake": shaking(queue="lifo")}, None, None),
        ({"handshake": shaking(policies=[bulkhead(concurrency=9)])}, None, None),
        ({"handshake": {"on_timeout": "abandon", "stages": {"tls": stage()}}}, None, None),
    ],
)
def test_contradictions_of_connections(
    options: dict[str, Any], settings: tuple[str, ...] | None, says: str | None
) -> None:
    clients = {"clients": 100, "messages": {"constant": "1min"}}
    data = scenario(a=stage()) | {"workload": {"connections": clients | options}}
    found = contradictions(plan_of(data), limit=None)
    if settings is None or says is None:
        assert found == []
    else:
        own = (name if name.startswith("login") else f"{WHERE}.{name}" for name in settings)
        assert [each.settings for each in found] == [tuple(own)]
        assert says in found[0].problem


def test_a_budget_that_is_not_enough_is_reported_with_its_reserve() -> None:
    stages = {"a": stage({"retry": {"attempts": 4, "budget": "200%"}}, concurrency=1)}
    with pytest.raises(Exception, match="share"):
        plan_of(scenario(**stages))
    budget = {"budget": "50%", "budget_reserve": "3/s"}
    stages = {"a": stage({"retry": {"attempts": 4} | budget}, concurrency=1)}
    (found,) = contradictions(plan_of(scenario("6/s", **stages)), limit=None)
    # 6/s, half as many, and 3/s more.
    assert "make 2 calls of each request (with the reserve of 3/s): 12/s" in found.problem


def test_what_a_retry_costs() -> None:
    inner = stage(
        {"retry": {"attempts": 3, "base": "1s", "jitter": "full"}},
        {"retry": {"name": "own", "attempts": 2}},
    )
    stages = {"a": {"policies": [{"retry": {"attempts": 2}}], "stages": {"b": inner}}}
    costs = {cost.path: cost for cost in retry_costs(plan_of(scenario(**stages)))}
    assert costs["b.retry"].waits == ((0.0, 1.0), (0.0, 2.0))
    assert [costs[path].load for path in ("a.retry", "b.retry", "b.own")] == [2, 6, 12]
