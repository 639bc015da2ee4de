"""The look-ups that went with Engagements v1, and are still in use: contacts by e-mail, companies by domain.

HubSpot: contacts v1, companies v2. Shapes as recorded; of contacts and companies only what can be told from the store.
"""

from __future__ import annotations

from typing import Any, Final

from etl.sandbox.answers import Answer, Refusal, part_of, wrong_json
from etl.sandbox.portal import Call, Portal
from etl.sandbox.schema import Held

#: HubSpot: addresses of one batch; companies of one page.
MOST_ADDRESSES, MOST_COMPANIES = 100, 100
_NOT_FOUND: Final = (("X-HubSpot-NotFound", "true"),)


def contact(portal: Portal, call: Call) -> Answer:
    """GET /contacts/v1/contact/email/:email/profile: 404 when nobody has the address."""
    email = call.path["email"].lower()
    found = _by_email(portal, [email])
    if email not in found:
        errors = [{"message": f"The contact e:{email[:100]} does not exist."}]
        refusal = Refusal(404, "contact does not exist", "OBJECT_NOT_FOUND", errors=errors)
        refusal.headers = _NOT_FOUND
        raise refusal
    return Answer(200, _contact(portal, found[email]))


def contacts(portal: Portal, call: Call) -> Answer:
    """GET /contacts/v1/contact/emails/batch?email=...: an object by vid; unknown addresses are simply missing."""
    emails = [email.lower() for email in call.query.getlist("email")]
    if len(emails) > MOST_ADDRESSES:
        raise Refusal(400, f"At most {MOST_ADDRESSES} addresses can be asked for at once", "VALIDATION_ERROR")
    return Answer(200, {str(held.id): _contact(portal, held) for held in _by_email(portal, emails).values()})


def companies(portal: Portal, call: Call) -> Answer:
    """POST /companies/v2/domains/:domain/companies: by ascending id; a domain can have several."""
    body = call.json()
    after = part_of(body, "offset", dict).get("companyId", 0)
    limit = body.get("limit", MOST_COMPANIES)
    for number in (after, limit):
        if not isinstance(number, int) or isinstance(number, bool):
            raise wrong_json("java.lang.Long", number)
    domain = call.path["domain"].lower()
    ids = [i for i in portal.store.by_value("companies", "domain", [domain]).get(domain, []) if i > after]
    page = ids[: max(1, min(limit, MOST_COMPANIES))]
    held = portal.store.get("companies", page)
    offset = {"companyId": page[-1] if page else after, "isPrimary": True}
    results = [_company(portal, held[i]) for i in page]
    return Answer(200, {"results": results, "hasMore": len(ids) > len(page), "offset": offset})


def _by_email(portal: Portal, emails: list[str]) -> dict[str, Held]:
    ids = {email: found[0] for email, found in portal.store.by_value("contacts", "email", emails).items()}
    held = portal.store.get("contacts", ids.values())
    return {email: held[i] for email, i in ids.items()}


def _contact(portal: Portal, held: Held) -> dict[str, Any]:
    identities = [
        {"type": "EMAIL", "value": held.properties["email"], "timestamp": held.created_ms, "is-primary": True}
    ]
    return {
        "vid": held.id, "canonical-vid": held.id, "merged-vids": [], "portal-id": portal.store.portal_id,
        "is-contact": True, "properties": _properties(held),
        "identity-profiles": [{"vid": held.id, "saved-at-timestamp": held.created_ms, "identities": identities}],
    }  # fmt: skip


def _company(portal: Portal, held: Held) -> dict[str, Any]:
    return {
        "portalId": portal.store.portal_id, "companyId": held.id, "isDeleted": False, "properties": _properties(held),
    }  # fmt: skip


def _properties(held: Held) -> dict[str, Any]:
    dates = {"createdate": str(held.created_ms), "lastmodifieddate": str(held.updated_ms)}
    return {name: {"value": value, "versions": []} for name, value in (held.properties | dates).items()}
