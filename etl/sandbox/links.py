"""Association type ids, and the check of the links that a request asks for.

Ids from the enums of HubSpot's own Python and Node clients; the reverse direction of an activity's link is one less.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from etl.sandbox.answers import Refusal, wrong_json
from etl.sandbox.fields import CRM, ENGAGEMENTS, NAMES, SINGULAR
from etl.sandbox.schema import Link
from etl.sandbox.store import Store

_FROM_ENGAGEMENT: Final = {
    "calls": (194, 182, 206, 220), "emails": (198, 186, 210, 224), "meetings": (200, 188, 212, 226),
    "notes": (202, 190, 214, 228), "tasks": (204, 192, 216, 230),
}  # fmt: skip
#: (from type, to type) -> association type id
TYPE_IDS: Final[dict[tuple[str, str], int]] = {
    (a, b): i for a, ids in _FROM_ENGAGEMENT.items() for b, i in zip(CRM, ids, strict=True)
} | {(b, a): i - 1 for a, ids in _FROM_ENGAGEMENT.items() for b, i in zip(CRM, ids, strict=True)} | {
    ("contacts", "companies"): 279, ("companies", "contacts"): 280, ("contacts", "deals"): 4, ("deals", "contacts"): 3,
    ("companies", "deals"): 342, ("deals", "companies"): 341, ("tickets", "contacts"): 16, ("contacts", "tickets"): 15,
}  # fmt: skip
#: The primary company of a contact has a type id of its own beside the plain one; so has the way back.
PRIMARY_IDS: Final = {("contacts", "companies"): 1, ("companies", "contacts"): 2}
_PRIMARY: Final = frozenset(PRIMARY_IDS.values())
_PAIRS: Final = {i: pair for pair, i in [*TYPE_IDS.items(), *PRIMARY_IDS.items()]}
#: engagement `associations` of v1 -> type
V1_LISTS: Final = {"contactIds": "contacts", "companyIds": "companies", "dealIds": "deals", "ticketIds": "tickets"}


def asked(from_type: str, from_id: int, associations: Any) -> list[Link]:
    """The links that the `associations` of an input ask for.

    A type id that belongs to another pair of types makes no link and no error, as with the real API; one that nobody
    knows is refused.
    """
    if not isinstance(associations or [], list):
        raise wrong_json("java.util.ArrayList<PublicAssociationsForObject>", associations)
    return [
        link
        for association in associations or []
        for link in of_types(from_type, from_id, _to_id(association), association.get("types"))
    ]


def of_types(from_type: str, from_id: int, to_id: int, types: Any) -> list[Link]:
    """The links of the kinds that a list of `{associationCategory, associationTypeId}` names; as `asked` judges them."""
    if not isinstance(types or [], list):
        raise wrong_json("java.util.ArrayList<AssociationSpec>", types)
    links = []
    for kind in types or []:
        type_id = kind.get("associationTypeId") if isinstance(kind, dict) else None
        if type(type_id) is not int or type_id not in _PAIRS:
            raise Refusal(400, f"No association type with id {type_id} exists", "VALIDATION_ERROR")
        pair_from, pair_to = _PAIRS[type_id]
        if pair_from == from_type:
            links.append(Link(from_type, from_id, pair_to, to_id, type_id in _PRIMARY))
    return links


def missing(store: Store, links: Iterable[Link]) -> set[tuple[str, int]]:
    """Those ends of the links, as (type, id), that do not exist."""
    wanted: dict[str, set[int]] = {}
    for link in links:
        wanted.setdefault(link.to_type, set()).add(link.to_id)
    return {(t, i) for t, ids in wanted.items() for i in ids - store.existing(t, ids)}


def refused(ends: Iterable[tuple[str, int]]) -> Refusal:
    """The refusal of links to what does not exist."""
    names = sorted(f"{NAMES[object_type][0]}={object_id}" for object_type, object_id in ends)
    error = {
        "subCategory": "crm.associations.INVALID_OBJECT_IDS",
        "message": f"{', '.join(names)} is not valid",
        "context": {"INVALID_OBJECT_IDS": names},
    }
    return Refusal(
        400, f"One or more associations are not valid: {', '.join(names)}", "VALIDATION_ERROR", errors=[error]
    )


def type_ids(link: Link) -> list[int]:
    """The type ids that this link shows."""
    pair = (link.from_type, link.to_type)
    return [i for i in (PRIMARY_IDS.get(pair) if link.main else None, TYPE_IDS.get(pair)) if i]


def label(link: Link) -> str:
    """The name of a link's type, as `associations` of an object show it: `call_to_contact`."""
    return f"{_singular(link.from_type)}_to_{_singular(link.to_type)}"


def _singular(object_type: str) -> str:
    return next((s for s, plural in SINGULAR.items() if plural == object_type), object_type)


def _to_id(association: Any) -> int:
    to = association.get("to") if isinstance(association, dict) else None
    text = str(to.get("id", "")) if isinstance(to, dict) else ""
    if not (text.isdigit() and text.isascii() and len(text) < 19):
        raise Refusal(400, f"Invalid object id {text!r} in associations", "VALIDATION_ERROR")
    return int(text)


assert set(_FROM_ENGAGEMENT) == set(ENGAGEMENTS)
