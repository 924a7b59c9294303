"""Rules that concern several things of a plan at once; those of one thing stand in its file."""

from __future__ import annotations

from cascadesim.values.rules import Rule

INNER_BEYOND_OUTER = Rule(
    code="T01",
    name="inner-timeout-beyond-outer",
    says="A timeout stands inside another one that is shorter.",
    why="The inner timeout never fires. Whoever reads the settings takes it for the limit, and the "
    "errors name the outer one.",
    example="""\
policies:
  - deadline: {timeout: 10s}
  - bulkhead: {concurrency: 5, timeout: 30s}
""",
    instead="Set inner timeouts below the outer ones, so that the call can still fail over.",
)
RETRIES_BEYOND_CAPACITY = Rule(
    code="T02",
    name="retries-beyond-capacity",
    says="When calls fail, retries or hedges make more calls than the stage can work on, though it "
    "can work on the requests themselves.",
    why="An outage of seconds becomes one of minutes: the repeated calls alone keep the stage "
    "overloaded (a metastable failure).",
    example="""\
concurrency: 10
work: {constant: 100ms}     # 100 calls a second at most
policies:
  - retry: {attempts: 5}    # 40 requests a second become 200 calls
""",
    instead="Give the retry a `budget`, put a breaker inside it, or allow fewer attempts.",
)
BEYOND_OBJECTIVE = Rule(
    code="T03",
    name="recoveries-beyond-objective",
    says="Callers wait for open breakers to recover (`when_open: wait`), and the recoveries along "
    "the path take longer than a latency objective allows.",
    why="Whenever these breakers open, the objective is missed by every caller that waits.",
    example="""\
objectives: [p99 < 5s]
stages:
  agent:
    policies:
      - breaker: {recovery_timeout: 60s, when_open: wait}
""",
    instead="Shorten the recoveries, or reject at once (`when_open: reject`) with a fallback.",
)
PINGS_TOO_RARE = Rule(
    code="W01",
    name="pings-too-rare",
    says="Pings of WebSocket connections come less often than a proxy cuts quiet connections.",
    why="The pings keep no connection alive, so quiet clients are cut and come back.",
    example="""\
connections:
  ping: {interval: 60s}
  idle_timeout: 30s
""",
    instead="Set `ping.interval` to half of `idle_timeout` or less.",
)
LIMIT_BELOW_CLIENTS = Rule(
    code="W02",
    name="limit-below-clients",
    says="The server holds fewer connections (`limit`) than there are clients.",
    why="Some clients are always refused, and their attempts to come back never end.",
    example="""\
connections: {clients: 500, limit: 400}
""",
    instead="Raise the limit, or describe fewer clients.",
)
HANDSHAKES_FOR_NOBODY = Rule(
    code="W03",
    name="handshakes-for-nobody",
    says="Handshakes queue for longer than clients wait for them, and the server goes on with "
    "those that were given up (`on_timeout: abandon`).",
    why="After all clients were cut at once, the server works on handshakes that nobody waits for, "
    "so they come back later or never.",
    example="""\
connections:
  clients: 2000
  handshake:
    timeout: 10s
    on_timeout: abandon
    stages:
      login: {work: {constant: 100ms}, concurrency: 10, queue_limit: 2000}
""",
    instead="Shorten the queue (`queue_limit`) so that its last is served in time, or cancel "
    "handshakes whose client has gone.",
)
DEADLINE_BELOW_WORK = Rule(
    code="T04",
    name="deadline-below-work",
    says="A deadline ends calls sooner than the work inside takes at least.",
    why="No call is ever answered: all of them time out, each with its work done for nobody.",
    example="""\
work: {constant: 2s}
policies:
  - deadline: {timeout: 1s}
""",
    instead="Set the deadline above what the work takes (its p99, say), or make the work shorter.",
)
LOAD_BEYOND_CAPACITY = Rule(
    code="T05",
    name="load-beyond-capacity",
    says="More requests come to a stage, in the mean, than its `concurrency` or its pool can work "
    "on.",
    why="Not all of them can be answered, faults or not. Where the queue has no limit, every "
    "figure depends on how long the run is.",
    example="""\
workload: {arrivals: {poisson: {rate: 20/s}}}
stages:
  backend: {concurrency: 1, work: {constant: 100ms}}    # 10/s
""",
    instead="Raise the limit, or say what is done with the rest: a `queue_limit`, a `rate_limit`, "
    "a breaker. For a short overload, give the workload a rate that changes over time.",
)
HANDSHAKE_BELOW_WORK = Rule(
    code="W04",
    name="handshake-timeout-below-work",
    says="Clients wait for a handshake (`handshake.timeout`) for less time than its stages take at "
    "least.",
    why="No client ever connects, so no message is ever sent.",
    example="""\
connections:
  handshake:
    timeout: 5s
    stages:
      login: {work: {constant: 6s}}
""",
    instead="Raise `handshake.timeout` above what the login takes.",
)
IDLE_BELOW_MESSAGES = Rule(
    code="W05",
    name="idle-timeout-below-messages",
    says="A proxy cuts quiet connections (`idle_timeout`) sooner than clients send messages, and "
    "no pings keep them.",
    why="Clients lose their connection between messages, and have to shake hands for the next.",
    example="""\
connections:
  messages: {constant: 90s}
  idle_timeout: 60s
""",
    instead="Send pings: `ping.interval` of half of `idle_timeout` or less.",
)
IDLE_BELOW_WORK = Rule(
    code="W06",
    name="idle-timeout-below-work",
    says="A proxy cuts quiet connections (`idle_timeout`) sooner than a reply can come, and no "
    "pings keep them.",
    why="The connection is cut while the server works. Whoever sends nothing meanwhile gets no "
    "reply at all.",
    example="""\
workload:
  connections: {idle_timeout: 60s}
stages:
  handler: {work: {constant: 75s}}
""",
    instead="Send pings (`ping.interval` of half of `idle_timeout` or less), or raise "
    "`idle_timeout` above what a reply takes.",
)
REPLY_BELOW_WORK = Rule(
    code="W07",
    name="reply-timeout-below-work",
    says="Clients wait for a reply (`reply_timeout`) for less time than it takes at least.",
    why="No message is ever answered in time, and the server works for nobody.",
    example="""\
workload:
  connections: {reply_timeout: 5s}
stages:
  handler: {work: {constant: 10s}}
""",
    instead="Raise `reply_timeout` above what a reply takes.",
)
NEVER_OPENS = Rule(
    code="C05",
    name="window-never-filled",
    says="A breaker looks at the calls of the last seconds (`window.time`), and needs more of them "
    "(`window.minimum`) than come in that time.",
    why="The breaker never opens, whatever fails.",
    example="""\
workload: {arrivals: {poisson: {rate: 1/min}}}
stages:
  backend:
    policies:
      - breaker: {preset: polly}    # 100 calls in 30 s
""",
    instead="Lower `window.minimum`, lengthen `window.time`, or count failures in a row "
    "(`failure_threshold`).",
)
SIBLINGS_LOCKED = Rule(
    code="C06",
    name="breakers-hold-each-other-open",
    says="Two stages in parallel have a breaker each, and both take a call that is cancelled for a "
    "failure.",
    why="While one breaker is open, its rejection cancels the call beside it, which the other "
    "breaker takes for a failure. So it opens too, and then its rejections end the trials of the "
    "first: both may stay open for good after a short fault in one.",
    example="""\
stages:
  agents:
    parallel: true
    stages:
      planner:
        work: {constant: 200ms}
        policies:
          - breaker: {preset: purgatory}
      writer:
        work: {constant: 400ms}
        policies:
          - breaker: {preset: purgatory}
""",
    instead="Let one of the breakers not count cancelled calls, answer for a branch with a "
    "`fallback`, or put one breaker around both.",
)
NOTHING_RETRIED = Rule(
    code="R03",
    name="retry-leaves-out-shed-calls",
    says="A retry stands around nothing that fails or times out: all that can go wrong inside is "
    "that a full queue sheds calls, and the retry leaves out `shed`.",
    why="The retry never sends anything again.",
    example="""\
concurrency: 10
queue_limit: 20
policies:
  - retry: {attempts: 3}    # of what has timed_out or failed
""",
    instead="Leave the retry out; or name `shed` in its `outcomes`, with a `budget`, as such "
    "retries come when the stage is overloaded.",
)
