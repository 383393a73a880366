"""`nfcodec completion`: what a shell needs to complete verbs, options, files, chains and fields."""

from __future__ import annotations

import click

from nfcodec.cli import _console
from nfcodec.cli._verb import Verb

PROGRAM = "nfcodec"
VARIABLE = "_NFCODEC_COMPLETE"
"""By which the program is asked for completions; click has this name from that of the program."""

_INTO = {
    "bash": '~/.local/share/bash-completion/completions/nfcodec, or in ~/.bashrc: eval "$(nfcodec completion bash)"',
    "zsh": 'a file _nfcodec in a folder of $fpath, or in ~/.zshrc: eval "$(nfcodec completion zsh)"',
    "fish": "~/.config/fish/completions/nfcodec.fish",
}


@click.command(
    "completion",
    cls=Verb,
    short_help="Print a script for the shell's completion.",
    lists={"Where it goes": lambda: _INTO},
    epilog="Example: nfcodec completion fish > ~/.config/fish/completions/nfcodec.fish",
)
@click.argument("shell", type=click.Choice(list(_INTO)))
def command(shell: str) -> None:
    """Print a script for SHELL, by which it completes verbs, options, files, chains and fields."""
    from click.shell_completion import get_completion_class

    from nfcodec.cli import command as nfcodec

    found = get_completion_class(shell)
    assert found is not None  # as click knows these three
    complete = found(nfcodec, {}, PROGRAM, VARIABLE)
    _console.out((complete.source_template % complete.source_vars()).rstrip())
