"""The whole program in two functions: `plan()` sees every row and sends nothing; `send()` never opens the input.

    file ─ read ─ skip ─ validate ─ transform ─ associate ─▶ checkpoint ─▶ load ⇄ settle ─▶ report
           chunk  chunk   good       drafts      linked       planned      engagements → outcomes

Every stage is a plain function from values to values; what a stage refuses leaves as rejects. Stopping at any instant
and calling both again loses nothing and creates nothing twice: `plan` keys every row, the checkpoint knows its state.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, NamedTuple

from etl.checkpoint import counts, directory, journal, staging
from etl.checkpoint.store import Checkpoint
from etl.errors import ContentError, EtlError, TooManyRejects, TryLater

if TYPE_CHECKING:
    from etl.associate import LookUp
    from etl.flow import Chunk, Linked, Outcome, Reject
    from etl.hubspot.target import Target
    from etl.mapping.model import Mapping as MappingFile


class MaxRejects(NamedTuple):
    """How many rows half one may refuse before nothing is sent: a share of the rows read, or a number."""

    rows: int | None = None
    share: float = 0.05

    def exceeded(self, rejected: int, read: int) -> bool:
        """Whether so many rejects of so many rows are too many."""
        return rejected > (self.rows if self.rows is not None else self.share * read)

    def __str__(self) -> str:
        return f"{100 * self.share:g} %" if self.rows is None else f"{self.rows:,}"


DEFAULT_MAX_REJECTS = MaxRejects()


class Half(NamedTuple):
    """What half one made of one chunk."""

    linked: Linked
    rejects: list[Reject]
    skipped: dict[str, int]
    read: int


def plan(
    files: Sequence[Path],
    mapping: MappingFile,
    checkpoint: Checkpoint,
    ask: directory.Ask,
    dispositions: Mapping[str, str],
    *,
    limit: int | None = None,
    max_rejects: MaxRejects = DEFAULT_MAX_REJECTS,
    on_rows: Callable[[int], None] = lambda _: None,
) -> int:
    """Stages every row of `files` durably and gives the plan's number. Sends nothing.

    `ask` looks up links in the account, `dispositions` are its call outcomes (label to GUID). `limit` stops after so
    many good rows. A finished plan of the same files and mapping that no run has ended with is taken as it is.
    Raises `InputError`, `ContentError` and `TooManyRejects` with nothing made sendable.
    """
    from etl.read import fingerprint, header, unchanged

    seals = [fingerprint(file) for file in files]
    whole = _fingerprint([seal.sha256 for seal in seals], mapping.digest, limit)
    if (resumed := staging.resumable_plan(checkpoint, whole)) is not None:
        return resumed
    number = staging.begin_plan(checkpoint, whole, mapping.digest)
    look_up = directory.remembered(checkpoint, ask)
    left = limit
    for file, seal in zip(files, seals, strict=True):
        input_ = staging.add_input(checkpoint, number, str(file), header(file, mapping.source))
        for half in half_one(file, mapping, dispositions, look_up, limit=left):
            unique = _unique(mapping)
            staging.stage(checkpoint, input_, half.linked, read=half.read, rejects=half.rejects,
                          skipped=half.skipped, unique=unique)  # fmt: skip
            left = None if left is None else left - len(half.linked)
            on_rows(half.read)
        if not unchanged(seal):
            raise ContentError(f"{file} changed while it was read.", hint="Run again when nobody writes to it.")
    staging.judge_repeats(checkpoint, number)
    _check_rejects(checkpoint, number, max_rejects)
    staging.finish_plan(checkpoint, number)
    return number


def half_one(
    file: Path,
    mapping: MappingFile,
    dispositions: Mapping[str, str],
    look_up: LookUp | None,
    *,
    limit: int | None = None,
) -> Iterator[Half]:
    """A file's chunks, read, validated, mapped and linked; without `look_up` the links stay in words."""
    from etl.associate import associate, in_words
    from etl.read import header, read
    from etl.transform import compile_rules, owner_policy, skip, transform
    from etl.validate import compile_contract, validate

    columns = header(file, mapping.source)
    contract = compile_contract(mapping)
    rules = compile_rules(mapping, dispositions=dispositions, header=columns, now_ms=int(time() * 1000))
    policy = owner_policy(mapping)
    left = limit
    for chunk in read(file, mapping.source):
        kept, skipped, unjudged = skip(chunk, rules)
        good, broken = validate(kept, contract)
        drafts, unmapped = transform(good, rules)
        linked, unlinked = (
            associate(drafts, mapping.associations, look_up, policy, rules.tables)
            if look_up
            else in_words(drafts, mapping.associations, rules.tables)
        )
        rejects = [*chunk.rejects, *unjudged, *broken, *unmapped, *unlinked]
        half = Half(linked, rejects, skipped, len(chunk.rows) + len(chunk.rejects))
        if left is not None and len(linked) >= left:
            yield _cut(half, chunk, left, lambda part: skip(part, rules)[1])
            return
        left = None if left is None else left - len(linked)
        yield half


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
        while not stop.is_set():
            try:
                await load(checkpoint, connect(wire), written, sending, only_plan)
            except TryLater:  # the day's allowance for creates is used up: what is unknown can still be read
                with suppress(EtlError):
                    await settle(reading, sending.last_doubt_s)
                raise
            settled = await settle(reading, sending.last_doubt_s)
            if closing.is_set() or not (settled or journal.due(checkpoint, "planned", after=0, rows=1, plan=only_plan)):
                return


