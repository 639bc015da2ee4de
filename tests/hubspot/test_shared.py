"""One file of moments for all processes of the machine; real processes against a real sandbox that counts."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from subprocess import PIPE

import httpx
import orjson
import pytest

from etl.errors import StorageError
from etl.hubspot import shared as shared_module
from etl.hubspot.limits import Limits
from etl.hubspot.shared import MOMENTS, Shared
from tests.conftest import sandbox_process

#: Creates notes as fast as the account allows it, with ten workers; prints how many.
SENDER = """
import asyncio, sys, time
from pathlib import Path
import orjson
from etl.flow import Engagement, Links
from etl.hubspot import connect

url, shared, name, seconds = sys.argv[1:]
body = orjson.dumps({"engagement": {"type": "NOTE", "timestamp": 1_700_000_000_000}, "metadata": {"body": name}})
left = iter(range(10**6))

async def work(target, until):
    created = 0
    while time.monotonic() < until:
        place = target.place()
        if not place.rows:
            await asyncio.sleep(min(place.wait_s, max(0, until - time.monotonic())))
            continue
        row = Engagement(f"{name}{next(left):025}", "NOTE", 1_700_000_000_000, body, Links(contacts=("1",)))
        created += (await target.create([row])).outcomes[0].state == "created"
    return created

async def main():
    target = connect(url, "v1", "any", shared=Path(shared))
    await target.portal()
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.monotonic() + float(seconds)
    print(sum(await asyncio.gather(*(work(target, until) for _ in range(10)))))
    await target.close()

asyncio.run(main())
"""


def paces(path: Path) -> Limits:
    return Limits(Shared(path))


def test_processes_that_share_an_account_use_all_of_its_limit_and_no_more_and_each_gets_its_part(tmp_path: Path):
    limit, window_s, seconds = 40, 2, 5
    with sandbox_process(tmp_path / "sandbox", "--limit", f"{limit}/{window_s}s") as url:
        command = [sys.executable, "-c", SENDER, url, str(tmp_path / "pace")]
        senders = [
            subprocess.Popen([*command, name, str(seconds)], stdin=PIPE, stdout=PIPE, cwd=Path(__file__).parents[2])
            for name in "abc"
        ]
        assert all(sender.stdout and sender.stdout.readline() for sender in senders)
        for sender in senders:
            assert sender.stdin
            sender.stdin.write(b"go\n")
            sender.stdin.flush()
        created = [int(sender.communicate(timeout=60)[0]) for sender in senders]
        lines = httpx.get(f"{url}/__audit/requests", trust_env=False).text.splitlines()

    statuses = Counter(orjson.loads(line)["status"] for line in lines)
    assert statuses[429] <= 2
    assert sum(created) >= 0.9 * limit * (seconds / window_s - 1)
    assert min(created) >= 0.15 * sum(created)


def test_what_one_process_sent_and_was_told_to_wait_for_another_knows(tmp_path: Path):
    ours, theirs = paces(tmp_path / "pace"), paces(tmp_path / "pace")
    ours.pace.limit = theirs.pace.limit = 2
    assert [ours.take(100.0), theirs.take(100.5)] == [0, 0]
    assert [round(limits.take(101.0), 3) for limits in (ours, theirs)] == [9.025, 9.025]

    ours.hold(101.0, 60.0)

    assert theirs.take(120.0) == pytest.approx(41.0)
    assert theirs.take(120.0, search=True) == pytest.approx(41.0)
    assert theirs.take(161.5) == 0


def test_searches_have_their_own_part_of_the_file(tmp_path: Path):
    ours, theirs = paces(tmp_path / "pace"), paces(tmp_path / "pace")
    for _ in range(4):
        assert ours.take(100.0, search=True) == 0

    assert theirs.take(100.0, search=True) > 1
    assert theirs.take(100.0) == 0


def test_a_limit_that_no_account_has_is_not_shared(tmp_path: Path):
    ours, theirs = paces(tmp_path / "pace"), paces(tmp_path / "pace")
    ours.pace.limit = MOMENTS + 1
    ours.take(100.0)

    theirs.take(100.0)

    assert len(theirs.pace.moments) == 1


def test_the_file_stays_small(tmp_path: Path):
    limits = paces(tmp_path / "pace")
    limits.pace.limit = MOMENTS
    for n in range(3 * MOMENTS):
        limits.left(100.0 + n / 1000, None)

    assert (tmp_path / "pace").stat().st_size < 10_000


def test_a_file_that_held_more_before_is_believed(tmp_path: Path):
    first, second = paces(tmp_path / "pace"), paces(tmp_path / "pace")
    first.pace.limit = second.pace.limit = 10
    for _ in range(9):
        first.take(100.0)
    first.take(200.0)  # the others are so old that they are dropped

    second.take(200.0)

    assert list(second.pace.moments) == [200.0, 200.0]


@pytest.mark.parametrize(
    "damage", [b"", b"etlpace1", b"x" * 500, b"\0" * 9000, b"etlpace1" + b"\0" * 90, "flip", "cut"]
)
def test_a_damaged_file_is_begun_anew(tmp_path: Path, damage: bytes | str):
    path = tmp_path / "pace"
    first = paces(path)
    first.pace.limit = 1
    first.take(100.0)
    good = path.read_bytes()
    flipped = bytes([*good[:30], good[30] ^ 1, *good[31:]])
    path.write_bytes({"flip": flipped, "cut": good[:-3]}.get(damage, damage))

    second = paces(path)
    second.pace.limit = 1

    assert second.take(100.0) == 0
    assert first.take(101.0) > 9, "from then on it is good again"


def test_moments_from_before_the_machine_was_started_again_are_forgotten(tmp_path: Path):
    before = paces(tmp_path / "pace")
    before.pace.limit = 1
    before.take(50_000.0)
    before.hold(50_000.0, 600.0)

    after = paces(tmp_path / "pace")
    after.pace.limit = 1

    assert after.take(30.0) == 0


def test_the_file_is_for_its_owner_alone_and_no_link_is_followed(tmp_path: Path):
    paces(tmp_path / "new" / "pace").take(1.0)
    assert (tmp_path / "new" / "pace").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "victim")

    with pytest.raises(StorageError, match="link"):
        paces(tmp_path / "link")

    assert not (tmp_path / "victim").exists()


def test_a_full_disk_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    limits = paces(tmp_path / "pace")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shared_module.os, "pwrite", full)

    assert limits.take(100.0) == 0


def test_a_process_that_was_stopped_with_the_lock_holds_nothing_up(tmp_path: Path):
    path = tmp_path / "pace"
    limits = paces(path)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        begun = time.monotonic()
        assert limits.take(100.0) == 0
        assert time.monotonic() - begun < 2


def test_the_lock_is_free_again_when_a_process_dies_with_it(tmp_path: Path):
    path = tmp_path / "pace"
    held = "import fcntl, os, sys, time; f = open(sys.argv[1], 'wb'); fcntl.flock(f, 2); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", held, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        os.kill(other.pid, 9)

    begun = time.monotonic()
    assert paces(path).take(100.0) == 0
    assert time.monotonic() - begun < 5
