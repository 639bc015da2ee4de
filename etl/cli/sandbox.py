"""`etl sandbox serve`: the embedded HubSpot, to rehearse against and to look at."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from etl.cli import options, show
from etl.sandbox.options import serving, start


@click.group()
def sandbox() -> None:
    """The embedded sandbox: a HubSpot of your own, on this machine only."""


@sandbox.command()
@click.option("--db", type=click.Path(path_type=Path), help="Its store; default: .etl/sandbox.sqlite")
@serving
def serve(db: Path | None, seed_data: Path | None, **given: Any) -> None:
    """Serve the sandbox until Ctrl-C. `etl run` uses it while it is there."""
    from etl.cli.account import packaged
    from etl.report.files import whole_file

    named = options.STATE / "sandbox.json"
    is_default = db is None and not given["token_file"]  # `etl run` finds it by itself, so it must take any token

    def ready(url: str) -> None:
        if is_default:
            with whole_file(named) as out:
                json.dump({"url": url, "pid": os.getpid()}, out)
        show.say(f"sandbox at {url} (Ctrl-C ends it; its store stays)")

    store = db or options.STATE / "sandbox.sqlite"
    store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        start(given, db=store, seed_data=seed_data or packaged("sample_data") / "portal", ready=ready)
    finally:
        if is_default:
            named.unlink(missing_ok=True)
