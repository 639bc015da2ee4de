"""Changes of what is in the account: updates by a later export, and what takes a run back. Every one is read before it is sent.

What the account holds decides: as it is wanted, then it is done and nothing is sent; as it was sent last, then it is
changed; anything else, and a person changed it, so that it is left alone and listed. Since what is wanted is said whole, a
lost answer needs no proof: after the settle time it is read again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from etl.checkpoint import changes
from etl.checkpoint.changes import Due, Fate, What
from etl.checkpoint.journal import Answer, Intent
from etl.checkpoint.store import Checkpoint
from etl.compare import Difference, differences
from etl.dispatch import Journal, open_journal
from etl.flow import LINK_KINDS, LinkKind, RemoteId
from etl.hubspot.names import ASSOCIATIONS_V1
from etl.hubspot.target import Held, Patch, Step, Target, Write
from etl.hubspot.verdicts import stopped

CONNECTIONS = 5
#: Changes that are read together: their links cost four requests however many they are. v1 reads them one by one.
READ_ROWS, READ_ROWS_V1 = 1_000, 50
PAGE = 1_000
GRACE_S = 30.0
LOOK_S = 1.0
_STEPS: dict[What, tuple[Step, ...]] = {
    "update": ("values", "link", "unlink"),
    "restore": ("values", "link", "unlink"),
    "archive": ("archive",),
}
#: Links that HubSpot makes by itself: from an activity to what its contact belongs to.
_AUTOMATIC: tuple[LinkKind, ...] = ("companies", "deals")
GONE = "it is not there any more"


@dataclass(slots=True)
class Changing:
    """How changes are carried out in one run."""

    checkpoint: Checkpoint
    run: int
    target: Target
    settle_s: float  #: how long after its request a change may still arrive
    stop: asyncio.Event
    closing: asyncio.Event
    undoes: int | None = None  #: the run that is taken back; None for updates
    overwrite: bool = False  #: change also what a person changed
    on_fates: Callable[[int], None] = lambda _: None  #: told how many changes are over
    on_notice: Callable[[str], None] = lambda _: None
    error: Exception | None = None
    noticed: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing new is taken up."""
        return self.stop.is_set() or self.closing.is_set() or self.error is not None


async def change(changing: Changing) -> None:
    """Carries out every planned change, until none is left or a stop is asked for.

    Raises what `Target.place` and reads raise, and what a verdict `stop` says, once all answers are stored.
    """
    async with open_journal(changing.checkpoint, changing.run) as journal:
        while not changing.over and await _settled(changing):
            if not changes.due(changing.checkpoint, changing.undoes, after=0, rows=1):
                return
            await _pass(changing, journal)


async def _settled(changing: Changing) -> bool:
    """Plans once more what is unknown, when whatever was on its way has arrived; False when a stop came before that."""
    if changes.in_doubt(changing.checkpoint):
        await _pause(changing.settle_s, changing, most=changing.settle_s)
        if changing.over:
            return False
        changes.read_again(changing.checkpoint)
    return True


async def _pass(changing: Changing, journal: Journal) -> None:
    """Carries out once what is planned."""
    batches = _batches(changing)
    workers = [asyncio.create_task(_work(batches, changing, journal)) for _ in range(CONNECTIONS)]
    try:
        await _ended(workers, changing.stop)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    if changing.error:
        raise changing.error


def judge(due: Due, held: Held | None, wire: str, *, overwrite: bool) -> Fate | Patch:
    """What the account's state makes of a change: done or left alone without a request, or what is to be sent.

    `wire` is the one by which `held` was read.
    """
    if held is None:
        return Fate(due.number, "done" if due.what == "archive" else "conflict", GONE)
    wires = {due.wire or wire, wire}
    had = differences(due.before, held, wires)
    if wires == {wire} and held.key != due.before.key:
        return Fate(due.number, "conflict", f"it carries the key {held.key or 'of nobody'}, so it is not ours")
    if due.what == "archive":
        return _edited(due, had) if had and not overwrite else Patch(due.remote_id, due.before, due.after)
    wanted = differences(due.after, held, wires)
    if not [d for d in wanted if not _automatic(d)]:
        return Fate(due.number, "done")
    if not overwrite and (edits := _edits(due, had, wanted, held)):
        return _edited(due, edits)
    link, unlink = _links(due, held)
    values = any(not d.field.startswith("associations.") for d in wanted)  # they may be there from an earlier attempt
    return Patch(due.remote_id, due.before, due.after, link, unlink, values=values, whole=overwrite)


