"""The part `associations`: what a row is linked to, and what to do when that is not found or found more than once."""

from __future__ import annotations

import re
from typing import Any

from etl.flow import LINK_KINDS, LinkKind
from etl.mapping.model import Associations, Link, Match
from etl.mapping.shape import Read, Wrong, entries, filled_text, items, members, note, one_of, whole
from etl.mapping.tree import Pairs, Scalar, Tree
from etl.mapping.value import value

#: link -> the ways in which it can be found.
WAYS: dict[str, tuple[str, ...]] = {
    "contacts": ("id", "email", "phone", "table"),
    "companies": ("id", "domain", "name", "table", "contact"),
    "deals": ("id", "name", "table", "contact"),
    "tickets": ("id", "table"),
}
REQUIRE = ("contact", "any", "none")
NOT_FOUND = ("reject", "park", "unlinked", "create")
_SHORT = ("by", "value", "table")  #: what a link with one way has instead of `match`
AMBIGUOUS = ("reject", "park", "all", "oldest", "company")


def associations(node: Tree, wrong: Wrong) -> Associations:
    """The links of a row."""
    links: dict[str, Read] = {kind: _link_of(kind) for kind in LINK_KINDS}
    before = len(wrong)
    got = members(node, {**links, "require": one_of(REQUIRE)}, wrong, what="`associations`")
    found = {kind: got[kind] for kind in LINK_KINDS if kind in got}
    require = got.get("require", "contact")
    if isinstance(node, Pairs) and len(wrong) == before:
        _needed(node, require, found, wrong)
    return Associations(place=node.place, links=found, require=require)


def _needed(node: Pairs, require: str, links: dict[LinkKind, Link], wrong: Wrong) -> None:
    """What is required must be able to come about."""
    if require == "contact" and "contacts" not in links:
        hint = "add `contacts`, or say `require: any` or `require: none`"
        note(wrong, node, "missing_key", "a contact is required, and `contacts` is missing", hint)
    if require == "any" and not links:
        note(wrong, node, "missing_key", "`require: any`, and nothing to link to", "add a link")
    for kind, link in links.items():
        if "contacts" not in links and any(match.by == "contact" for match in link.match):
            message = f"`{kind}` are found by the contact, and `contacts` is missing"
            note(wrong, link, "missing_key", message)


def _link_of(kind: str) -> Read:
    def match(node: Tree, wrong: Wrong) -> Match:
        got = members(
            node, dict(zip(_SHORT, (one_of(WAYS[kind]), value, filled_text), strict=True)), wrong, what="`match`"
        )
        return _match(node, got, wrong) if isinstance(node, Pairs) else Match(place=node.place, by="id")

    readers: dict[str, Read] = {
        "by": one_of(WAYS[kind]), "value": value, "table": filled_text,
        "match": lambda node, wrong: items(node, match, wrong, what="of `{by, value}`"),
        "not_found": one_of(NOT_FOUND if kind == "contacts" else NOT_FOUND[:-1]),
        "ambiguous": _ambiguous(kind), "park_for": _days, "create": _create, "max": whole(1, 1_000_000),
    }  # fmt: skip

    def read(node: Tree, wrong: Wrong) -> Link:
        before = len(wrong)
        got = members(node, readers, wrong, what=f"`{kind}`")
        if not isinstance(node, Pairs):
            return Link(place=node.place, match=())
        matches = _matches(node, got, wrong)
        if len(wrong) == before:
            _policies(node, got, wrong)
        return _link(node, matches, got)

    return read


def _matches(node: Pairs, got: dict[str, Any], wrong: Wrong) -> tuple[Match, ...]:
    """The ways under `match`, or the one way that stands directly in the link."""
    beside = {name: got[name] for name in _SHORT if name in got}
    if "match" not in got:
        return (_match(node, beside, wrong),)
    for name in beside:
        note(wrong, node.at(name), "bad_value", f"`{name}` stands inside `match`, not beside it")
    found: tuple[Match, ...] = got["match"]
    return found


def _match(node: Pairs, got: dict[str, Any], wrong: Wrong) -> Match:
    """One way. `by: contact` takes nothing, the others a value, and `by: table` the table's name as well."""
    if "by" not in got:
        note(wrong, node, "missing_key", "`by` is missing: how the link is found")
        return Match(place=node.place, by="id")
    by, written = got["by"], node.get("by")
    if isinstance(written, Scalar) and written.text == by:  # else a stand-in, about which nothing can be said
        for name, belongs in (("value", by != "contact"), ("table", by == "table")):
            if belongs and name not in got:
                note(wrong, node, "missing_key", f"`by: {by}` needs `{name}`")
            if not belongs and name in got:
                note(wrong, node.at(name), "unknown_key", f"`by: {by}` takes no `{name}`")
    return Match(place=node.place, **got)


def _link(node: Pairs, matches: tuple[Match, ...], got: dict[str, Any]) -> Link:
    """The link. A company or deal found through the contact alone is not missed where the contact has none."""
    policies = {name: policy for name, policy in got.items() if name not in ("match", *_SHORT)}
    if matches and all(match.by == "contact" for match in matches):
        policies.setdefault("not_found", "unlinked")
    return Link(place=node.place, match=matches, **policies)


def _policies(node: Pairs, got: dict[str, Any], wrong: Wrong) -> None:
    """Parameters of a policy must stand beside that policy."""
    parks = "park" in (got.get("not_found"), got.get("ambiguous"))
    creates = got.get("not_found") == "create"
    for name, belongs, to in (("park_for", parks, "park"), ("create", creates, "create"), ("max", creates, "create")):
        if name in got and not belongs:
            note(wrong, node.at(name), "unknown_key", f"`{name}` belongs to `not_found: {to}`")
    if creates and not {"email", "phone"} & set(got.get("create", ())):
        hint = "such as `create: {phone: $customer}`"
        message = "`not_found: create` needs `create`, the new contact's fields, with `email` or `phone` among them"
        note(wrong, node.at("create"), "missing_key", message, hint)


def _ambiguous(kind: str) -> Read:
    def read(node: Tree, wrong: Wrong) -> str:
        found: str = one_of(AMBIGUOUS)(node, wrong)
        if found == "company" and kind != "contacts":
            note(wrong, node, "bad_value", "`ambiguous: company` is for contacts: it links their company")
        if found == "all" and kind == "companies":
            hint = "use `oldest`, `park` or `reject`"
            note(wrong, node, "bad_value", "an engagement has at most one company, so `all` cannot be", hint)
        return found

    return read


def _days(node: Tree, wrong: Wrong) -> str:
    found = filled_text(node, wrong)
    if found.strip() and not re.fullmatch(r"[1-9][0-9]{0,3}[hdw]", found):
        hint = "such as 12h, 14d or 2w"
        note(wrong, node, "bad_value", f"expected hours, days or weeks, found `{found}`", hint)
    return found


def _create(node: Tree, wrong: Wrong) -> dict[str, Any]:
    return entries(node, value, wrong, what="`create`, the contact's fields")
