"""Pages of the causes: what it means that time went to one, and what to do about it."""

from __future__ import annotations

from cascadesim.values.rules import Rule

CAUSE_RULES = {
    rule.name.replace("-", "_"): rule
    for rule in (
        Rule(
            code="A01",
            name="breaker-wait",
            says="The request waited at an open circuit breaker for its recovery.",
            why="The wait is as long as `recovery_timeout`, for every caller, whether or not the "
            "dependency is well again. Breakers in a chain add up.",
            example="policies: [breaker: {recovery_timeout: 60s, when_open: wait}]\n",
            instead="Reject at once (`when_open: reject`) and answer by a fallback, or shorten the "
            "recovery.",
        ),
        Rule(
            code="A02",
            name="pool-wait",
            says="The request waited for a connection of a pool.",
            why="All connections were held: by slow work, by sessions that stay open, or by "
            "sessions that were leaked.",
            example="pool: {size: 5, max_overflow: 10, timeout: 30s, connect_time: 15ms}\n",
            instead="Find who holds the connections before you enlarge the pool: shorten sessions, "
            "close them before slow work, then set `timeout` below the callers' deadline.",
        ),
        Rule(
            code="A03",
            name="queue-wait",
            says="The request waited for a place: for a stage's `concurrency` or in a bulkhead.",
            why="More work arrives than the stage can do, for a while or for good.",
            example="concurrency: 10\nqueue_limit: 100\n",
            instead="Limit the queue, so that its last is still served in time; shed with `codel`; "
            "or do more at once.",
        ),
        Rule(
            code="A04",
            name="startup-wait",
            says="The request waited for a stage that was starting up after a restart.",
            why="Callers that come during the start-up wait for all of it.",
            example="startup: {timeout: 30s}\n",
            instead="Wait for less long, and answer by a fallback meanwhile.",
        ),
        Rule(
            code="A05",
            name="rate-limit-wait",
            says="The request waited for a token of a rate limit.",
            why="More calls come than the limit lets through, so that they queue at it.",
            example="policies: [rate_limit: {rate: 10/s, timeout: 5s}]\n",
            instead="Refuse sooner (a shorter `timeout`), or raise `rate` or `burst`.",
        ),
        Rule(
            code="A06",
            name="handshake-wait",
            says="A message waited until its client was connected.",
            why="Many clients come back at once, and their handshakes queue at the server.",
            example="workload: {connections: {handshake: {timeout: 10s}}}\n",
            instead="Spread reconnects by jitter, and keep the queue of handshakes shorter than "
            "the clients' timeout.",
        ),
        Rule(
            code="A15",
            name="closing-wait",
            says="A message waited until its client had closed a connection at the end of its "
            "`lifetime`.",
            why="A client that closes its connection sends nothing more over it, and waits for the "
            "slowest reply that is under way before it connects anew.",
            example="workload: {connections: {lifetime: {constant: 15min}}}\n",
            instead="Let connections live longer, or bound the slowest reply (`reply_timeout`).",
        ),
        Rule(
            code="A07",
            name="head-of-line-wait",
            says="A message waited behind an earlier one of the same connection.",
            why="The server handles the messages of a connection one after the other.",
            example="workload: {connections: {ordering: per_connection}}\n",
            instead="Handle messages at once where their order does not matter (`ordering: "
            "independent`), or let slow work answer later.",
        ),
        Rule(
            code="A08",
            name="network-wait",
            says="A message or its reply waited for the network to pass anything.",
            why="In a network partition nothing arrives until it ends, or the call or connection "
            "is given up.",
            example="""\
workload: {connections: {ping: {interval: 25s, timeout: 20s}}}
faults: [{on: connections, from: 1min, for: 20s, partition: {}}]
""",
            instead="Notice it sooner: a deadline around the stage, or shorter `ping.interval` and "
            "`ping.timeout`.",
        ),
        Rule(
            code="A09",
            name="connect",
            says="The request made a connection to the database, or pinged one.",
            why="Without a pool every call pays for a new connection.",
            example="pool: {kind: 'null', connect_time: 15ms}\n",
            instead="Keep connections in a pool of the size that is used at once.",
        ),
        Rule(
            code="A10",
            name="agent-execution",
            says="The request was worked on by an agent.",
            why="An execution that hangs lasts until a deadline or a tracker ends it.",
            example="policies: [deadline: {timeout: 30s}]\n",
            instead="Set the deadline to about the p99 of good executions.",
        ),
        Rule(
            code="A11",
            name="retry-backoff",
            says="The request paused before it was sent again.",
            why="Backoffs add up over attempts, and nothing is done meanwhile.",
            example="policies: [retry: {attempts: 5, base: 1s}]\n",
            instead="Fewer attempts, a `cap`, and no retry of what takes longer to recover.",
        ),
        Rule(
            code="A12",
            name="hedge-wait",
            says="The request waited until it was sent a second time, and that call decided.",
            why="The first call was slow, so its time was spent for nothing.",
            example="policies: [hedge: {after: 2s}]\n",
            instead="Set `after` to about the p95 of the call.",
        ),
        Rule(
            code="A13",
            name="service-work",
            says="The request was worked on by a stage.",
            why="This is the time that is needed, unless a fault makes it longer.",
            example="work: {lognormal: {median: 100ms, p99: 2s}}\n",
            instead="Make the work quicker, or bound its tail by a deadline and a fallback.",
        ),
        Rule(
            code="A14",
            name="fallback",
            says="The request got a degraded answer, and that took time.",
            why="It comes after all that the failed call has taken.",
            example="policies: [fallback: {work: {constant: 200ms}}]\n",
            instead="Fail sooner inside of it: a shorter deadline, a breaker that rejects.",
        ),
    )
}