def look_again(
    checkpoint: Checkpoint, plan_: int, run: int, mapping: MappingFile, ask: directory.Ask, rows: int = 10_000
) -> None:
    """Links parked rows of earlier plans whose contact is there by now; the others stay parked, or are rejected."""
    from etl.associate import associate_words
    from etl.checkpoint.segments import links_text
    from etl.transform import owner_policy
    from etl.transform.tables import read_tables

    tables = read_tables(mapping.tables, mapping.source.region)
    look_up = directory.remembered(checkpoint, ask)
    for batch in staging.parked(checkpoint, plan_, rows):
        words = [wanted for _, wanted in batch]
        found = associate_words(words, mapping.associations, look_up, owner_policy(mapping), tables)
        columns = zip(batch, *links_text(found.owner_ids, found.links), found.parked.to_pylist(), strict=True)
        fates = []
        for place, ((number, _), ids, shape, why) in enumerate(columns):
            refused = "; ".join(problem.message for problem in found.problems.get(place, ()))
            state = "rejected" if refused else "parked" if why else "planned"
            fates.append((number, state, ids, shape, refused or why))
        staging.unpark(checkpoint, run, fates)


def _fingerprint(digests: Sequence[str], mapping: str, limit: int | None) -> str:
    return hashlib.sha256("\n".join([*digests, mapping, str(limit)]).encode()).hexdigest()


def _unique(mapping: MappingFile) -> list[str]:
    """Columns whose values may stand once; a lone key column is judged by its key already."""
    from etl.mapping.model import Ref

    keyed = [value.name for value in mapping.key if isinstance(value, Ref)] if len(mapping.key) == 1 else []
    return [name for name, rule in mapping.columns.items() if rule.unique and name not in keyed]


def _cut(half: Half, chunk: Chunk, rows: int, skipped: Callable[[Chunk], dict[str, int]]) -> Half:
    """The part of a half up to its `rows`-th good row."""
    linked = half.linked.head(rows)
    last = int(linked.drafts.lines[-1]) if rows else 0
    inside = int((chunk.lines <= last).sum())
    part = type(chunk)(chunk.source, chunk.rows.iloc[:inside], chunk.lines[:inside])
    ragged = sum(reject.line <= last for reject in chunk.rejects)
    return Half(linked, [r for r in half.rejects if r.line <= last], skipped(part), inside + ragged)


def _check_rejects(checkpoint: Checkpoint, plan_: int, max_rejects: MaxRejects) -> None:
    by_code, read = counts.rejected_by_half_one(checkpoint, plan_), counts.rows_read(checkpoint, plan_)
    rejected = sum(by_code.values())
    if max_rejects.exceeded(rejected, read):
        reasons = ", ".join(f"{code} {n:,}" for code, n in sorted(by_code.items(), key=lambda pair: -pair[1]))
        raise TooManyRejects(
            f"{rejected:,} of {read:,} rows were rejected, more than the {max_rejects} allowed ({reasons}); nothing was sent.",
            hint="Look at the reject file; then correct the file or the mapping, or allow more with --max-rejects.",
        )
