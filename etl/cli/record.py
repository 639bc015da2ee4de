"""`etl show KEY`: what happened to one row, from its line in the file to its link in the CRM."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl.cli import options, show
from etl.errors import InputError

if TYPE_CHECKING:
    from etl.checkpoint.store import Checkpoint
    from etl.flow import Json

#: Where HubSpot shows one engagement; `0-48` and the others are its ids of object types.
_TYPE_IDS = {"CALL": "0-48", "EMAIL": "0-49", "MEETING": "0-47", "NOTE": "0-46", "TASK": "0-27"}


@click.command("show")
@click.argument("key")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Only this one; default: all below .etl/")
@click.option(
    "-m", "--mapping", type=options.MappingName(), help="Whose namespace KEY belongs to, if it is a source id."
)
@options.as_json
def show_(key: str, *, checkpoint: Path | None, mapping: str | None, as_json: bool) -> None:
    """Show what happened to a record. KEY is its import key, its id in the source or in the account, or FILE:LINE.

    Its row (file, line and cells), its state, the requests that held it with times and verdicts, its id with a link to
    it in the CRM, and the history of its changes. Reads checkpoints only, also while a run goes on.
    """
    paths = [checkpoint] if checkpoint else sorted(p for p in options.STATE.glob("*/*.sqlite") if p.is_file())
    found = [record for path in paths for record in _told(path, key, mapping)]
    if not found:
        hint = (
            "Give the import key, the id in the source or in the account, or FILE:LINE; `etl status` lists checkpoints."
        )
        raise InputError(f"No checkpoint here knows {key}.", hint=hint)
    if as_json:
        show.json_object({"records": found})
        return
    for record in found:
        (_show_refused if "problems" in record else _show)(record)


def _told(path: Path, text: str, mapping: str | None) -> list[Json]:
    from etl.checkpoint import history
    from etl.checkpoint.store import peek

    with closing(peek(path)) as opened:
        meta = dict(opened.rows("SELECT name, value FROM meta"))
        if mapping is not None and _namespace(mapping) != meta["namespace"]:
            return []
        numbers = history.find(opened, text, meta["namespace"])
        records = [_with_link(opened, history.told(opened, number), meta) for number in numbers]
        about = {"checkpoint": str(opened.path), "namespace": meta["namespace"]}
        return records or [{**each, **about} for each in history.refused(opened, text, meta["namespace"])]


def _namespace(mapping: str) -> str:
    from etl.mapping import load

    return load(mapping).namespace


def _with_link(opened: Checkpoint, record: Json, meta: dict[str, str]) -> Json:
    kind, _, portal = meta["portal"].partition(" ")
    link = ""
    if record["remote_id"] and kind != "sandbox":
        link = f"https://app.hubspot.com/contacts/{portal}/record/{_TYPE_IDS[record['type']]}/{record['remote_id']}"
    return {**record, "checkpoint": str(opened.path), "namespace": meta["namespace"], "portal": portal, "link": link}


def _show(record: Json) -> None:
    at = datetime.fromtimestamp(record["time_ms"] / 1000, UTC).isoformat()
    former = f" (was {record['former_id']})" if record["former_id"] else ""
    rows = [
        ("key", record["key"]),
        ("row", f"{record['path']}:{record['line']}"),
        ("type, time", f"{record['type']}, {at}"),
        ("state", " ".join(filter(None, [record["state"], record["code"] or "", record["reason"] or ""]))),
        ("in run", record["run"] or ""),
        ("id", f"{record['remote_id']}{former}"),
        ("linked to", _links(record["links"])),
        ("link", record["link"]),
        ("checkpoint", record["checkpoint"]),
    ]
    show.table(f"{record['namespace']}: {record['key']}", [row for row in rows if row[1]])
    _show_cells(record)
    if record["requests"]:
        requests = [
            [str(r["number"]), r["wire"], _utc(r["sent_at"]), _utc(r["answered_at"]) or "no answer", r["verdict"] or "", _short(r["reason"])]
            for r in record["requests"]
        ]  # fmt: skip
        show.table("requests that held it", requests, ("", "wire", "sent", "answered", "verdict", "said"))
    if record["changes"]:
        changes = [
            [c["what"], c["state"], _utc(c["at"]), c["run"] or "", c["undoes"] or "", _short(c["reason"])]
            for c in record["changes"]
        ]
        show.table("its changes", changes, ("", "state", "at", "run", "takes back", "why"))


def _show_refused(record: Json) -> None:
    rows = [
        ("key", record["key"]),
        ("row", f"{record['path']}:{record['line']}"),
        ("state", "rejected before anything was sent"),
        *((each["code"], _problem(each)) for each in record["problems"]),
        ("checkpoint", record["checkpoint"]),
    ]
    show.table(f"{record['namespace']}: {record['path']}:{record['line']}", [row for row in rows if row[1]])
    _show_cells(record)


def _problem(each: Json) -> str:
    found = f"found {_short(each['value'])!r}; " if each["value"] else ""
    return f"{each['column']}: {found}{each['message']}" if each["column"] else f"{found}{each['message']}"


def _show_cells(record: Json) -> None:
    cells = record["cells"] or {"the text": record["raw"]}
    show.table("its cells", [[name, _short(cell)] for name, cell in cells.items()], ("column", "as read"))


def _links(text: str) -> str:
    """The owner and the links of each kind, with words."""
    from etl.flow import LINK_KINDS

    named = zip(("owner", *LINK_KINDS), text.split("|"), strict=True)
    return "; ".join(f"{name} {ids.replace(',', ', ')}" for name, ids in named if ids)


def _utc(time: str | None) -> str:
    """A time of the checkpoint, to the millisecond."""
    return f"{time[:23]}Z" if time else ""


def _short(text: str | None) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text or "")
    return plain if len(plain) <= 100 else f"{plain[:97]}..."
