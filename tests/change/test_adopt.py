"""What another integration logged already is recognised, and nothing is created beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.change.conftest import Cli, Write, held, requests
from tests.change.test_undo import undo
from tests.change.test_update import WIRES, run
from tests.verify import tamper


def log(url: str, row: int, *, number: str = "(206) 555-0100", later_s: int = 20, contact: int | None = None) -> str:
    """Another integration logs the call of a row; the id that it got."""
    engagement: Any = {"type": "CALL", "timestamp": 1000 * (1_700_000_000 + 60 * row + later_s)}
    body = {
        "engagement": engagement,
        "associations": {"contactIds": [contact or 1 + row % 20], "companyIds": [], "dealIds": [], "ownerIds": []},
        "metadata": {"title": f"theirs {row}", **({"toNumber": number} if number else {})},
    }
    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        answer = client.post(tamper.V1, json=body)
        answer.raise_for_status()
        return str(answer.json()["engagement"]["id"])


@WIRES
def test_what_is_logged_already_is_adopted_and_what_is_in_doubt_is_listed(cli: Cli, url: str, api: str, write: Write):
    theirs = [log(url, 2), log(url, 3)]
    log(url, 4, number="+49 30 123456")  # of another number: another call
    log(url, 5, later_s=90)  # of another minute
    log(url, 6, contact=9)  # of another contact
    doubtful = log(url, 7, number="")
    write(range(10))
    plan = run(cli, url, api, "--adopt", command="plan")
    assert plan["forecast"]["adopt_reads"] >= 10

    said = run(cli, url, api, "--adopt", "--max-rejects", "50%", code=3)

    assert (said["created"], said["already"], said["adopted"]) == (7, 2, 2)
    assert said["rejected_by"] == {"adopt_doubt": 1}
    assert doubtful in Path(said["files"]["rejects"]).read_text()
    assert sorted(held(url)) == [f"Call {i}" for i in (0, 1, 4, 5, 6, 8, 9)]
    assert {cli("show", key, "--json").json["records"][0]["remote_id"] for key in ("2", "3")} == set(theirs)

    before = len(requests(url))
    said = run(cli, url, api, "--adopt", "--max-rejects", "50%", code=3)
    assert (said["created"], said["already"], said["adopted"]) == (0, 9, 2)
    assert len(requests(url)) == before

    assert undo(cli, url, api, "last")["archive"] == {}
    [first] = [r["run"] for r in cli("status", "--json").json["checkpoints"][0]["runs"] if r["created"]]
    assert undo(cli, url, api, first, "--yes")["archived"] == 7
    assert held(url) == {}
    with httpx.Client(base_url=url, trust_env=False, headers=tamper.BEARER) as client:
        assert all(client.get(f"{tamper.V1}/{one}").json()["engagement"]["id"] for one in theirs)


@WIRES
def test_two_rows_of_one_minute_are_told_apart_by_their_times_or_left_in_doubt(
    cli: Cli, url: str, api: str, write: Write
):
    path = write([1])
    text = path.read_text().splitlines()
    one = text[1]
    path.write_text("\n".join([text[0], one, one.replace("1,1700000060", "100,1700000070"), ""]))
    log(url, 1, later_s=0)
    log(url, 1, later_s=10)
    said = run(cli, url, api, "--adopt")
    assert (said["created"], said["adopted"]) == (0, 2)


def test_one_engagement_for_two_rows_is_a_doubt(cli: Cli, url: str, write: Write):
    path = write([1])
    text = path.read_text().splitlines()
    another = text[1].replace("1,1700000060", "100,1700000070").replace("Call 1,", "Call 100,")
    path.write_text("\n".join([text[0], text[1], another, ""]))
    log(url, 1, later_s=5)
    said = run(cli, url, "objects", "--adopt", code=3)
    assert said["rejected_by"] == {"adopt_doubt": 2}
    assert held(url) == {}
    assert cli("retry", "--rejected", "adopt_doubt", "--target", url, "--json").code == 0
    assert len(held(url)) == 2


def test_without_asking_nothing_is_looked_for(cli: Cli, url: str, write: Write):
    log(url, 2)
    write(range(3))
    assert run(cli, url, "objects")["created"] == 3
