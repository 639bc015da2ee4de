"""Look-ups: words to ids of contacts, companies, deals and owners, many words a request.

Every answer is matched to the words by what it says, never by its order, and what HubSpot finds generously (phones by
national digits, names without case) is compared again here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from math import ceil
from urllib.parse import urlencode

from etl.errors import ConfigError
from etl.flow import Json, RemoteId
from etl.hubspot import phones
from etl.hubspot.door import Door, together
from etl.hubspot.names import ASSOCIATIONS, MAX_ASSOCIATIONS, MAX_BATCH, MAX_OWNERS, OBJECTS, OWNERS, PRIMARY_COMPANY
from etl.hubspot.search import following, found, groups, search
from etl.hubspot.target import ObjectType

#: value -> ids that match it, ascending
Ids = dict[str, list[RemoteId]]

#: HubSpot's contact properties for phones: where it searches (national digits), and what people wrote.
PHONES_SEARCHED = ("hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number")
PHONES_WRITTEN = ("phone", "mobilephone")
#: (object type, by) -> the property that is searched
SEARCHED: dict[tuple[str, str], str] = {
    ("companies", "domain"): "domain",
    ("companies", "name"): "name",
    ("deals", "name"): "dealname",
}
#: What a contact's associations lead to.
LINKED_TO_CONTACTS = ("companies", "deals", "tickets")


def requests_for(to: str, by: str, values: int) -> tuple[int, int]:
    """How many ordinary requests and how many searches it takes at least to look so many values up."""
    if (to, by) == ("contacts", "phone") or (to, by) in SEARCHED:
        return 0, ceil(values / MAX_BATCH)
    if to == "owners":
        return min(values, 1), 0
    return ceil(values / (MAX_ASSOCIATIONS if by == "contact" else MAX_BATCH)), 0


class LookUps:
    """Look-ups through one door. The owners are read once and kept."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._owners: Ids | None = None

    async def look_up(self, to: ObjectType, by: str, values: Collection[str]) -> Ids:
        """See `target.Target.look_up`. Raises `ConfigError` for a way to look up that HubSpot does not offer."""
        asked = [value for value in dict.fromkeys(values) if value]
        match to, by:
            case "owners", "email":
                return await self._owners_by_email(asked)
            case "contacts", "email":
                return await _by_groups(asked, MAX_BATCH, self._contacts_by_email)
            case "contacts", "phone":
                return await _by_groups(asked, MAX_BATCH, self._contacts_by_phone)
            case _, "contact" if to in LINKED_TO_CONTACTS:
                return await _by_groups(asked, MAX_ASSOCIATIONS, lambda group: self._by_contact(to, group))
            case _ if (to, by) in SEARCHED:
                return await _by_groups(asked, MAX_BATCH, lambda group: self._by_property(to, by, group))
            case _:
                raise ConfigError(f"There is no look-up of {to} by {by}.", hint="See `by` in the mapping's reference.")

    async def _contacts_by_email(self, emails: Sequence[str]) -> Ids:
        """By batch read, which reads the store and not the index; a contact's further addresses count too."""
        body = {
            "idProperty": "email",
            "properties": ["email", "hs_additional_emails"],
            "inputs": [{"id": email} for email in dict.fromkeys(map(str.lower, emails))],
        }
        hits = found(await self._door.read("POST", f"{OBJECTS}/contacts/batch/read", body))
        by_email = _index(hits, _addresses)
        return {email: by_email[email.lower()] for email in emails if email.lower() in by_email}

    async def _contacts_by_phone(self, numbers: Sequence[str]) -> Ids:
        digits = sorted({phones.national(number) for number in numbers} - {""})
        hits = await search(self._door, "contacts", PHONES_SEARCHED, digits, PHONES_WRITTEN)
        by_form = _index(hits, lambda own: [phones.written(str(own.get(name) or "")) for name in PHONES_WRITTEN])
        ids = {number: {i for form in phones.forms(number) for i in by_form.get(form, [])} for number in numbers}
        return {number: sorted(several, key=int) for number, several in ids.items() if several}

    async def _by_property(self, object_type: str, by: str, values: Sequence[str]) -> Ids:
        name = SEARCHED[object_type, by]
        # HubSpot: IN compares texts in lower case, and wants them so
        lowered = list(dict.fromkeys(value.lower() for value in values))
        hits = await search(self._door, object_type, [name], lowered, [name])
        by_text = _index(hits, lambda own: [_folded(str(own.get(name) or ""))])
        return {value: by_text[_folded(value)] for value in values if _folded(value) in by_text}

    async def _by_contact(self, object_type: str, contacts: Sequence[RemoteId]) -> Ids:
        body = {"inputs": [{"id": contact} for contact in contacts]}
        answer: Json = await self._door.read("POST", f"{ASSOCIATIONS}/contacts/{object_type}/batch/read", body)
        linked: Ids = {}
        for result in answer.get("results") or []:
            ordered = sorted((not _is_primary(to), int(to["toObjectId"])) for to in result["to"])
            linked.setdefault(str(result["from"]["id"]), []).extend(str(remote_id) for _, remote_id in ordered)
        return {contact: linked[contact] for contact in contacts if linked.get(contact)}

    async def _owners_by_email(self, emails: Sequence[str]) -> Ids:
        if self._owners is None:
            self._owners = _index(await self._active_owners(), lambda own: [str(own.get("email") or "").lower()])
        return {email: self._owners[email.lower()] for email in emails if email.lower() in self._owners}

    async def _active_owners(self) -> list[Json]:
        """Only to these HubSpot gives anything; each as `found` gives objects."""
        owners: list[Json] = []
        after = ""
        while True:
            query = urlencode({"limit": MAX_OWNERS, "archived": "false", **({"after": after} if after else {})})
            page: Json = await self._door.read("GET", f"{OWNERS}?{query}")
            owners += [{"id": o["id"], "properties": o} for o in page.get("results") or [] if not o.get("archived")]
            if not (after := following(page)):
                return owners


async def _by_groups(values: Sequence[str], size: int, way: Callable[[Sequence[str]], Awaitable[Ids]]) -> Ids:
    """One way of looking up, over groups of values, some at the same time."""
    parts = await together([partial(way, group) for group in groups(values, size)])
    return {value: ids for part in parts for value, ids in part.items()}


def _index(hits: Iterable[Json], words: Callable[[Json], Iterable[str]]) -> Ids:
    """By word, the ids, ascending, of the objects whose properties have it."""
    ids: dict[str, set[RemoteId]] = defaultdict(set)
    for hit in hits:
        for word in words(hit["properties"]):
            if word:
                ids[word].add(str(hit["id"]))
    return {word: sorted(several, key=int) for word, several in ids.items()}


def _addresses(own: Json) -> list[str]:
    return [str(own.get("email") or "").lower(), *str(own.get("hs_additional_emails") or "").lower().split(";")]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _is_primary(to: Json) -> bool:
    return any(kind.get("typeId") == PRIMARY_COMPANY for kind in to.get("associationTypes") or [])
