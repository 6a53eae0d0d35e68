"""Runs the command line as `python -m modelport`."""

from __future__ import annotations

from modelport.cli import main

main()
