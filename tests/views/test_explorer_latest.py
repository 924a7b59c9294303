"""The last of several moves of a slider is simulated once they rest, and none piles up."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from cascadesim.views.explorer import DELAY, Latest


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self._sleepers: list[asyncio.Future[None]] = []

    async def sleep(self, seconds: float) -> None:
        assert seconds == DELAY
        self._sleepers.append(asyncio.get_running_loop().create_future())
        await self._sleepers[-1]

    async def tick(self) -> None:
        """Let a delay pass."""
        await idle()
        for each in self._sleepers:
            each.set_result(None)
        self._sleepers.clear()
        await idle()


async def idle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_only_the_last_of_several_moves_counts_once_they_rest() -> None:
    async def work() -> list[int]:
        done: list[int] = []

        async def note(value: int) -> None:
            done.append(value)

        clock = Clock()
        latest = Latest(note, clock.sleep)
        for value in (1, 2, 3):
            latest.put(value)
        await idle()
        latest.put(4)
        await clock.tick()
        assert done == []  # as it moved meanwhile
        await clock.tick()
        assert done == [4]
        await clock.tick()
        await latest.settled()
        return done

    assert asyncio.run(work()) == [4]


@given(st.lists(st.sampled_from(["move", "tick", "end"]), max_size=30))
def test_work_never_piles_up_and_the_last_move_is_never_lost(actions: list[str]) -> None:
    async def work() -> None:
        begun: list[int] = []
        under_way: list[asyncio.Future[None]] = []

        async def note(value: int) -> None:
            assert all(each.done() for each in under_way)
            begun.append(value)
            under_way.append(asyncio.get_running_loop().create_future())
            await under_way[-1]

        clock = Clock()
        latest = Latest(note, clock.sleep)
        moves = 0
        for action in [*actions, *["tick", "tick", "end"] * 2]:
            if action == "move":
                moves += 1
                latest.put(moves)
            elif action == "tick":
                await clock.tick()
            else:
                for each in under_way:
                    if not each.done():
                        each.set_result(None)
                await idle()
        await latest.settled()
        assert begun == sorted(set(begun))
        assert begun[-1:] == ([moves] if moves else [])

    asyncio.run(work())
