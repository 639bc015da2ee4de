"""What goes out through the objects API and comes back is the same, whatever it is; and one change in it is one difference."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.compare import differences
from etl.engagement import FIELDS, TYPES, Field
from etl.flow import Engagement, Links
from etl.hubspot.held import of_object
from etl.hubspot.properties import properties
from etl.hubspot.target import Held

TIMES = st.integers(631_152_000_000, 1_900_000_000_000)
IDS = st.integers(1, 10**11)
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"], exclude_characters="<>&"),
    min_size=1,
)
ADDRESSES = st.builds("{}@example.com".format, st.text("abcABC.", min_size=1)).map(lambda email: {"email": email})


def value_of(field: Field) -> st.SearchStrategy[Any]:
    return {
        "text": WORDS,
        "html": st.one_of(WORDS, WORDS.map("<p>{}</p>".format)),
        "int": st.integers(-(10**9), 10**9),
        "duration": st.integers(0, 10**9),
        "bool": st.booleans(),
        "time": TIMES,
        "url": WORDS.map("https://example.com/{}".format),
        "choice": st.sampled_from(field.choices or ("X",)),
        "guid": st.uuids().map(str),
        "times": st.lists(TIMES, min_size=1, unique=True),
        "ids": st.lists(IDS, min_size=1, unique=True),
        "address": ADDRESSES,
        "addresses": st.lists(ADDRESSES, min_size=1),
    }[field.kind]


@st.composite
def engagements(draw: st.DrawFn) -> Engagement:
    type_ = draw(st.sampled_from(TYPES))
    fields = FIELDS[type_]
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), unique=True))
    metadata = {name: draw(value_of(fields[name])) for name in chosen}
    time_ms = draw(TIMES)
    files = [{"id": i} for i in draw(st.lists(IDS, max_size=3, unique=True))]
    payload = {
        "engagement": {"active": True, "type": type_, "timestamp": time_ms},
        "attachments": files,
        "metadata": metadata,
    }
    if own := draw(st.dictionaries(st.sampled_from(["own_a", "own_b"]), WORDS.filter(lambda text: ";" not in text))):
        payload["properties"] = own
    kinds = [tuple(map(str, draw(st.lists(IDS, max_size=3, unique=True)))) for _ in range(4)]
    return Engagement("k" * 26, type_, time_ms, orjson.dumps(payload), Links(draw(st.sampled_from(["", "31"])), *kinds))


def held_after(row: Engagement) -> Held:
    """What the account answers for what was sent, ids as numbers and everything else as text."""
    own = properties(row)
    result = {"id": "7", "properties": own, "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00.5Z"}
    links = {kind: [int(i) for i in getattr(row.links, kind)] for kind in ("contacts", "companies", "deals", "tickets")}
    return of_object(row.type, result, links, [name for name in own if name.startswith("own_")])


@given(engagements())
@settings(max_examples=300, deadline=None)
def test_what_goes_out_and_comes_back_is_the_same(row: Engagement):
    assert differences(row, held_after(row), ("objects", "objects")) == []


@given(engagements(), st.data())
@settings(max_examples=300, deadline=None)
def test_one_change_is_one_difference(row: Engagement, data: st.DataObject):
    held = held_after(row)
    sent = orjson.loads(row.payload)["metadata"]
    texts = sorted(name for name in sent if FIELDS[row.type][name].kind in {"text", "html", "url"})
    names = [f"metadata.{name}" for name in texts] + [f"associations.{name}" for name in held.payload["associations"]]
    name = data.draw(st.sampled_from(names))
    part, _, key = name.partition(".")
    if part == "metadata":
        held.payload[part][key] += " and more"
    else:
        held.payload[part][key] = [*held.payload[part][key], 10**12]
    assert [difference.field for difference in differences(row, held, ("objects", "objects"))] == [name]
