"""`stepwell completion`: what a shell needs to complete commands, options and their values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "stepwell"
VARIABLE = "_STEPWELL_COMPLETE"  # what the scripts ask the program by


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in SHELL.

    bash, in ~/.bashrc: eval "$(stepwell completion bash)"

    zsh, in ~/.zshrc after compinit: eval "$(stepwell completion zsh)"

    fish: stepwell completion fish > ~/.config/fish/completions/stepwell.fish
    """
    made = get_completion_class(shell)
    if made is None:
        raise LookupError(shell)
    click.echo(made(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())
