"""What sends requests in a run: arrivals that wait for nobody, recorded ones, and clients."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cascadesim.model.classes import OBSERVED
from cascadesim.model.kernel import ARRIVES, Alarm
from cascadesim.randomness import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    import numpy as np
    from numpy.typing import NDArray

    from cascadesim.model.arrivals import Closed
    from cascadesim.model.kernel import Kernel
    from cascadesim.model.outcome import Outcome
    from cascadesim.model.request import Layer
    from cascadesim.plan import ObservedPlan

    Ended = Callable[[Outcome], None]

    class Run(Protocol):
        """What senders need of a run."""

        kernel: Kernel

        def add_row(self) -> int:
            """Return the row of one more request."""

        def send(
            self,
            row: int,
            number: int,
            *,
            layer: Layer | None = None,
            work: dict[int, float] | None = None,
            ended: Ended | None = None,
        ) -> None:
            """Send a request now; `ended` is told how it ends."""


class OpenArrivals:
    """Sends a request at each of the instants, in ascending order, whatever becomes of others.

    `numbers` are those of the requests, in the same order.
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


def send_observed(
    run: Run, observed: Sequence[ObservedPlan], first_row: int, layers: Sequence[Layer] = ()
) -> None:
    """Send the recorded requests when they arrive, the rows from `first_row` on.

    They go by the `layers` in turn, by that of the run where there are none.
    """
    for i, each in enumerate(observed):
        layer = layers[i % len(layers)] if layers else None
        send = partial(run.send, first_row + i, OBSERVED + i, layer=layer, work=dict(each.work))
        Alarm(run.kernel.env, each.arrival, ARRIVES, partial(_call, send))


def _call(send: Callable[[], None], _: object) -> None:
    send()


class ClosedClients:
    """Clients of whom each thinks, sends a request if the horizon is not reached, and waits."""

    def __init__(self, run: Run, plan: Closed, horizon: float, seed: int, replication: int) -> None:
        self._run = run
        self._clients = plan.clients
        self._horizon = horizon
        self._thinking = Stream(seed, replication, "workload.closed.think", plan.think)
        for client in range(plan.clients):
            self._think(client, 0)

    def _think(self, client: int, turn: int) -> None:
        # A request's number is that of the client and of its turn, so that its draws do not depend
        # on how long others take.
        number = turn * self._clients + client
        seconds = self._thinking.at(number)
        env = self._run.kernel.env
        if env.now + seconds < self._horizon:
            send = partial(self._send, number, partial(self._think, client, turn + 1))
            Alarm(env, seconds, ARRIVES, send)

    def _send(self, number: int, think: Callable[[], None], _: object) -> None:
        self._run.send(self._run.add_row(), number, ended=lambda _: think())
