"""The command `cascadesim`, also as `python -m cascadesim`."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any, NoReturn


def _leave(*_: Any) -> NoReturn:
    """End at once, by Ctrl-C before a command has begun to run or after it has ended."""
    with suppress(OSError):
        os.write(2, b"cascadesim: interrupted\n")
    os._exit(130)


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored by a shell
        signal.signal(signal.SIGINT, _leave)
    from cascadesim.cli import main as run  # slow to import

    run()


if __name__ == "__main__":
    main()