def _edits(due: Due, had: Sequence[Difference], wanted: Sequence[Difference], held: Held) -> list[Difference]:
    """What is neither as it was sent last nor as it is wanted: a change can have got half through before."""
    both = {d.field for d in wanted}
    edits = [d for d in had if d.field in both and not d.field.startswith("associations.")]
    for kind, name in ASSOCIATIONS_V1.items():
        old, new = set(getattr(due.before.links, kind)), set(getattr(due.after.links, kind))
        there = {str(to) for to in held.payload["associations"].get(name) or ()}
        strange = set() if kind in _AUTOMATIC else there - old - new
        if strange or (old & new) - there:
            edits += [d for d in had if d.field == f"associations.{name}"]
    return edits


def _edited(due: Due, edits: Sequence[Difference]) -> Fate:
    fields = ", ".join(dict.fromkeys(d.field for d in edits))
    return Fate(due.number, "conflict", f"changed in the account since it was sent: {fields}")


def _automatic(difference: Difference) -> bool:
    return difference.added and difference.field in {f"associations.{ASSOCIATIONS_V1[kind]}" for kind in _AUTOMATIC}


def _links(due: Due, held: Held) -> tuple[dict[LinkKind, tuple[RemoteId, ...]], dict[LinkKind, tuple[RemoteId, ...]]]:
    """The links to make and to take away; what others linked stays."""
    link, unlink = {}, {}
    for kind in LINK_KINDS:
        there = {str(to) for to in held.payload["associations"].get(ASSOCIATIONS_V1[kind]) or ()}
        old, new = getattr(due.before.links, kind), getattr(due.after.links, kind)
        if missing := tuple(to for to in new if to not in there):
            link[kind] = missing
        if left := tuple(to for to in old if to in there and to not in new):
            unlink[kind] = left
    return link, unlink


def _batches(changing: Changing) -> Iterator[list[Due]]:
    """Planned changes in batches of one kind and type."""
    size = READ_ROWS if changing.target.max_batch > 1 else READ_ROWS_V1
    waiting: dict[tuple[str, str], list[Due]] = defaultdict(list)
    last = 0
    while page := changes.due(changing.checkpoint, changing.undoes, after=last, rows=PAGE):
        last = page[-1].number
        for due in page:
            batch = waiting[due.what, due.after.type]
            batch.append(due)
            if len(batch) == size:
                yield waiting.pop((due.what, due.after.type))
    yield from waiting.values()


async def _work(batches: Iterator[list[Due]], changing: Changing, journal: Journal) -> None:
    try:
        while not changing.over and (batch := next(batches, None)):
            await _carry_out(batch, changing, journal)
    except Exception as e:  # noqa: BLE001 - `change` raises it once the others have their answers
        changing.error = changing.error or e


async def _carry_out(batch: Sequence[Due], changing: Changing, journal: Journal) -> None:
    """Reads what the account holds, stores what that alone tells, and sends the rest step by step."""
    target = changing.target
    names = {name for due in batch for row in (due.before, due.after) for name in _own(row.payload)}
    held = await target.read(batch[0].after.type, [due.remote_id for due in batch], names)
    judged = [judge(due, held.get(due.remote_id), target.wire, overwrite=changing.overwrite) for due in batch]
    judged = await _forgiven(batch, judged, held, changing)
    fates = [found for found in judged if isinstance(found, Fate)]
    await asyncio.to_thread(changes.records, changing.checkpoint, changing.run, fates)
    changing.on_fates(len(fates))
    numbers = {due.remote_id: due.number for due in batch}
    patches = [found for found in judged if isinstance(found, Patch)]
    sending = _Sending(changing, journal, numbers, _STEPS[batch[0].what])
    for start in range(0, len(patches), target.max_batch):  # each part from its first step to its last
        await sending.send(patches[start : start + target.max_batch])


async def _forgiven(
    batch: Sequence[Due], judged: Sequence[Fate | Patch], held: Mapping[RemoteId, Held], changing: Changing
) -> list[Fate | Patch]:
    """The same, but that companies and deals which the contact belongs to are no edit: HubSpot links them by itself."""
    found = list(judged)
    for at, (due, fate) in enumerate(zip(batch, judged, strict=True)):
        if due.what != "archive" or not isinstance(fate, Fate) or fate.state != "conflict":
            continue
        there = held.get(due.remote_id)
        had = differences(due.before, there, {due.wire or changing.target.wire, changing.target.wire}) if there else []
        if not had or not all(_automatic(d) for d in had):
            continue
        own: set[RemoteId] = set()
        for kind in ("companies", "deals"):
            theirs = await changing.target.look_up(kind, "contact", due.before.links.contacts)
            own |= {to for ids in theirs.values() for to in ids}
        if all(set(d.held.split(",")) - set(d.sent.split(",")) <= own for d in had):
            found[at] = Patch(due.remote_id, due.before, due.after)
    return found


