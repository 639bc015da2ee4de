"""What is wrong with a mapping as a whole: names, circles, look-ups out of place, times without a zone.

Each part was right by itself; here they are held against each other. No header is needed: `names.check_header` does
what needs one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from etl.errors import Mistake
from etl.mapping.formats import TIME_WORDS, time_trouble
from etl.mapping.model import Constant, Each, From, Item, Mapping
from etl.mapping.names import Part, check_header, children, roots, uses
from etl.mapping.shape import nearest
from etl.mapping.tables import DIRECTORIES


def check(mapping: Mapping) -> Iterator[Mistake]:
    """Everything that is wrong between the parts, in no order."""
    owner, calls = mapping.engagement.ownerId, mapping.metadata.get("CALL", {})
    for part in (*mapping.define.values(), *roots(mapping)):
        here = "owner" if part is owner else "disposition" if part is calls.get("disposition") else ""
        yield from _stray_items(part, inside=False)
        yield from _bad_lookups(part, mapping, here)
        if mapping.source.timezone is None:
            yield from _unzoned(part)
    for link in mapping.associations.links.values():
        for match in link.match:
            if match.by == "table" and match.table and match.table not in mapping.tables:
                yield _no_table(match.table, match.place, mapping)
    yield from _circles(mapping)
    yield from _constant_keys(mapping)
    if mapping.source.header == "none" and mapping.source.names:
        yield from check_header(mapping, mapping.source.names)


def _stray_items(part: Part, *, inside: bool) -> Iterator[Mistake]:
    if isinstance(part, Item) and not inside:
        hint = "a column of that name is read by \"{{ row['item'] }}\""
        yield Mistake(part.place, "unknown_name", "`$item` has a meaning only under `give` of `each`", hint)
    for child in children(part):
        yield from _stray_items(child, inside=inside or (isinstance(part, Each) and child is part.give))


def _bad_lookups(part: Part, mapping: Mapping, here: str) -> Iterator[Mistake]:
    if isinstance(part, From) and part.lookup and part.lookup != here:
        if part.lookup in DIRECTORIES:
            home = {"owner": "`engagement.ownerId`", "disposition": "`metadata.disposition` of a CALL"}[part.lookup]
            yield Mistake(part.place, "bad_value", f"`lookup: {part.lookup}` has its place in {home} only")
        elif part.lookup not in mapping.tables:
            yield _no_table(part.lookup, part.place, mapping)
    for child in children(part):
        yield from _bad_lookups(child, mapping, here)


def _no_table(name: str, place: str, mapping: Mapping) -> Mistake:
    known = (*mapping.tables, *DIRECTORIES)
    return Mistake(
        place, "unknown_name", f"there is no table `{name}`", nearest(name, known) or f"known: {', '.join(known)}"
    )


def _unzoned(part: Part) -> Iterator[Mistake]:
    """A written time without a zone is no moment; which zone it is in cannot be guessed."""
    if isinstance(part, From) and part.as_ == "datetime" and part.timezone is None:
        bare = [each for each in part.formats if _says_no_zone(each)]
        if bare:
            hint = "give `timezone` here or in `source`, such as America/New_York or UTC"
            yield Mistake(part.place, "missing_key", f"`{bare[0]}` gives a time without a zone", hint)
    for child in children(part):
        yield from _unzoned(child)


def _says_no_zone(form: str) -> bool:
    parts = re.findall("%(.)", form)
    return form not in TIME_WORDS and time_trouble(form) is None and not {"z", "Z"} & set(parts)


def _circles(mapping: Mapping) -> Iterator[Mistake]:
    """The definitions that need themselves, one mistake a circle."""
    needs = {
        name: [used for used, _ in uses(value) if used in mapping.define] for name, value in mapping.define.items()
    }
    seen: set[str] = set()
    for start in needs:
        path: list[str] = []
        stack = [(start, 0)] if start not in seen else []
        while stack:
            name, depth = stack.pop()
            del path[depth:]
            if name in path:
                ring = [*path[path.index(name) :], name]
                message = f"definitions in a circle: {' -> '.join(ring)}"
                hint = (
                    "a definition cannot have the name of a column" if len(ring) == 2 else "one must read columns only"
                )
                yield Mistake(mapping.define[name].place, "bad_value", message, hint)
            elif name not in seen:
                seen.add(name)
                path.append(name)
                stack += [(used, depth + 1) for used in needs[name]]


def _constant_keys(mapping: Mapping) -> Iterator[Mistake]:
    """A key that reads nothing would be the same for every row."""
    for part in mapping.key:
        if not any(uses(part)):
            hint = (
                f"did you mean `${part.value}`?" if isinstance(part, Constant) and part.value else "such as `$Call ID`"
            )
            yield Mistake(part.place, "bad_value", "`key` reads no column, so every row would have the same", hint)
