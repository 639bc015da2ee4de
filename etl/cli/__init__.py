"""The command line: one file a command; the only place that prints or exits.

Commands import what is heavy when they run, so that `--help` answers at once.
"""

from __future__ import annotations

import gc
import json
import signal
import sys

import click

from etl import __version__
from etl.cli import (
    check,
    errors,
    explain,
    export,
    guess,
    plan,
    preview,
    record,
    retry,
    run,
    sandbox,
    schema,
    status,
    transform,
    undo,
    verify,
)
from etl.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, EtlError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="etl")
def etl() -> None:
    """Bulk import of CRM activity history into HubSpot: each row created once, or accounted for.

    Start with `etl preview FILE -m MAPPING`, look at `etl plan FILE -m MAPPING`, then `etl run FILE -m MAPPING`.
    Everything goes to the embedded sandbox unless `--target hubspot` is given.
    """


COMMANDS = (
    run.run,
    plan.plan,
    transform.transform,
    guess.guess,
    check.check,
    preview.preview,
    explain.explain,
    errors.errors,
    schema.schema,
    status.status,
    record.show_,
    retry.retry,
    undo.undo,
    verify.verify,
    export.export,
    sandbox.sandbox,
)
for command in COMMANDS:
    etl.add_command(command)


#: Objects after which Python looks for cycles, which columns do not make: imports are an eighth quicker with 700 of them.
GARBAGE = 50_000


def main() -> None:
    """Runs the command line; the only `except EtlError` of the program."""
    gc.set_threshold(GARBAGE)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `etl preview ... | head` ends quietly
    signal.signal(signal.SIGTERM, _terminated)  # while sending, `sending` listens instead
    try:
        code = etl.main(standalone_mode=False)
    except EtlError as e:
        sys.exit(_say(e))
    except click.exceptions.Abort:
        click.echo("Interrupted; nothing is lost. The same command goes on.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except KeyboardInterrupt:
        click.echo("Interrupted before anything was sent. The same command starts again.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
    finally:
        gc.freeze()  # or Python looks through all that is left on its way out: a fifth of a second
    sys.exit(code if isinstance(code, int) else 0)


def _terminated(number: int, _frame: object) -> None:
    """Leaves in order: files are closed, and a sandbox of our own is ended."""
    signal.signal(number, signal.SIG_IGN)
    click.echo("Terminated; nothing is lost. The same command goes on.", err=True)
    sys.exit(EXIT_TERMINATED)


def _say(error: EtlError) -> int:
    """One line for what happened, one for what to do; with `--json` also as an object on stdout."""
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(f"  do: {error.hint}", err=True)
    if "--json" in sys.argv and not error.said:
        click.echo(json.dumps({"error": error.as_json()}, ensure_ascii=False))
    return error.exit_code
