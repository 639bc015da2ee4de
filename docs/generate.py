"""Writes the pages that come from the code: `errors.md` and `cli.md`. A test holds them to it."""

from __future__ import annotations

import inspect
from pathlib import Path

import click

from etl import errors
from etl.cli import etl

HERE = Path(__file__).parent
OUTCOMES = {
    0: "All is well. Parked rows alone are well: every night has some.",
    3: "Finished, but rows were rejected or are unresolved; the last lines say where they are listed.",
    130: "Ended by Ctrl-C, with everything recorded. The same command goes on.",
    143: "Ended by SIGTERM, with everything recorded. The same command goes on.",
}


def errors_page() -> str:
    """Exit codes, reject codes and mapping codes, from the tables in `etl/errors.py`."""
    exits = dict(OUTCOMES)
    for error in errors.EtlError.__subclasses__():
        words = f"`{error.__name__}`: {inspect.getdoc(error)}"
        exits[error.exit_code] = f"{exits[error.exit_code]} {words}" if error.exit_code in exits else words
    parts = [
        "# Codes\n\nMade from `etl/errors.py` by `make docs`.\n",
        "## Exit codes\n",
        "| code | meaning |\n|---|---|",
    ]
    parts += [f"| {code} | {words} |" for code, words in sorted(exits.items())]
    parts += ["\n## Codes of a rejected row\n", "The column `_etl_code` of a reject file.\n"]
    parts += ["| code | meaning | what to do |\n|---|---|---|"]
    parts += [f"| `{code}` | {meaning} | {remedy} |" for code, (meaning, remedy) in errors.ROW_CODES.items()]
    parts += ["\n## Codes of a mistake in a mapping\n", "| code | meaning |\n|---|---|"]
    parts += [f"| `{code}` | {meaning} |" for code, meaning in errors.MAPPING_CODES.items()]
    return "\n".join(parts) + "\n"


def cli_page() -> str:
    """The help of every command."""
    parts = ["# Commands\n\nMade from `--help` by `make docs`.\n"]
    top = click.Context(etl, info_name="etl")
    for name, command in etl.commands.items():
        context = click.Context(command, info_name=name, parent=top)
        if isinstance(command, click.Group):
            for below, inner in command.commands.items():
                parts.append(_section(inner, click.Context(inner, info_name=below, parent=context)))
        else:
            parts.append(_section(command, context))
    return "\n".join(parts)


def _section(command: click.Command, context: click.Context) -> str:
    context.max_content_width = context.terminal_width = 100
    context.help_option_names = ["-h", "--help"]
    return f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"


PAGES = {"errors.md": errors_page, "cli.md": cli_page}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (HERE / page).write_text(make(), encoding="utf-8")
