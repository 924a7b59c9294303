"""Rules of figures that say less than they seem to; views and tests print their codes."""

from __future__ import annotations

from cascadesim.values.rules import Rule

FEW_BEYOND = Rule(
    code="S01",
    name="few-beyond-percentile",
    says="Fewer than 10 of the measured requests are slower than a percentile that is printed.",
    why="The percentile rests on a handful of requests, so another seed may give quite another "
    "one. A p99 takes 1,000 requests, a p99.9 takes 10,000.",
    example="""\
horizon: 60s
workload: {arrivals: {poisson: {rate: 10/s}}}    # about 600 requests
""",
    instead="Simulate for longer (`horizon`), or judge a lower percentile.",
)
WARMUP_GUESSED = Rule(
    code="S02",
    name="warm-up-guessed",
    says="With `warmup: auto`, the run is too short, or its first fault too early, to tell where "
    "the warm-up ends. Half of the requests before that are taken for it.",
    why="If the warm-up is longer, figures mix the start of the run with its steady state.",
    example="""\
warmup: auto
horizon: 5s
workload: {arrivals: {poisson: {rate: 1/s}}}    # about 5 requests
""",
    instead="Simulate for longer, let the first fault come later, or give `warmup` in seconds.",
)
NONE_MEASURED = Rule(
    code="S03",
    name="no-request-measured",
    says="No request arrives between the warm-up and the horizon.",
    why="There is nothing to take a latency or a rate of, and no objective can be judged.",
    example="""\
horizon: 1s
workload: {arrivals: {poisson: {rate: 1/h}}}
""",
    instead="Simulate for longer (`horizon`), shorten `warmup`, or send more requests.",
)
LOWER_BOUND = Rule(
    code="S04",
    name="lower-bound",
    says="Requests were unfinished when the run ended, and could still move a figure up by more "
    "than 1 %. Such a figure is printed after “>”.",
    why="The true figure is not known, so whether it changed, or what it depends on, may not be "
    "known either.",
    example="""\
horizon: 60s
drain: 0s
stages:
  api: {work: {constant: 30s}}    # requests of the last 30 s do not end
""",
    instead="Let requests end after the last arrival: a longer `drain`. If they never end, give "
    "their callers a deadline.",
)
LOWEST_BY_CHANCE = Rule(
    code="S05",
    name="lowest-by-chance",
    says="Of many settings in a sweep, the one with the lowest mean stands first.",
    why="Means differ by chance, too, so the lowest of many is partly luck. In other worlds it "
    "is likely to be worse than here.",
    example="$ cascadesim sweep api.yaml --vary api.concurrency=4..10:1 --replications 4\n",
    instead="Compare the best few with another `--seed`, or let `optimize` do so.",
)
PRECISION_MISSED = Rule(
    code="S06",
    name="precision-not-reached",
    says="The interval of a measure is wider than `--precision` allows, after all the replications "
    "that `--replications` allows.",
    why="A difference that is smaller than the interval cannot be told from luck.",
    example="$ cascadesim compare api.yaml --precision p99=5% --replications 4\n",
    instead="Allow more replications: four times as many halve the interval. Where requests were "
    "unfinished, a longer `drain` helps, too.",
)
FEW_REPLICATIONS = Rule(
    code="S07",
    name="too-few-replications",
    says="There are too few replications to tell a change from noise.",
    why="One replication is one random world. Intervals, and with them whether a difference is "
    "seen, come from several.",
    example="$ cascadesim diff main --replications 1 api.yaml\n",
    instead="Run 4 replications at least, better 8 or more.",
)
FEW_SETTINGS = Rule(
    code="S08",
    name="too-few-settings",
    says="A sweep has too few settings to tell what share of the variance each one explains.",
    why="Shares of so few would be noise.",
    example="""\
$ cascadesim sweep api.yaml --sample lhs:8 \\
    --vary api.concurrency=2..20 --vary api.queue_limit=0..50
""",
    instead="Take 32 settings or more, or a full grid.",
)
OUT_OF_DATE = Rule(
    code="S09",
    name="baseline-out-of-date",
    says="The settings are other ones than when the baseline of a test was written, and the test "
    "passes, since nothing is worse.",
    why="What has become better may be lost again unnoticed, up to what the baseline allows.",
    example="""\
test: test_backend[after]    # a file in baselines/
settings: 0f3c9a             # of other settings than today's
""",
    instead="Write it anew with `pytest --cascade-update`, and commit it with the change.",
)
UNUSED = Rule(
    code="S10",
    name="baseline-unused",
    says="A test file has no test any more that a baseline belongs to.",
    why="Nothing is compared with it, though it looks as if it held the incident off.",
    example="""\
test: test_backend[before]    # was renamed or removed
""",
    instead="Remove the file, or rename it with its test.",
)
