"""`etl preview`: the first payloads, or one row's, to look at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etl.cli import options, show
from etl.cli.explain import one_of
from etl.cli.plan import usable_mapping
from etl.engagement import TYPES

if TYPE_CHECKING:
    from etl.flow import Json, Reject
    from etl.half_one import Half
    from etl.mapping import Mapping


@click.command()
@options.file
@options.mapping
@options.said
@click.option("-n", "number", type=click.IntRange(min=1), default=5, show_default=True, help="How many payloads.")
@click.option(
    "--row", type=options.RowPlace(), help="Only the row on this line of FILE; of several files, of that one."
)
@click.option("--type", "kind", type=click.Choice(TYPES, case_sensitive=False), help="Only engagements of this type.")
@click.option("--cards", is_flag=True, help="Cards for people instead of JSON.")
@options.as_json
def preview(
    file: Path, mapping: str, number: int, row: tuple[str, int] | None, kind: str | None,
    *, timezone: str | None, region: str | None, cards: bool, as_json: bool,
) -> None:  # fmt: skip
    """Print the payloads of the first rows of FILE as JSON, or as cards: no account, nothing sent.

    What needs an account (owners, contacts by phone or e-mail) stands beside the payload in words, under `wanted`.
    """
    loaded, files = usable_mapping(mapping, (file,), timezone, region)
    if row is not None:
        _one_row(one_of(files, file, row), loaded, row[1], cards=cards, as_json=as_json)
        return
    halves = _halves(files, loaded, number, kind or "")
    payloads = list(islice((each for _, some, _ in halves for each in some), number))
    rejects = [(path, reject) for path, _, half in halves for reject in half.rejects]
    skipped: Counter[str] = Counter()
    for *_, half in halves:
        skipped.update(half.skipped)
    if as_json:
        broken = [
            {"file": str(path), "line": each.line, "problems": [p._asdict() for p in each.problems]}
            for path, each in rejects
        ]
        show.json_object({"payloads": payloads, "rejected": broken, "skipped": dict(skipped)})
        return
    for payload in payloads:
        click.echo(_card(payload) if cards else json.dumps(payload, indent=2, ensure_ascii=False))
    _left_out(rejects, skipped, several=len(files) > 1)
    if not payloads:
        show.say(f"no row becomes {'a ' + kind if kind else 'an engagement'}")
    if rejects:
        path, first = rejects[0]
        show.say(f"next: {show.command('explain', path, '-m', mapping, '--row', first.line)}   # says why")


def _left_out(rejects: list[tuple[Path, Reject]], skipped: Counter[str], *, several: bool) -> None:
    """The rows that were passed on the way, on stderr."""
    for path, reject in rejects[:10]:
        reasons = "; ".join(f"{p.column + ': ' if p.column else ''}{p.message} [{p.code}]" for p in reject.problems)
        show.say(f"{f'{path}, ' if several else ''}line {reject.line} is rejected: {reasons}")
    if len(rejects) > 10:
        show.say(f"and {len(rejects) - 10:,} more rows are rejected on the way")
    for reason, rows in skipped.items():
        show.say(f"skipped on the way: {rows} x {reason}")


def _halves(files: tuple[Path, ...], loaded: Mapping, number: int, kind: str) -> list[tuple[Path, list[Json], Half]]:
    """Chunks, each with its file and its payloads of that type, until there are so many."""
    from etl.associate import payload_lines
    from etl.engagement import DISPOSITIONS
    from etl.half_one import half_one

    found: list[tuple[Path, list[Json], Half]] = []
    limit = None if kind else number
    for file, half in ((f, half) for f in files for half in half_one(f, loaded, DISPOSITIONS, None, limit=limit)):
        payloads = [json.loads(text) for text in payload_lines(half.linked).to_pylist()]
        if kind:
            payloads = [each for each in payloads if each["engagement"]["type"] == kind]
        found.append((file, payloads, half))
        if sum(len(some) for _, some, _ in found) >= number:
            break
    return found


def _one_row(file: Path, loaded: Mapping, line: int, *, cards: bool, as_json: bool) -> None:
    """One row's payload, or the reason why it has none."""
    from etl.explain import explain

    row = explain(file, loaded, line)
    if as_json:
        show.json_object(
            {name: getattr(row, name) for name in ("line", "outcome", "reason", "code", "place", "payload")}
        )
        return
    if row.outcome != "mapped":
        by = f", by the rule at {row.place}" if row.place else ""
        code = f" [{row.code}]" if row.code else ""
        click.echo(f"line {row.line} is {row.outcome}: {row.reason}{code}{by}")
    if row.payload:
        click.echo(_card(row.payload) if cards else json.dumps(row.payload, indent=2, ensure_ascii=False))


def _card(payload: Json) -> str:
    """A payload for people: type and time on top, then its fields and its links in words."""
    import sys

    from rich.console import Console
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    fields = Table.grid(padding=(0, 2))
    fields.add_column(style="dim", no_wrap=True)
    fields.add_column(overflow="fold")
    for name, value in _lines(payload):
        fields.add_row(Text(name), Text(value))
    engagement = payload["engagement"]
    where = f"line {payload['line']}" if "line" in payload else ""
    title = Text(f"{engagement['type']}  {_time(engagement['timestamp'])}")
    console = Console(width=None if sys.stdout.isatty() else 100)
    with console.capture() as captured:
        console.print(Panel(fields, title=title, title_align="left", subtitle=Text(where), subtitle_align="right"))
    return captured.get().rstrip("\n")


def _lines(payload: Json) -> Iterator[tuple[str, str]]:
    """What stands on a card, a line each: owner, links, fields, properties."""
    wanted = payload.get("wanted", {})
    owner = payload["engagement"].get("ownerId") or wanted.get("owner")
    if owner:
        yield "owner", str(owner)
    for kind in ("contacts", "companies", "deals", "tickets"):
        ways = [_way(each) for each in wanted.get(kind, ())]
        ids = payload["associations"].get({"companies": "companyIds"}.get(kind, f"{kind[:-1]}Ids"), [])
        ways += [f"id {each}" for each in ids]
        if ways:
            yield kind, ", else ".join(ways)
    for section in ("metadata", "properties"):
        for name, value in payload.get(section, {}).items():
            yield name, _shown(name, value)
    if payload.get("attachments"):
        yield "attachments", ", ".join(map(_attached, payload["attachments"]))


def _attached(file: Json) -> str:
    """A file that the account has, or that will be uploaded."""
    return f"{file['file']} ({file['bytes']:,} bytes, to be uploaded)" if "file" in file else f"id {file['id']}"


def _way(wanted: Json) -> str:
    """A link in words: `by phone +12065550100`."""
    if wanted["by"] == "contact":
        return "of the contact found"
    value = wanted.get("value", "")
    words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"by {wanted.get('table') or wanted['by']} {words}"


def _shown(name: str, value: Any) -> str:
    """A field's value: times and durations as people write them, the rest as it is."""
    if name.endswith("Time") and isinstance(value, int):
        return _time(value)
    if name == "durationMilliseconds" and isinstance(value, int):
        minutes, seconds = divmod(value // 1000, 60)
        return f"{minutes} min {seconds} s"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _time(at_ms: int) -> str:
    """A time in UTC."""
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
