"""How things are shown: tables, progress, the last lines. Everything but results goes to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

import click

from etl.flow import Json

LOG_EVERY_S = 60.0


class Advance(Protocol):
    """Told how many more rows are done."""

    def __call__(self, rows: int, /) -> None:
        """So many more."""


def table(title: str, rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> None:
    """A table on stdout: first column names, numbers to the right, the rest text."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE, show_header=bool(header))
    width = max(len(row) for row in rows)
    for i in range(width):
        number = all(row[i].replace(",", "").isdigit() or not row[i] for row in rows)
        drawn.add_column(header[i] if header else "", justify="right" if number else "left", no_wrap=i == 0)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 118)
    with console.capture() as captured:
        console.print(Text(title, style="bold"), soft_wrap=True)  # a table's own title is as narrow as the table
        console.print(drawn)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def last_lines(pairs: Sequence[tuple[str, str]]) -> None:
    """What happened, where the files are, what to do next; one line each."""
    width = max(len(name) for name, _ in pairs) + 2
    for name, text in pairs:
        click.echo(f"{name + ':':<{width}}{text}")


def program() -> str:
    """How to call this program from here: `etl` where the shell finds it, else its path."""
    import os
    import shutil

    called = sys.argv[0]
    if shutil.which("etl") or not os.path.isfile(called):  # noqa: PTH113 - no Path needed for this
        return "etl"
    return os.path.relpath(called) if os.path.basename(called) == "etl" else "python -m etl"  # noqa: PTH119 - as above


def command(*words: object) -> str:
    """A command of this program, to be pasted into a shell."""
    import shlex

    return f"{program()} {shlex.join(map(str, words))}"


def say(text: str) -> None:
    """A line for people, on stderr."""
    click.echo(text, err=True)


def json_object(found: Json) -> None:
    """One JSON object on stdout."""
    import orjson

    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Advance]:
    """A bar with rate and time left on a terminal; one line a minute elsewhere."""
    if sys.stderr.isatty():
        with _bar(what, total) as advance:
            yield advance
    else:
        yield _log(what, total)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]} rows/s"))
    begun, done = monotonic(), 0
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        shown = bar.add_task(what, total=total, rate="")

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            bar.update(shown, advance=rows, rate=f"{done / max(monotonic() - begun, 0.01):,.0f}")

        yield advance


def _log(what: str, total: int | None) -> Advance:
    begun = spoken = monotonic()
    done = 0

    def advance(rows: int) -> None:
        nonlocal done, spoken
        done += rows
        now = monotonic()
        if now - spoken >= LOG_EVERY_S:
            spoken = now
            rate = done / (now - begun)
            left = f", {(total - done) / rate / 60:,.0f} min left" if total and rate else ""
            say(f"{what}: {done:,} rows, {rate:,.0f} rows/s{left}")

    return advance
