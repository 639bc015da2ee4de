"""`etl verify`: what was loaded, held against the account."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import click

from etl.cli import options, show
from etl.errors import ConfigError, InputError

if TYPE_CHECKING:
    from etl.checkpoint.store import Checkpoint
    from etl.cli.account import Account
    from etl.flow import Json
    from etl.hubspot.target import Listing
    from etl.verify import Finding, Verified

EXIT_DIFFERS = 4
#: Of each symbol so many findings are shown; the combined file has all.
SHOWN = 20


@click.command()
@options.account
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Only N rows, taken at random; no look for extras."
)
@click.option(
    "--combined",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A line for every row: = equal, * differs, - missing, + extra, ! error.",
)
@options.as_json
def verify(*, sample: int | None, combined: Path | None, as_json: bool, **given: Any) -> int:
    """Read back what was loaded and compare it field by field and link by link.

    Of every checkpoint of the account (or of --checkpoint): equal, differing, missing; and what is there besides:
    duplicates, and engagements with an import key that no checkpoint knows. What HubSpot does to values by itself is no
    difference. Changes nothing. Ends with 0 when all is equal, else with 4.
    """
    from etl import verify as verifying
    from etl.cli.account import open_account

    where = cast("options.AccountOptions", given)
    begun_s = monotonic()
    with open_account(where) as account, ExitStack() as opened:
        chosen, others = _checkpoints(account, where["checkpoint"], opened)
        rows = _rows(chosen)
        lists = _announce(account, rows, sample)
        shown = _Shown()
        with _combined(combined) as write, show.progress("verify", sample or sum(rows.values())) as advance:

            def on_findings(findings: list[Finding]) -> None:
                write(findings)
                shown.take(findings)
                advance(sum(finding.symbol != "+" for finding in findings))

            found = account.runner.run(
                verifying.verify(chosen, others, account.target, lists=lists, sample=sample, on_findings=on_findings)
            )
    result = _result(found, chosen, combined, monotonic() - begun_s)
    if as_json:
        show.json_object({**result, "findings": [finding._asdict() for finding in shown.findings]})
    else:
        _tables(found, shown, combined)
    return 0 if found.is_equal else EXIT_DIFFERS


class _Shown:
    """The first findings of each symbol that is not `=`, and the first rows that are linked to nothing."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._many: Counter[str] = Counter()

    def take(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            if (finding.symbol == "=" and not finding.what) or self._many[finding.symbol] >= SHOWN:
                continue
            self._many[finding.symbol] += 1
            self.findings.append(finding)


def _checkpoints(account: Account, path: Path | None, opened: ExitStack) -> tuple[list[Checkpoint], list[Checkpoint]]:
    """The checkpoints to verify, and the others of the same account; open for reading until `opened` ends."""
    from etl.checkpoint.store import peek

    beside = sorted(p for p in (options.STATE / account.name).glob("*.sqlite") if p.is_file())
    chosen = [path] if path else beside
    if not chosen:
        raise InputError(f"Nothing was loaded into {account.name} from here.", hint="`etl run FILE -m MAPPING` loads.")
    there = {one: opened.enter_context(closing(peek(one))) for one in dict.fromkeys([*chosen, *beside])}
    portal = f"{account.name} {account.portal.id}"
    for one in chosen:
        if (own := dict(there[one].rows("SELECT name, value FROM meta")).get("portal")) != portal:
            raise ConfigError(f"The checkpoint {one} belongs to {own!r}, not to {portal!r}.", hint="Give its --target.")
    same = {one.resolve() for one in chosen}
    return [there[one] for one in chosen], [there[one] for one in beside if one.resolve() not in same]


def _rows(chosen: Sequence[Checkpoint]) -> Counter[str]:
    from etl.checkpoint import loaded

    rows = Counter[str]()
    for checkpoint in chosen:
        rows.update(loaded.by_type(checkpoint))
    return rows


def _announce(account: Account, rows: Counter[str], sample: int | None) -> tuple[Listing, ...]:
    """Says what it costs before it begins; the lists to go through."""
    from etl.verify import ways

    held = account.runner.run(account.target.count())
    found = ways(account.target.wire, rows, held, sample=sample)
    allowed = account.target.allowance()
    minutes = found.seconds(allowed.limit / allowed.window_s) / 60
    searches = f" and {found.searches:,} searches" if found.searches else ""
    time = f"{minutes:.0f} min" if minutes >= 1 else "less than a minute"
    what = f"{min(sample, sum(rows.values())):,} of {sum(rows.values()):,}" if sample else f"{sum(rows.values()):,}"
    show.say(f"verify: {what} rows, about {found.requests:,} requests{searches}, {time} at the account's pace")
    return found.lists


@contextmanager
def _combined(path: Path | None) -> Iterator[Callable[[Sequence[Finding]], None]]:
    if path is None:
        yield lambda _: None
        return
    from etl.report.files import whole_file

    with whole_file(path) as out:
        yield lambda findings: out.writelines(f"{finding.line()}\n" for finding in findings)


def _result(found: Verified, chosen: Sequence[Checkpoint], combined: Path | None, took_s: float) -> Json:
    from etl.verify import SYMBOLS

    counts: Json = {name.split()[0]: found.counts[symbol] for symbol, name in SYMBOLS.items() if symbol != "!"}
    return {
        **counts,
        "errors": found.counts["!"],
        "duplicates": found.duplicates,
        "unlinked": found.unlinked,
        "fields": dict(found.fields.most_common()),
        "by_type": {type_: dict(counts) for type_, counts in found.by_type.items()},
        "checkpoints": [os.fspath(checkpoint.path) for checkpoint in chosen],
        "combined": os.fspath(combined) if combined else None,
        "seconds": round(took_s, 3),
        "equal_to_account": found.is_equal,
    }


def _tables(found: Verified, shown: _Shown, combined: Path | None) -> None:
    from etl.verify import SYMBOLS

    types = sorted(found.by_type)
    rows = [[f"{symbol} {name}", f"{found.counts[symbol]:,}", *(f"{found.by_type[t][symbol]:,}" for t in types)]
            for symbol, name in SYMBOLS.items()]  # fmt: skip
    show.table("what the account holds of what was loaded", rows, ("", "all", *types))
    if shown.findings:
        named = [[f.symbol, f.remote_id, f.type, f.place, f.what] for f in shown.findings]
        show.table(f"the first {SHOWN} of each", named, ("", "id", "type", "row", "what"))
    if found.fields:
        fields = [[name, f"{rows:,}"] for name, rows in found.fields.most_common()]
        show.table("what differs", fields, ("field", "rows"))
    pairs = [
        ("duplicates", f"{found.duplicates:,}"),
        ("linked to nothing", f"{found.unlinked:,}   # no timeline shows them"),
        *([("combined", str(combined))] if combined else []),
        ("result", "equal" if found.is_equal else "not equal: exit 4"),
    ]
    show.last_lines(pairs)
