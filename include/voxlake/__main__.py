"""Voxlake at a shell: ``python -m voxlake <command>``; each command has ``--help``."""

from __future__ import annotations

import argparse
import sys

from voxlake.commands import fetch, merge, preview, sinch

COMMANDS = (merge, preview, fetch, sinch)


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m voxlake", description="Tools of the Voxlake archive.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="command")
    for command in COMMANDS:
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    status: int = options.run(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