@dataclass(slots=True)
class _Sending:
    """The patches of one batch, step by step."""

    changing: Changing
    journal: Journal
    numbers: Mapping[RemoteId, int]
    steps: tuple[Step, ...]

    async def send(self, patches: Sequence[Patch]) -> None:
        """All steps; a patch that is through all of them is done. What is not taken up stays planned."""
        left = list(patches)
        for step in self.steps:
            left = await self._step(step, left)
        if left and self.steps != ("archive",):
            fates = [Fate(self.numbers[patch.remote_id], "done") for patch in left]
            self._over(fates)
            await asyncio.to_thread(changes.records, self.changing.checkpoint, self.changing.run, fates)

    async def _step(self, step: Step, patches: Sequence[Patch]) -> list[Patch]:
        """Those of the patches that this step concerns not, or that are through it."""
        left = {patch.remote_id: patch for patch in patches}
        for write in self.changing.target.writes(step, patches):
            if set(write.ids) <= left.keys():
                for lost in await self._write(write, left):
                    left.pop(lost, None)
            elif some := [patch for i, patch in left.items() if i in write.ids]:  # others of it fell out before
                through = {patch.remote_id for patch in await self._step(step, some)}
                left = {i: patch for i, patch in left.items() if i in through or patch not in some}
        return list(left.values())

    async def _write(self, write: Write, patches: Mapping[RemoteId, Patch]) -> set[RemoteId]:
        """Sends one request until it has an answer that says something; gives the engagements that go no further."""
        changing = self.changing
        while not changing.over:
            place = changing.target.place()
            if not place.rows:
                _notice(changing)
                await _pause(place.wait_s, changing)
                continue
            request = await self.journal.write(Intent(changing.target.wire, [], [self.numbers[i] for i in write.ids]))
            wrote = await changing.target.write(write)
            next_, why = wrote.verdict.next, wrote.verdict.reason
            fates = [self._fate(i, write.step, next_, wrote.refused.get(i), why) for i in write.ids]
            await self.journal.write(Answer(request, [], [], next_, why, fates))
            self._over(fates)
            if next_ == "stop":
                changing.error = changing.error or stopped(wrote.verdict)
            elif next_ == "split":
                through = [p for i in write.ids for p in await self._step(write.step, [patches[i]])]
                return set(write.ids) - {patch.remote_id for patch in through}
            elif next_ in {"done", "per_row", "refused"}:
                return set(wrote.refused)
            elif next_ == "unknown":
                return set(write.ids)
        return set(write.ids)

    def _fate(self, remote_id: RemoteId, step: Step, next_: str, refused: str | None, why: str) -> Fate:
        number = self.numbers[remote_id]
        if refused is not None:
            return Fate(number, "failed", refused)
        if next_ == "refused":
            return Fate(number, "failed", why)
        if next_ in {"done", "per_row"}:
            return Fate(number, "done" if step == "archive" else "planned")
        return Fate(number, "unknown" if next_ == "unknown" else "planned", why)

    def _over(self, fates: Sequence[Fate]) -> None:
        self.changing.on_fates(sum(fate.state in {"done", "failed", "conflict"} for fate in fates))


def _own(payload: bytes) -> set[str]:
    """The properties that a row gives by their own names."""
    return set(orjson.loads(payload).get("properties") or ())


def _notice(changing: Changing) -> None:
    text = changing.target.notice()
    if text and text != changing.noticed:
        changing.on_notice(text)
    changing.noticed = text


async def _ended(workers: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Waits until all workers have ended, after a stop for `GRACE_S` at most."""
    asked = asyncio.create_task(stop.wait())
    left = set(workers)
    while left and not asked.done():
        await asyncio.wait({asked, *left}, return_when=asyncio.FIRST_COMPLETED)
        left = {worker for worker in left if not worker.done()}
    asked.cancel()
    if left:
        await asyncio.wait(left, timeout=GRACE_S)


async def _pause(seconds: float, changing: Changing, most: float = LOOK_S) -> None:
    try:
        await asyncio.wait_for(changing.stop.wait(), min(seconds, most))
    except TimeoutError:
        return
