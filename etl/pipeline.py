"""The whole program in two functions: `plan()` sees every row and sends nothing; `send()` never opens the input.

    file ─ read ─ skip ─ validate ─ transform ─ associate ─▶ checkpoint ─▶ load ⇄ settle ─▶ report
           chunk  chunk   good       drafts      linked       planned      engagements → outcomes

Every stage is a plain function from values to values; what a stage refuses leaves as rejects. Stopping at any instant
and calling both again loses nothing and creates nothing twice: `plan` keys every row, the checkpoint knows its state.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from etl.checkpoint import counts, directory, journal, staging, uploads
from etl.checkpoint.store import Checkpoint
from etl.errors import ConfigError, ContentError, EtlError, TooManyRejects, TryLater
from etl.flow import DEFAULT_MAX_REJECTS, TO_CREATE, MaxRejects
from etl.workers import ONE_CORE, Means

if TYPE_CHECKING:
    from etl.flow import Outcome
    from etl.hubspot.target import Target
    from etl.mapping.model import Mapping as MappingFile


def plan(
    files: Sequence[Path],
    mapping: MappingFile,
    checkpoint: Checkpoint,
    ask: directory.Ask,
    dispositions: Mapping[str, str],
    *,
    limit: int | None = None,
    max_rejects: MaxRejects = DEFAULT_MAX_REJECTS,
    means: Means = ONE_CORE,
    keep_changed: bool = False,
    again: bool = False,
    looking: bool = False,
    on_rows: Callable[[int], None] = lambda _: None,
) -> int:
    """Stages every row of `files` durably and gives the plan's number. Sends nothing.

    `ask` looks up links in the account, `dispositions` are its call outcomes (label to GUID). `limit` stops after so
    many good rows. `means` says on how many processes. `keep_changed` also plans to update
    rows that were created with other content, `again` to create those that were undone. What is staged for `looking`
    alone goes when another plan or another run begins. A finished plan of the same
    files and mapping that no run has ended with is taken as it is, unless the mapping attaches files, which may have changed.
    Raises `InputError`, `ContentError` and `TooManyRejects` with nothing made sendable.
    """
    from etl.read import fingerprint, header, unchanged

    seals = [fingerprint(file) for file in files]
    whole = _fingerprint([seal.sha256 for seal in seals], mapping.digest, limit, keep_changed, again)
    attached = mapping.attachments if mapping.attachments and mapping.attachments.files else None
    if attached is None and (resumed := staging.resumable_plan(checkpoint, whole)) is not None:
        return resumed
    from etl.checkpoint.folding import fold
    from etl.partitions import of_files

    number = staging.begin_plan(checkpoint, whole, mapping.digest, looking=looking)
    look_up = directory.remembered(checkpoint, ask)
    unique = _unique(mapping)
    pack = staging.is_empty(checkpoint) and not unique  # no row can be known: folded as it is stored
    folded = partial(fold, pack=pack)
    with checkpoint.hurried():  # a plan that is not finished is made again
        inputs = [staging.add_input(checkpoint, number, str(file), header(file, mapping.source)) for file in files]
        for place, half in of_files(files, mapping, dispositions, look_up, folded, limit=limit, means=means):
            staging.stage(checkpoint, inputs[place], half.made, read=half.read, rejects=half.rejects,
                          skipped=half.skipped, merged=half.merged, unique=unique, keep_changed=keep_changed)  # fmt: skip
            on_rows(half.read)
        for seal in seals:
            if not unchanged(seal):
                raise ContentError(
                    f"{seal.path} changed while it was read.", hint="Run again when nobody writes to it."
                )
        staging.judge_repeats(checkpoint, number)
    _check_rejects(checkpoint, number, max_rejects)
    if attached is not None:
        uploads.note_files(checkpoint, number, attached.base)
    staging.finish_plan(checkpoint, number, again=again, vanished=keep_changed and limit is None)
    return number


async def send(
    checkpoint: Checkpoint,
    run: int,
    connect: Callable[[str], Target],
    wire: str,
    *,
    settle_s: float,
    stop: asyncio.Event,
    closing: asyncio.Event | None = None,
    only_plan: int | None = None,
    max_refused: float = 0.2,
    on_outcomes: Callable[[list[Outcome]], None] = lambda _: None,
    on_notice: Callable[[str], None] = lambda _: None,
) -> None:
    """Sends everything planned and finds out what became of everything unknown, until neither is left or `stop` is set.

    `connect` gives the target of a wire and closes it later; new requests take `wire`, read-backs the wire by which a
    row was sent.
    `settle_s` is how long after its request a create may still become visible. What has no answer stays in flight on
    disk. Once `closing` is set nothing more is sent, but what is unknown is settled. With `only_plan`, planned rows of
    other plans stay as they are. More than the share `max_refused` of refusals among the first answers ends the run.
    Raises `RemoteDown`, `TryLater`, `TokenError`, `ConfigError`, `TooManyRejects`, `StorageError`, with everything recorded.
    """
    from etl.attach import Attaching, upload_planned
    from etl.dispatch import open_journal
    from etl.load import Sending, load
    from etl.settle import Reading, settle, was_here_before

    if await was_here_before(checkpoint, connect(wire)):
        on_notice("The account has rows of this import that this checkpoint does not know: it is read before sending.")
        journal.doubt_planned(checkpoint, wire)
    async with open_journal(checkpoint, run) as written:
        closing = closing or asyncio.Event()
        sending = Sending(
            stop, closing, on_outcomes, on_notice, max_refused, last_doubt_s=asyncio.get_running_loop().time()
        )
        reading = Reading(checkpoint, run, connect, settle_s, stop, on_outcomes)
        attaching = Attaching(checkpoint, run, connect(wire), stop, closing, on_notice)
        while not stop.is_set():
            try:
                await upload_planned(attaching, only_plan)
                await load(checkpoint, connect(wire), written, sending, only_plan)
            except TryLater:  # the day's allowance for creates is used up: what is unknown can still be read
                with suppress(EtlError):
                    await settle(reading, sending.last_doubt_s)
                raise
            settled = await settle(reading, sending.last_doubt_s)
            if closing.is_set() or not (settled or journal.due(checkpoint, "planned", after=0, rows=1, plan=only_plan)):
                return


def newcomers_of(checkpoint: Checkpoint, plan_: int, mapping: MappingFile, *, limit: bool = False) -> int:
    """How many contacts are to be created before the rows that wait for them can be sent.

    Raises `ConfigError` where they are more than the mapping allows, with nothing sent.
    """
    from etl.checkpoint import newcomers

    if not creates(mapping):
        return 0
    link = mapping.associations.links["contacts"]
    count = newcomers.waiting(checkpoint, plan_ if limit else None)
    if count > link.max:
        raise ConfigError(
            f"{count:,} contacts would be created, more than the {link.max:,} that the mapping allows; nothing was sent.",
            hint="Look at the rows that found no contact; if they are right, raise `max` beside `create` in the mapping.",
            code="too_many_newcomers",
        )
    return count


def creates(mapping: MappingFile) -> bool:
    """Whether the mapping creates contacts that are not there."""
    link = mapping.associations.links.get("contacts")
    return link is not None and link.not_found == "create"


async def create_contacts(
    checkpoint: Checkpoint, plan_: int, target: Target, settle_s: float, *, limit: bool = False
) -> None:
    """Creates the contacts that rows wait for (with `limit`, rows of this plan); see `newcomers`. Then look again."""
    from etl.newcomers import create_newcomers

    await create_newcomers(checkpoint, target, settle_s, plan_ if limit else None)


def look_again(
    checkpoint: Checkpoint, plan_: int, run: int, mapping: MappingFile, ask: directory.Ask, rows: int = 10_000
) -> None:
    """Links parked rows of other plans whose contact is there by now; the others stay parked, or are rejected."""
    from etl.associate import associate_words
    from etl.checkpoint import newcomers
    from etl.checkpoint.segments import links_text
    from etl.transform import owner_policy
    from etl.transform.tables import read_tables

    tables = read_tables(mapping.tables, mapping.source.region)
    look_up = directory.remembered(checkpoint, ask)
    not_made, patience_days = newcomers.refused(checkpoint), _patience_days(mapping)
    for batch in staging.parked(checkpoint, plan_, rows):
        words = [wanted for _, wanted, _ in batch]
        found = associate_words(words, mapping.associations, look_up, owner_policy(mapping), tables)
        texts = (text.to_pylist() for text in links_text(found.owner_ids, found.links))
        columns = zip(batch, *texts, found.parked.to_pylist(), strict=True)
        fates = []
        for place, ((number, wanted, days), ids, shape, why) in enumerate(columns):
            problems = found.problems.get(place, ())
            refused, code = "; ".join(problem.message for problem in problems), problems[0].code if problems else None
            if why == TO_CREATE and not_made:
                names = map(newcomers.name_of, newcomers.words_in(wanted))
                refused = "; ".join(f"its contact was refused: {not_made[name]}" for name in names if name in not_made)
            if why and why != TO_CREATE and days > patience_days:
                refused, code = refused or f"{why}, and it waited longer than `park_for` allows", code or "park_expired"
            state = "rejected" if refused else "parked" if why else "planned"
            fates.append((number, state, ids, shape, refused or why, code))
        staging.unpark(checkpoint, run, fates)


def _patience_days(mapping: MappingFile) -> float:
    """How long a row may wait: the longest `park_for` of the links that park."""
    days = {"h": 1 / 24, "d": 1.0, "w": 7.0}
    parks = [
        link.park_for for link in mapping.associations.links.values() if "park" in (link.not_found, link.ambiguous)
    ]
    return max((int(each[:-1]) * days[each[-1]] for each in parks), default=float("inf"))


def _fingerprint(digests: Sequence[str], mapping: str, *options: object) -> str:
    return hashlib.sha256("\n".join([*digests, mapping, *map(str, options)]).encode()).hexdigest()


def _unique(mapping: MappingFile) -> list[str]:
    """Columns whose values may stand once; a lone key column is judged by its key already."""
    from etl.mapping.model import Ref

    keyed = [value.name for value in mapping.key if isinstance(value, Ref)] if len(mapping.key) == 1 else []
    return [name for name, rule in mapping.columns.items() if rule.unique and name not in keyed]


def _check_rejects(checkpoint: Checkpoint, plan_: int, max_rejects: MaxRejects) -> None:
    by_code, read = counts.rejected_by_half_one(checkpoint, plan_), counts.rows_read(checkpoint, plan_)
    rejected = sum(by_code.values())
    if max_rejects.exceeded(rejected, read):
        codes = sorted(by_code, key=lambda code: -by_code[code])
        path, line, first = counts.an_example(checkpoint, plan_, codes[0])
        found = f", column {first.column}" if first.column else ""
        found += f": found {first.value!r}" if first.value else ""
        raise TooManyRejects(
            f"{rejected:,} of {read:,} rows were rejected, more than the {max_rejects} allowed"
            f" ({', '.join(f'{code} {by_code[code]:,}' for code in codes)}); nothing was sent.\n"
            f"The first {codes[0]}: {path}, line {line}{found}; {first.message}.",
            hint="Look at the reject file; then correct the file or the mapping, or allow more with --max-rejects.",
        )
