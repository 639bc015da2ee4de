"""`etl export`: engagements out of an account, into a file that `etl run` can load into another."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import click

from etl.cli import options, show
from etl.errors import InputError, UsageError

if TYPE_CHECKING:
    from etl.cli.account import Account
    from etl.export import Exported


@click.command()
@options.where
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only these: CALL, EMAIL, ... (may be repeated).")
@click.option(
    "--since", metavar="TIME", help="Only what changed since: 2026-03-01, or 2026-03-01T09:30 (account's clock)."
)
@click.option("--contact", metavar="ID|EMAIL", help="Only what this contact's timeline shows.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("engagements.csv"),
    show_default=True,
    metavar="FILE",
    help="Ends in .csv, .jsonl or .parquet; appears when it is whole.",
)
@options.as_json
def export(
    *, types: tuple[str, ...], since: str | None, contact: str | None, out: Path, as_json: bool, **given: Any
) -> int:  # fmt: skip
    """Read engagements out of the account into FILE: a row each, its links as ids and as words.

    Stop it at any moment; the same command goes on behind what it has. The mapping `engagements` loads the file into
    another account. Types that only the legacy API shows (chats, messages, ...) need --api v1; direction of calls and
    properties of your own need --api objects.
    """
    from etl.cli.account import open_account
    from etl.export import export as export_into
    from etl.export.part import Part
    from etl.hubspot.target import Listing

    where = cast("options.AccountOptions", {"checkpoint": None, **given})
    if since and contact:
        raise UsageError("--since and --contact do not go together.", hint="Give one of them.")
    begun_s = monotonic()
    with open_account(where) as account:
        listing = Listing(
            types=tuple(dict.fromkeys(t.upper() for t in types)),
            since_ms=_moment(since, account.portal.time_zone) if since else 0,
            contact=_contact(contact, account) if contact else "",
        )
        _check_types(listing.types, where["api"])
        question = {"portal": f"{account.name} {account.portal.id}", "wire": where["api"], **listing._asdict()}
        question = {name: list(value) if isinstance(value, tuple) else value for name, value in question.items()}
        total = None if since or contact or types else sum(account.runner.run(account.target.count()).values())
        with closing(Part(out, question)) as part, show.progress("export", total) as advance:
            found = account.runner.run(export_into(account.target, account.portal.id, listing, part, advance))
    _tell(found, out, where["api"], monotonic() - begun_s, as_json=as_json)
    return 0


def _moment(text: str, zone: str) -> int:
    """A time in ms, UTC; without an offset of its own it is on the account's clock."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"--since {text!r} is no time.", hint="Give 2026-03-01 or 2026-03-01T09:30.") from None
    return int((at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).timestamp() * 1000)


def _contact(text: str, account: Account) -> str:
    if text.isascii() and text.isdigit():
        return text
    ids = account.ask("contacts", "email", [text]).get(text, [])
    if len(ids) != 1:
        raise InputError(f"{len(ids) or 'No'} contacts have the e-mail {text!r}.", hint="Give the contact's id.")
    return ids[0]


def _check_types(types: tuple[str, ...], wire: str) -> None:
    """The objects API knows five types, and mail by its direction."""
    from etl.engagement import TYPES

    for type_ in types:
        if wire == "objects" and type_ not in TYPES and type_ not in {"INCOMING_EMAIL", "FORWARDED_EMAIL"}:
            raise UsageError(f"The objects API has no type {type_}.", hint="Types beside the five need --api v1.")


def _tell(found: Exported, out: Path, wire: str, took_s: float, *, as_json: bool) -> None:
    total = sum(found.by_type.values())
    if as_json:
        show.json_object(
            {"exported": total, "by_type": found.by_type, "of_unknown_types": found.unknown,
             "resumed_at": found.resumed_at, "nameless_links": found.nameless, "file": str(out), "seconds": round(took_s, 3)}
        )  # fmt: skip
        return
    rows = [[type_, f"{n:,}"] for type_, n in sorted(found.by_type.items())]
    show.table("exported", [*rows, ["all", f"{total:,}"]])
    pairs = [("file", str(out))]
    if found.resumed_at:
        pairs.append(("went on", f"behind {found.resumed_at:,} engagements of an earlier attempt"))
    if found.unknown:
        pairs.append(("note", f"{found.unknown:,} are of types that no API can create; they are in the file as JSON"))
    if found.nameless:
        pairs.append(("note", f"{found.nameless:,} links lead to what has no e-mail, phone, domain or name: only ids"))
    if wire == "objects":
        pairs.append(("note", "types beside the five are shown by --api v1 only"))
    pairs.append(("next", f"{show.command('run', out, '-m', 'engagements')}   # into another account"))
    show.last_lines(pairs)
