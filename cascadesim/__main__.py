"""Lets `python -m cascadesim` stand for `cascadesim`."""

from cascadesim.cli import main

main()
