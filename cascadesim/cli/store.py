"""Command that looks after the store of results."""

from __future__ import annotations

from typing import Annotated

import typer

from cascadesim.cli.app import Command, StoreOption, app, default_store, store_folder


@app.command(cls=Command)
def store(
    store: StoreOption = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all results.")] = False,
) -> None:
    """Tell where the results of compare, sweep and optimize are kept, and how many.

    \b
    Examples:
      cascadesim store
      cascadesim store --clear
    """
    from cascadesim.cli.tables import new_console, print_table, say
    from cascadesim.studies.store import Store, code_version

    kept = Store(store_folder(store) or default_store())
    if clear:
        kept.clear()
    console = new_console()
    say(console, f"\nResults are kept in {kept.folder}; this is version {code_version()}.\n")
    rows = [
        (each.version, f"{each.replications:,}", str(each.files), f"{each.bytes / 2**20:.2f}")
        for each in kept.describe()
    ]
    if rows:
        print_table(console, "", ("version", "replications", "files", "MiB"), rows)
    else:
        say(console, "There are none.")
