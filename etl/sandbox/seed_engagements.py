"""`engagements.jsonl` of a seed folder: engagements that were in the account before, one a line, as v1 answers them.

Seeds are the only way to have engagements of types that no API creates (`CONVERSATION_SESSION`), mail of other
directions as v1 types (`INCOMING_EMAIL`), and fields of `metadata` that v1 shows but does not write: those are kept as
they are. The id is needed; what else v1 fills in may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from etl.errors import ContentError, InputError
from etl.sandbox.answers import Refusal, part_of
from etl.sandbox.fields import FOREIGN, V1_REST, V1_TYPE, checked, iso
from etl.sandbox.links import V1_LISTS, missing
from etl.sandbox.schema import Held, Link
from etl.sandbox.store import Store
from etl.sandbox.views import ENGAGEMENT, HEADERS, MAIL_TYPES, METADATA, V1_TYPES, v1_properties

FILE: Final = "engagements.jsonl"
_HINT: Final = (
    "Each line is an engagement as v1 answers it: engagement {id, type, ...}, associations, attachments, metadata."
)
_TYPE: Final = re.compile(r"[A-Z][A-Z_]{0,49}")
_BATCH: Final = 1000


def fill(store: Store, path: Path, at_ms: int) -> int:
    """Adds the engagements of a file; how many. What has no time of its own counts as made at `at_ms` (ms, UTC).

    `ContentError` with ``file:line`` for a line that is no engagement, `InputError` when the file cannot be read.
    """
    seen, count = dict[int, str](), 0
    batches: dict[str, list[tuple[Held, list[Link]]]] = {}
    for place, line in _lines(path):
        try:
            held, links = _seed(store, line, at_ms)
        except Refusal as refusal:
            raise ContentError(f"{place}: {refusal.message}", hint=_HINT) from None
        if held.id in seen:
            raise ContentError(f"{place}: the id {held.id} stands already in {seen[held.id]}.", hint=_HINT)
        seen[held.id] = place
        if gone := missing(store, links):
            named = ", ".join(f"{t} {i}" for t, i in sorted(gone))
            raise ContentError(f"{place}: it is linked to {named}, which is not in the seed data.", hint=_HINT)
        count += 1
        batches.setdefault(held.type, []).append((held, links))
        if len(batches[held.type]) == _BATCH:
            _insert(store, batches.pop(held.type))
    for batch in batches.values():
        _insert(store, batch)
    return count


def _insert(store: Store, batch: list[tuple[Held, list[Link]]]) -> None:
    store.insert([held for held, _ in batch], (link for _, links in batch for link in links))


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                if not text.strip():
                    continue
                line = orjson.loads(text)
                if not isinstance(line, dict):
                    raise ContentError(f"{path}:{number}: this is no JSON object.", hint=_HINT)
                yield f"{path}:{number}", line
    except orjson.JSONDecodeError as problem:
        raise ContentError(f"{path}:{number}: this is no JSON: {problem.msg}.", hint=_HINT) from None
    except OSError as problem:
        raise InputError(f"The seed file {path} cannot be read: {problem}.", hint=_HINT) from problem


def _seed(store: Store, line: Mapping[str, Any], at_ms: int) -> tuple[Held, list[Link]]:
    """One line as an engagement to insert; `Refusal` says what is wrong with it."""
    engagement, metadata = part_of(line, "engagement", dict), part_of(line, "metadata", dict)
    v1, held_id = engagement.get("type"), _whole(engagement, "id", 0)
    if not isinstance(v1, str) or not _TYPE.fullmatch(v1) or held_id <= 0:
        raise Refusal(400, "an engagement needs a type, in capitals, and an id above 0.")
    object_type = "emails" if v1 in MAIL_TYPES else V1_TYPES.get(v1, FOREIGN)
    own = _kept(object_type, engagement, metadata) | _checked(store, object_type, engagement, line)
    if object_type == "emails":
        own["hs_email_direction"] = v1
    if object_type == FOREIGN:
        own[V1_TYPE] = v1
    time_ms = _whole(engagement, "timestamp", _whole(engagement, "createdAt", at_ms))
    created_ms = _whole(engagement, "createdAt", min(time_ms, at_ms))
    updated_ms = _whole(engagement, "lastUpdated", created_ms)
    own["hs_timestamp"] = iso(time_ms)
    active = engagement.get("active") is not False
    held = Held(object_type, held_id, created_ms, updated_ms, time_ms, active, False, own, 0)
    return held, _links(held, part_of(line, "associations", dict))


def _checked(store: Store, object_type: str, engagement: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, str]:
    """What v1 could have written, as v1 would have judged it."""
    given = v1_properties(object_type, engagement, line)
    good, problems = checked(store.known(object_type), given, store.owner_ids())
    if problems:
        raise Refusal(400, f"{problems[0].name}: {problems[0].message}")
    return {name: value for name, value in good.items() if value}


def _kept(object_type: str, engagement: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, str]:
    """What v1 only reads: the marks of the account itself, and the fields of `metadata` that have no property."""
    marks = {field: _mark(engagement[field], kind) for field, (_, kind) in ENGAGEMENT.items() if field in engagement}
    own = {ENGAGEMENT[field][0]: text for field, text in marks.items()}
    known = {*METADATA[object_type], *(HEADERS if object_type == "emails" else ())}
    rest = {field: value for field, value in metadata.items() if field not in known and value is not None}
    return own | ({V1_REST: orjson.dumps(rest).decode()} if rest else {})


def _mark(value: Any, kind: str) -> str:
    if not isinstance(value, int if kind == "int" else str) or isinstance(value, bool):
        raise Refusal(400, f"{value!r} is no {'whole number' if kind == 'int' else 'text'}.")
    return str(value)


def _whole(engagement: Mapping[str, Any], name: str, otherwise: int) -> int:
    value = engagement.get(name)
    if value is None:
        return otherwise
    if not isinstance(value, int) or isinstance(value, bool) or not abs(value) < 2**53:
        raise Refusal(400, f"{name} is {str(value)[:50]!r}, no whole number.")
    if name != "id":
        try:
            iso(value)
        except OverflowError:
            raise Refusal(400, f"{name} is {value}, no time in milliseconds.") from None
    return value


def _links(held: Held, associations: Mapping[str, Any]) -> list[Link]:
    links = []
    for name, to_type in V1_LISTS.items():
        ids = part_of(associations, name, list)
        if not all(i is None or (isinstance(i, int) and 0 < i < 2**53) for i in ids):
            raise Refusal(400, f"associations.{name} is no list of ids.")
        links += [Link(held.type, held.id, to_type, i) for i in dict.fromkeys(ids) if i is not None]
    return links
