"""The account before anything is imported: owners, companies, contacts, deals, and numbers that it does not know.

The phone numbers are those kept for fiction: 555-01xx of US area codes, and Ofcom's 020 7946 0xxx.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from generator.rows import write

AREAS = (206, 212, 303, 305, 312, 404, 415, 503, 512, 602, 617, 619, 702, 713, 720, 808)
FIRST_NAMES = (
    "Ada Amir Ana Ben Bo Carla Chidi Clara Dana Dmitri Elif Emeka Eva Farid Grace Hana Hugo Ines Ivan Jade Jonas José "
    "Kai Lena Liam Lucía Mara Mei Milo Nadia Noah Olga Omar Petra Priya Ravi Rosa Sam Siobhán Tariq Uma Vera Wei Zoë"
)
LAST_NAMES = (
    "Abara Adler Baker Bianchi Brandt Castillo Cho Costa Diaz Dubois Eriksen Ferrari Fischer Garcia Haddad Ito Jansen "
    "Kaya Khan Kowalski Larsen Lopez Martin Müller Nakamura Nguyen Novak O'Neil Okafor Park Petrov Quinn Reyes Rossi "
    "Santos Schmidt Silva Sørensen Tanaka Tran Usman Vega Weber Young Zhang"
)
FIRST, LAST = FIRST_NAMES.split(), LAST_NAMES.split()
TREES = ("Alder", "Beech", "Cedar", "Elm", "Fir", "Hazel", "Juniper", "Larch", "Maple", "Oak", "Rowan", "Willow")
TRADES = ("Freight", "Dental", "Analytics", "Bakery", "Robotics")
US_WAYS = ("({a}) 555-{n}", "{a}.555.{n}", "+1 {a}-555-{n}", "{a}-555-{n}", "+1{a}555{n}", "1{a}555{n}", "{a}555{n}")
UK_WAYS = ("+44 {a} 7946 {n}", "+44{a}7946{n}", "011 44 {a} 7946 {n}")


class Phone(NamedTuple):
    """A phone number: `area` code (20 is London) and the last four digits."""

    area: int
    line: str

    def written(self, r: random.Random, *, tidy: bool = False) -> str:
        """The number in one of the ways of a phone system, or in one of those (`tidy`) in which people write it."""
        ways = UK_WAYS[: 2 if tidy else 3] if self.area == 20 else US_WAYS[: 5 if tidy else 7]
        return r.choice(ways).format(a=self.area, n=self.line)


class Company(NamedTuple):
    """A company of the portal."""

    id: int
    name: str
    domain: str


class Contact(NamedTuple):
    """A contact of the portal."""

    id: int
    first: str
    last: str
    email: str
    phone: Phone | None
    mobile: Phone | None
    company: Company | None


class Owner(NamedTuple):
    """A user of the portal."""

    id: int
    first: str
    last: str
    email: str
    active: bool


class Portal(NamedTuple):
    """All that the account holds, and `strangers`: numbers of nobody."""

    owners: list[Owner]
    companies: list[Company]
    contacts: list[Contact]
    deals: dict[int, str]
    strangers: list[Phone]


def make_portal(r: random.Random) -> Portal:
    """8 owners (the last one inactive), 60 companies, 400 contacts, 80 deals, 120 strangers."""
    us = [Phone(area, f"01{n:02d}") for area in AREAS for n in range(1, 100)]
    r.shuffle(us)
    numbers, london = iter(us), (Phone(20, f"0{n:03d}") for n in range(100, 1000))
    names = [f"{tree} {trade}" for trade in TRADES for tree in TREES]
    companies = [Company(7001 + 13 * i, n, f"{n.lower().replace(' ', '-')}.example") for i, n in enumerate(names)]
    people = zip(FIRST[:40:5], LAST[:40:5], strict=True)
    owners = [Owner(4101 + i, f, la, f"{f.lower()}@example.com", i != 7) for i, (f, la) in enumerate(people)]
    deals = {9001 + 17 * i: f"{names[i % 60]} - {('annual plan', 'pilot')[i // 60]}" for i in range(80)}
    contacts = [
        _contact(r, i, None if i % 40 == 39 else companies[i % 60], london if i % 16 == 5 else numbers)
        for i in range(400)
    ]
    _share_phones(contacts)
    return Portal(owners, companies, contacts, deals, [next(numbers) for _ in range(120)])


def write_portal(r: random.Random, portal: Portal, folder: Path) -> None:
    """The four files with which a sandbox is seeded."""
    owners = [(o.id, o.email, o.first, o.last, str(o.active).lower()) for o in portal.owners]
    contacts = []
    for i, c in enumerate(portal.contacts):
        phone, mobile = (p.written(r, tidy=True) if p else "" for p in (c.phone, c.mobile))
        phone += " ext. 7" if phone and i % 50 == 12 else ""
        contacts.append((c.id, c.email, phone, mobile, c.first, c.last, c.company.id if c.company else ""))
    header = ("id", "email", "phone", "mobilephone", "firstname", "lastname", "company_id")
    write(folder / "contacts.csv", header, contacts)
    write(folder / "companies.csv", Company._fields, portal.companies)
    write(folder / "deals.csv", ("id", "dealname"), portal.deals.items())
    write(folder / "owners.csv", ("id", "email", "firstname", "lastname", "active"), owners)


def working_hour(r: random.Random) -> datetime:
    """A second between 8:00 and 18:00 of a weekday of January to October 2025, where no clock changes; local time."""
    at = datetime(2025, 1, 2, 8) + timedelta(days=r.randrange(300), seconds=r.randrange(36_000))  # noqa: DTZ001
    return at - timedelta(days=max(0, at.weekday() - 4))


def _contact(r: random.Random, i: int, company: Company | None, numbers: Iterator[Phone]) -> Contact:
    """The i-th contact; one in 20 has no e-mail address, one in 8 no phone, 2 in 5 of the others a mobile too."""
    first, last = FIRST[i * 7 % len(FIRST)], LAST[(i * 11 + i // 45) % len(LAST)]
    plain = unicodedata.normalize("NFKD", f"{first}.{last}".replace("ø", "o")).encode("ascii", "ignore").decode()
    email = f"{plain.replace(chr(39), '').lower()}.{i}@{company.domain if company else 'example.org'}"
    phone = None if i % 8 == 6 else next(numbers)
    mobile = next(numbers) if phone and r.random() < 0.4 else None
    return Contact(20001 + 3 * i, first, last, "" if i % 20 == 18 else email, phone, mobile, company)


def _share_phones(contacts: list[Contact]) -> None:
    """Gives 8 pairs of colleagues one front desk number, and two contacts of different companies the same number."""
    pairs = [(i, i + 60) for i in (0, 1, 2, 3, 4, 7, 8, 9)]  # contacts i and i + 60 are of the same company
    for i, j in [*pairs, (20, 31)]:
        contacts[i] = contacts[i]._replace(mobile=None)
        contacts[j] = contacts[j]._replace(phone=contacts[i].phone, mobile=None)
