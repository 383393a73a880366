"""What all verbs have in common: they notice --json before anything can go wrong, and their help may end with lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from nfcodec.cli import _console

JSON = "--json"

Rows = Mapping[str, str]
"""Names, and what each stands for in one line."""


class HelpfulCommand(click.Command):
    """Prints its help as everything else is printed: all of it, or the exit code says that it could not be."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return click's option with another way to print."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
        return option


def _show_help(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        _console.out(ctx.get_help())
        ctx.exit()


class Verb(HelpfulCommand):
    """A command of `nfcodec`.

    Args:
        lists: of the help, after the options, by title. Each is made when the help is shown.
    """

    def __init__(self, *args: Any, lists: Mapping[str, Callable[[], Rows]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lists = lists or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether failures are to be printed as JSON, too, then parse; bad arguments are such failures."""
        options = args[: args.index("--")] if "--" in args else args
        _console.set_json(JSON in options and any(JSON in each.opts for each in self.params))
        ctx.allow_extra_args = True  # as we can say more about them
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            ctx.fail(self._too_many(ctx, rest))
        return rest

    def _too_many(self, ctx: click.Context, extra: list[str]) -> str:
        wanted = " ".join(each.make_metavar(ctx) for each in self.params if isinstance(each, click.Argument))
        return f"{self.name} takes {wanted or 'no file'}, and {', '.join(extra)} is too much"

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the lists, then the epilog."""
        for title, rows in self.lists.items():
            with formatter.section(title):
                formatter.write_dl(list(rows().items()))
        super().format_epilog(ctx, formatter)
