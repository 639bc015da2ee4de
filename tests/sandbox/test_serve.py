"""The sandbox as a process: announced, killed, opened again, gone with its parent; seeds; the page."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import orjson
import pytest

from etl.errors import ConfigError, ContentError, InputError, StorageError
from etl.sandbox.seed import seed
from etl.sandbox.serve import serve
from etl.sandbox.store import open_store
from tests.sandbox.conftest import call_input

TOKEN = {"Authorization": "Bearer x"}


def wait_for(told, seconds=15.0):
    """What `told` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (got := told()) is not None:
            return got
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def ready_in(path: Path):
    return lambda: orjson.loads(path.read_bytes()) if path.exists() else None


def is_gone(pid: int):
    """Whether the process has ended (a zombie that nobody has waited for has)."""

    def told():
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        return True if state == "Z" else None

    return told


def command(tmp_path: Path, *more: str) -> list[str]:
    files = ["--db", str(tmp_path / "s.sqlite"), "--ready-file", str(tmp_path / "ready.json")]
    return [sys.executable, "-m", "etl.sandbox", *files, *more]


def test_a_killed_sandbox_keeps_what_it_acknowledged(tmp_path, seeds):
    def started():
        (tmp_path / "ready.json").unlink(missing_ok=True)
        process = subprocess.Popen(command(tmp_path, "--seed-data", str(seeds)), stdout=subprocess.DEVNULL)
        return process, wait_for(ready_in(tmp_path / "ready.json"))

    process, told = started()
    path = f"{told['url']}/crm/v3/objects/calls/batch/create"
    with httpx.Client(headers=TOKEN) as client:
        made = {r["id"] for r in client.post(path, json={"inputs": [call_input()] * 50}).json()["results"]}
    process.kill()
    process.wait(timeout=10)

    again, told = started()
    with httpx.Client(headers=TOKEN) as client:
        lines = client.get(f"{told['url']}/__audit/engagements").text.splitlines()
        contacts = client.get(f"{told['url']}/crm/v3/objects/contacts").json()["results"]
    again.send_signal(signal.SIGTERM)

    assert {str(orjson.loads(line)["engagement"]["id"]) for line in lines} == made
    assert len(contacts) == 2
    assert again.wait(timeout=10) == 0
    assert told["pid"] == again.pid
    for name in ("s.sqlite", "ready.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_sandbox_ends_with_its_parent(tmp_path):
    script = (
        "import os, subprocess, sys, time\n"
        "subprocess.Popen([*sys.argv[1:], '--parent-pid', str(os.getpid())], stdout=subprocess.DEVNULL)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, *command(tmp_path)])
    told = wait_for(ready_in(tmp_path / "ready.json"))

    parent.kill()
    parent.wait(timeout=10)

    assert wait_for(is_gone(told["pid"]), seconds=5)


def test_a_parent_that_is_gone_already_ends_it_too(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(timeout=10)

    orphan = subprocess.run(
        command(tmp_path, "--parent-pid", str(gone.pid)), timeout=20, check=False, capture_output=True
    )

    assert orphan.returncode in {0, -signal.SIGTERM}


def test_a_bad_start_says_what_to_do_and_has_its_exit_code(tmp_path, sandbox):
    taken = str(sandbox.base_url.port)

    port = subprocess.run(command(tmp_path, "--port", taken), capture_output=True, text=True, timeout=20, check=False)
    fault = subprocess.run(
        command(tmp_path, "--fault", "nope"), capture_output=True, text=True, timeout=20, check=False
    )

    assert (port.returncode, "cannot listen on" in port.stderr) == (78, True)
    assert (fault.returncode, "commit_then_hang" in fault.stderr) == (2, True)
    assert "Traceback" not in port.stderr + fault.stderr


def test_a_store_that_is_no_database_is_a_storage_error(tmp_path):
    (tmp_path / "s.sqlite").write_text("this is a letter to my aunt, and no database at all\n" * 30)

    with pytest.raises(StorageError):
        open_store(tmp_path / "s.sqlite")
    with pytest.raises(StorageError):
        open_store(tmp_path)


def test_an_address_that_does_not_exist_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot listen on"):
        serve(db=tmp_path / "s.sqlite", port=99_999)


@pytest.mark.parametrize(
    ("name", "text", "error", "place"),
    [
        ("contacts.csv", None, InputError, "contacts.csv is missing"),
        ("deals.csv", "id,name\n1,x\n", ContentError, "deals.csv:1: the column dealname is missing"),
        ("deals.csv", "", ContentError, "deals.csv:1: the column id is missing"),
        ("deals.csv", "id,dealname\nx1,Deal\n", ContentError, "deals.csv:2: 'x1' is no id"),
        ("deals.csv", "id,dealname\n1,a,b\n", ContentError, "deals.csv:2: 3 fields"),
        ("deals.csv", 'id,dealname\n1,"a\nb"\n1,c\n', ContentError, "deals.csv:4: the id 1 stands already in"),
        ("deals.csv", b"id,dealname\n1,\xff\n", InputError, "cannot be read"),
        (
            "owners.csv",
            "id,email,firstname,lastname,active\n1,a@example.com,A,B,perhaps\n",
            ContentError,
            "active is 'perhaps'",
        ),
        (
            "contacts.csv",
            "id,email,phone,mobilephone,firstname,lastname,company_id\n1,a@example.com,,,A,B,77\n",
            ContentError,
            "contacts.csv:2: company_id 77 is not in companies.csv",
        ),
    ],
)
def test_bad_seeds_are_named_with_their_place_and_leave_the_store_empty(tmp_path, seeds, name, text, error, place):
    (seeds / name).unlink()
    if text is not None:
        (seeds / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    store = open_store(tmp_path / "s.sqlite")

    with pytest.raises(error, match=place.replace("(", r"\(")):
        seed(store, seeds, 0)

    assert store.is_empty()
    store.close()


def test_seeds_are_read_once_and_a_missing_folder_is_an_input_error(tmp_path, seeds):
    store = open_store(tmp_path / "s.sqlite")

    with pytest.raises(InputError):
        seed(store, tmp_path / "nowhere", 0)
    first, second = seed(store, seeds, 0), seed(store, seeds, 0)

    assert first == {"companies": 2, "contacts": 2, "deals": 1, "owners": 2}
    assert second == {}
    assert store.new_id() == 20_000_000_001
    store.close()


def test_the_page_shows_counts_and_a_timeline_with_every_text_escaped(sandbox):
    hostile = "<img src=x onerror=alert(1)>"
    sandbox.v1("CALL", metadata={"body": "&lt;script&gt;", "title": hostile}, associations={"contactIds": [101]})
    sandbox.post("/crm/v3/objects/contacts", json={"properties": {"email": "x@example.com", "firstname": hostile}})

    home, ann = sandbox.get("/"), sandbox.get("/view/contacts/101")

    for page in (home, ann):
        assert "&lt;img src=x" in page.text
        assert "<img" not in page.text
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "Ann Archer" in ann.text
    assert "<th>calls</th><td>1</td>" in home.text
    assert sandbox.get("/view/contacts/5").status_code == 404


def test_the_audit_tells_what_was_made_by_which_request(sandbox):
    sandbox.v1("NOTE", engagement={"uid": "row-1"})
    sandbox.create("calls", call_input(hs_unique_id="row-2"))
    sandbox.get("/crm/v3/owners?limit=5")

    engagements, requests = sandbox.audited(), sandbox.audited("requests")

    assert [e["engagement"]["uid"] for e in engagements] == ["row-1", "row-2"]
    assert [e["request"] for e in engagements] == [1, 2]
    assert [[c["key"] for c in r["created"]] for r in requests] == [["row-1"], ["row-2"], []]
    assert [(r["method"], r["status"]) for r in requests] == [("POST", 200), ("POST", 201), ("GET", 200)]
    assert requests[2]["path"] == "/crm/v3/owners?limit=5"


def test_the_sandbox_says_that_it_is_one_and_when_creates_are_readable(start):
    told = start().get("/__sandbox").json()

    assert told["sandbox"] is True
    assert told["settle_s"] == 2.0
    assert told["pid"] == os.getpid()
    assert start(db="b.sqlite", settle_s=0.3).get("/__sandbox").json()["settle_s"] == 0.3
