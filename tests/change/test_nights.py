"""Three nights of an overlapping call log: the counts are those that a script computes which knows only the files."""

from __future__ import annotations

import random

import httpx

from tests.change.conftest import PEOPLE, Cli, Write, held, requests
from tests.change.test_update import WIRES, run
from tests.verify import tamper

NIGHT, WINDOW = 400, 1_000
LATE = range(PEOPLE + 1, PEOPLE + 4)  #: contacts that are not there at first, one more of them each night


@WIRES
def test_the_counts_of_three_nights_are_those_of_an_independent_script(cli: Cli, url: str, api: str, write: Write):
    rng = random.Random(5)
    size, window = (NIGHT, WINDOW) if api == "objects" else (NIGHT // 10, WINDOW // 10)
    who = {row: rng.choice(LATE) for row in range(3 * size) if rng.random() < 0.02}
    texts: dict[int, str] = {}
    there: dict[int, str] = {}  # what the account must hold, by row
    known = set[int]()
    for night in range(3):
        rows = range(max(0, (night + 1) * size - window), (night + 1) * size)
        for row in rng.sample(sorted(there), len(there) // 100):
            texts[row] = f"changed in night {night}"
        if night:
            appear(url, LATE[night - 1])
        write(rows, texts, who)

        said = run(cli, url, api, "--update-changed")

        here = {row: texts.get(row, f"text {row}") for row in rows}
        lacks = {row for row in here if who.get(row, 0) > PEOPLE + night}
        changed = {row for row, text in here.items() if row in there and there[row] != text}
        created = {row for row in here if row not in there and row not in lacks}
        freed = {row for row in known - here.keys() if row not in there and who.get(row, 0) <= PEOPLE + night}
        expected = {
            "read": len(here), "created": len(created), "updated": len(changed),
            "already": len(here.keys() & there.keys() - changed), "parked": len(lacks), "rejected": 0, "vanished": 0,
        }  # fmt: skip
        assert {name: said[name] for name in expected} == expected
        assert said["carried"].get("created", 0) == len(freed)
        there |= {row: here.get(row) or texts.get(row, f"text {row}") for row in created | changed | freed}
        known |= here.keys()
    found = {int(title.split()[1]): e["metadata"]["body"] for title, e in held(url).items()}
    assert found == there
    written = len(requests(url))
    assert run(cli, url, api, "--update-changed")["created"] == 0
    assert len(requests(url)) == written


def appear(url: str, number: int) -> None:
    """A contact is there now."""
    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        body = {"properties": {"email": f"c{number}@customer.example"}}
        client.post("/crm/objects/2026-03/contacts", json=body).raise_for_status()
