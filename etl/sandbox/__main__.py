"""`python -m etl.sandbox`: the sandbox as a process of its own, as tests and the default target start it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
import orjson

from etl.errors import EtlError
from etl.sandbox.options import serving, start


@click.command(help=__doc__)
@serving
@click.option("--db", type=click.Path(path_type=Path), required=True, help="The store; made when it is not there.")
@click.option("--token", default="", help="The only token to accept, where everybody may see it: for tests.")
@click.option(
    "--ready-file", type=click.Path(path_type=Path), help="Written with url, pid and db when requests are taken."
)
@click.option("--parent-pid", type=int, help="End when this process is gone.")
def main(
    db: Path, seed_data: Path | None, token: str, ready_file: Path | None, parent_pid: int | None, **given: Any
) -> None:
    """Serves until stopped; an error that the user can mend becomes its text and its exit code."""

    def announce(url: str) -> None:
        click.echo(url)
        if ready_file is not None:
            _write(ready_file, {"url": url, "pid": os.getpid(), "db": str(db.resolve())})

    try:
        start(given, db=db, seed_data=seed_data, ready=announce, token=token, parent_pid=parent_pid)
    except EtlError as problem:
        click.echo(f"{problem.message}\n{problem.hint}", err=True)
        sys.exit(problem.exit_code)


def _write(path: Path, told: dict[str, object]) -> None:
    """Writes the ready file whole: under another name first."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    made.touch(mode=0o600)
    made.write_bytes(orjson.dumps(told))
    made.replace(path)


if __name__ == "__main__":
    main()
