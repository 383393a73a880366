"""What all verbs have in common: they notice --json before anything can go wrong, and their help may end with lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from nfcodec.cli import _console

JSON = "--json"

Rows = Mapping[str, str]
"""Names, and what each stands for in one line."""


class Verb(click.Command):
    """A command of `nfcodec`.

    Args:
        lists: of the help, after the options, by title. Each is made when the help is shown.
    """

    def __init__(self, *args: Any, lists: Mapping[str, Callable[[], Rows]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lists = lists or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether failures are to be printed as JSON, too, then parse; bad arguments are such failures."""
        options = args[: args.index("--")] if "--" in args else args
        _console.set_json(JSON in options and any(JSON in each.opts for each in self.params))
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the lists, then the epilog."""
        for title, rows in self._lists.items():
            with formatter.section(title):
                formatter.write_dl(list(rows().items()))
        super().format_epilog(ctx, formatter)
