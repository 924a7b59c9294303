"""A place that a call keeps in one stage until the next takes it in."""

from __future__ import annotations

from collections.abc import Callable

Release = Callable[[], None]


class Place:
    """A place that a call keeps in the stage that it comes from, until the next takes it in."""

    __slots__ = ("_over", "_release")

    def __init__(self) -> None:
        self._release: Release | None = None
        self._over = False

    def keep(self, release: Release) -> None:
        """Keep a place, which `release` frees; at once where nobody waits for it any more."""
        if self._over or self._release is not None:
            release()
        else:
            self._release = release

    def take(self) -> Release | None:
        """Return what frees the place, which is up to the caller from now on."""
        self._over = True
        release, self._release = self._release, None
        return release

    def free(self) -> None:
        """Free the place, if it is still kept."""
        release = self.take()
        if release is not None:
            release()
