"""What is written through either API: checked values into objects, their links, and what stands in their way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from etl.sandbox.answers import Invalid, Refusal, invalid
from etl.sandbox.fields import ENGAGEMENTS, NAMES, SINGULAR
from etl.sandbox.links import asked, missing, refused
from etl.sandbox.portal import Call, Portal, time_of
from etl.sandbox.schema import Held, Link

#: Numbers without a country code are read as ones of this region when their digits are made searchable.
HOME_REGION = "US"


def drafted(portal: Portal, call: Call, object_type: str, wanted: Mapping[str, Any]) -> tuple[Held, list[Link]]:
    """The object that `{properties, associations?}` asks for, not yet stored; `Refusal` when its values are not valid."""
    good, problems = portal.check(object_type, wanted.get("properties") or {})
    if problems:
        raise invalid(problems)
    if object_type in ENGAGEMENTS and not (good.get("hs_timestamp") or good.get("hs_meeting_start_time")):
        raise _required(object_type, "hs_timestamp")
    now_ms = call.now_ms
    time_ms = time_of(good, now_ms) if object_type in ENGAGEMENTS else now_ms
    own = completed(object_type, good)
    held = Held(object_type, portal.store.new_id(), now_ms, now_ms, time_ms, True, False, own, call.number)
    return held, asked(object_type, held.id, wanted.get("associations"))


def changed(portal: Portal, call: Call, held: Held, given: Any) -> Held:
    """The object with these properties changed, not yet stored; an empty value takes a property away."""
    good, problems = portal.check(held.type, given)
    if problems:
        raise invalid(problems)
    own = {name: value for name, value in (held.properties | good).items() if value or name not in good}
    time_ms = time_of(good, held.time_ms) if held.type in ENGAGEMENTS else held.time_ms
    return held._replace(properties=completed(held.type, own), updated_ms=call.now_ms, time_ms=time_ms)


def obstacles(portal: Portal, drafts: Sequence[tuple[Held, list[Link]]]) -> list[Refusal | None]:
    """For each draft what the store has against it: links to what does not exist, or unique values that are taken."""
    if not drafts:
        return []
    gone = missing(portal.store, (link for _, links in drafts for link in links))
    found: list[Refusal | None] = []
    for _, links in drafts:
        ends = {(a.to_type, a.to_id) for a in links} & gone if gone else set()
        found.append(refused(ends) if ends else None)
    for name in unique_names(portal, drafts[0][0].type):
        _claim(portal, name, [held for held, _ in drafts], found)
    return found


def unique_names(portal: Portal, object_type: str) -> list[str]:
    """The properties by which at most one object has a value, usable as `idProperty`."""
    own = ["email"] if object_type == "contacts" else []
    return own + portal.store.unique_names(object_type)


def completed(object_type: str, own: dict[str, str]) -> dict[str, str]:
    """The properties with those that the account works out from them."""
    if object_type != "contacts":
        return own
    full = dict(own)
    if full.get("email"):
        full["email"] = full["email"].lower()
    for written, searchable in (("phone", "phone"), ("mobilephone", "mobile")):
        name = f"hs_searchable_calculated_{searchable}_number"
        full.pop(name, None)
        if digits := national_digits(full.get(written, "")):
            full[name] = digits
    return full


def national_digits(phone: str) -> str:
    """The digits of a phone number without country code and extension, as the search index has them.

    >>> national_digits("+1 (805) 555-0138 ext. 2204"), national_digits("+44 20 7946 0000"), national_digits("")
    ('8055550138', '2079460000', '')
    """
    if not phone:
        return ""
    import phonenumbers

    try:
        number = phonenumbers.parse(phone, HOME_REGION)
    except phonenumbers.NumberParseException:
        return re.sub(r"\D", "", phone)
    return str(phonenumbers.national_significant_number(number))


def _claim(portal: Portal, name: str, drafts: Sequence[Held], found: list[Refusal | None]) -> None:
    """Notes in `found` which drafts have a value of a unique property that the store, or an earlier draft, has."""
    values = [held.properties.get(name, "").lower() for held in drafts]
    owners = portal.store.by_value(drafts[0].type, name, {v for v in values if v})
    taken = {value: ids[0] for value, ids in owners.items()}
    for at, (held, value) in enumerate(zip(drafts, values, strict=True)):
        if value and found[at] is None and taken.setdefault(value, held.id) != held.id:
            found[at] = _taken(portal, held, name, taken[value])


def _taken(portal: Portal, held: Held, name: str, by: int) -> Refusal:
    if held.type == "contacts" and name == "email":
        refusal = Refusal(409, f"Contact already exists. Existing ID: {by}", "CONFLICT")
    else:
        where = (
            f"portalId={portal.store.portal_id}, objectTypeId={NAMES[held.type][1]}, objectId={held.id}, "
            f"propertyName={name}, value={held.properties[name]}"
        )
        text = f"Cannot set PropertyValueCoordinates{{{where}}} on {held.id}. {by} already has that value."
        refusal = invalid([Invalid(name, "UNIQUE_VALUE_CONFLICT", text)])
    refusal.existing = str(by)
    return refusal


def _required(object_type: str, name: str) -> Refusal:
    word = next(s for s, plural in SINGULAR.items() if plural == object_type).upper()
    text = f"Error creating {word}. Some required properties were not set."
    error = {"message": f"{name} was not set", "code": "MISSING_REQUIRED_PROPERTY", "context": {"properties": [name]}}
    return Refusal(400, text, "VALIDATION_ERROR", context={"properties": [name]}, errors=[error])
