"""What sends requests: arrivals at known instants, recorded requests, and clients."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cascadesim.engine.simpy.kernel import ARRIVES, Alarm
from cascadesim.plan.classes import OBSERVED
from cascadesim.randomness import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    import numpy as np
    from numpy.typing import NDArray

    from cascadesim.engine.simpy.kernel import Kernel
    from cascadesim.engine.simpy.websocket import Connections
    from cascadesim.plan.arrivals import Closed
    from cascadesim.plan.plan import ObservedPlan
    from cascadesim.values.outcome import Outcome

    Ended = Callable[[Outcome], None]

    class Run(Protocol):
        """What senders need of a replication."""

        kernel: Kernel

        def add_row(self, number: int) -> int:
            """Return the row of one more request, which has this number."""

        def send(
            self,
            row: int,
            number: int,
            *,
            work: dict[int, float] | None = None,
            ended: Ended | None = None,
        ) -> None:
            """Send a request now; `ended` is called with its outcome."""


class OpenArrivals:
    """Sends a request at each of the instants, whether or not earlier ones have ended.

    `instants` are seconds in ascending order, `numbers` those of the requests in the same order.
    """

    def __init__(self, run: Run, instants: NDArray[np.float64], numbers: Sequence[int]) -> None:
        self._run = run
        self._instants = instants
        self._numbers = numbers
        self._sent = 0
        self._send_next()

    def _send_next(self) -> None:
        if self._sent < len(self._instants):
            env = self._run.kernel.env
            delay = float(self._instants[self._sent]) - env.now
            Alarm(env, max(0.0, delay), ARRIVES, self._arrive)

    def _arrive(self, _: object) -> None:
        row = self._sent
        self._sent += 1
        self._run.send(row, self._numbers[row])
        self._send_next()


def send_observed(run: Run, observed: Sequence[ObservedPlan], first_row: int) -> None:
    """Send the recorded requests when they arrive; their rows are those from `first_row` on."""
    for i, request in enumerate(observed):
        send = partial(run.send, first_row + i, OBSERVED + i, work=dict(request.work))
        Alarm(run.kernel.env, request.arrival, ARRIVES, partial(_call, send))


def _call(send: Callable[[], None], _: object) -> None:
    send()


class ClosedClients:
    """Clients that think, send a request, wait for its end, and think again until the horizon."""

    def __init__(self, run: Run, plan: Closed, horizon: float, seed: int, replication: int) -> None:
        self._run = run
        self._clients = plan.clients
        self._horizon = horizon
        self._thinking = Stream(seed, replication, "workload.closed.think", plan.think)
        for client in range(plan.clients):
            self._think(client, 0)

    def _think(self, client: int, turn: int) -> None:
        # A request's number is made of its client and turn, so that its draws do not depend on how
        # long other requests take.
        number = turn * self._clients + client
        seconds = self._thinking.at(number)
        env = self._run.kernel.env
        if env.now + seconds < self._horizon:
            send = partial(self._send, number, partial(self._think, client, turn + 1))
            Alarm(env, seconds, ARRIVES, send)

    def _send(self, number: int, think: Callable[[], None], _: object) -> None:
        self._run.send(self._run.add_row(number), number, ended=lambda _: think())


class ConnectedClients:
    """Sends the messages of each client, from its first connect on, whatever its connection does.

    A message's number is made of its client and turn, as with ClosedClients. Number and instant
    are the client's own plan: neither replies nor connections change them.
    """

    def __init__(
        self, run: Run, connections: Connections, horizon: float, seed: int, replication: int
    ) -> None:
        self._run = run
        self._horizon = horizon
        plan = connections.plan
        self._gaps = Stream(seed, replication, "workload.connections.messages", plan.messages)
        self._clients = plan.clients
        for i in range(plan.clients):
            self._wait(i, 0, plan.connect_over * i / plan.clients)

    def _wait(self, client: int, turn: int, begin: float) -> None:
        number = turn * self._clients + client
        env = self._run.kernel.env
        seconds = begin + self._gaps.at(number)
        if env.now + seconds < self._horizon:
            Alarm(env, seconds, ARRIVES, partial(self._send, client, turn, number))

    def _send(self, client: int, turn: int, number: int, _: object) -> None:
        self._run.send(self._run.add_row(number), number)
        self._wait(client, turn + 1, 0.0)
