"""The command `cascadesim`, also as `python -m cascadesim`."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, NoReturn

from cascadesim.values.stops import STOPS

_STOPPED = {128 + stop for stop in STOPS}  # exit codes, as shells have them


def _leave(*_: Any) -> NoReturn:
    """End at once, by Ctrl-C before a command has begun to run or after it has ended."""
    with suppress(OSError):
        os.write(2, b"cascadesim: interrupted\n")
    os._exit(130)


def _once_more(unraisable: Any) -> None:
    """Interrupt again where Ctrl-C came while Python cleared away, which swallows it."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    again = threading.Timer(0.01, _thread.interrupt_main)
    again.daemon = True
    again.start()


def main() -> None:
    """Run the command line."""
    sys.unraisablehook = _once_more
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored by a shell
        signal.signal(signal.SIGINT, _leave)
    from cascadesim.cli import main as run  # slow to import

    try:
        run()
    except SystemExit as end:
        if not isinstance(end.code, int) or end.code not in _STOPPED:
            raise
        # At once: what else Python clears away could wait for workers, or be stopped, too.
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(end.code)


if __name__ == "__main__":
    main()
