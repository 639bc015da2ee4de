"""The sandbox as a process: announced, killed, opened again, gone with its parent; seeds; the page."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import click
import httpx
import orjson
import pytest

from etl.cli.sandbox import serve as etl_serve
from etl.errors import ConfigError, ContentError, InputError, StorageError, TokenError
from etl.sandbox.__main__ import main
from etl.sandbox.options import settings_of
from etl.sandbox.seed import seed
from etl.sandbox.serve import is_exposed, serve
from etl.sandbox.settings import Settings
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


def test_both_doors_take_the_same_options_and_each_reaches_its_setting():
    own = {"db", "token", "ready_file", "parent_pid"}
    doors = [[p.to_info_dict() for p in door.params if p.name not in own] for door in (main, etl_serve)]
    given = [
        "--db", "x", "--limit", "19/1s", "--tier", "pro", "--daily", "7", "--search-limit", "2", "--latency", "50ms", "--settle",
        "3", "--index-lag", "2s", "--retry-after", "--no-unique-properties", "--repeated-uid", "conflict", "--fault-seed", "5",
        "--missing-engagement", "404", "--time-zone", "Asia/Tokyo", "--fault", "locked", "--fault", "latency:p=0.5",
    ]  # fmt: skip

    told = main.make_context("sandbox", list(given)).params

    assert doors[0] == doors[1]
    assert settings_of(told) == Settings(
        seed=5, index_lag_s=2.0, settle_s=3.0, window_max=19, window_s=1.0, daily_max=7, search_max=2, enforce_limits=True,
        time_zone="Asia/Tokyo", unique_properties=False, missing_engagement="404", repeated_uid="conflict", retry_after=True,
        latency_s=0.05,
    )  # fmt: skip
    assert [fault.name for fault in told["faults"]] == ["locked", "latency"]


@pytest.mark.parametrize(
    ("given", "window", "daily", "enforced"),
    [
        ((), 100_000, 1_000_000, False),
        (("--tier", "free"), 100, 250_000, True),
        (("--tier", "pro"), 190, 625_000, True),
        (("--tier", "enterprise", "--limit", "250"), 250, 1_000_000, True),
        (("--daily", "5"), 100_000, 5, True),
    ],
)
def test_a_tier_sets_the_limits_and_what_is_given_goes_before_it(given, window, daily, enforced):
    settings = settings_of(main.make_context("sandbox", ["--db", "x", *given]).params)

    assert (settings.window_max, settings.daily_max, settings.enforce_limits) == (window, daily, enforced)
    assert settings.window_s == 10.0


@pytest.mark.parametrize(
    "given",
    [
        ("--limit", "0/10s"), ("--limit", "190/0s"), ("--limit", "many"), ("--limit", "190/10s/2"), ("--latency", "-1"),
        ("--latency", "inf"), ("--index-lag", "soon"), ("--tier", "gold"), ("--time-zone", "Mars/Olympus"),
        ("--time-zone", "../secret"), ("--fault", "nope"), ("--fault", "latency:seconds=soon"), ("--daily", "0"),
    ],
)  # fmt: skip
def test_an_option_that_makes_no_sense_is_a_usage_error(given):
    with pytest.raises(click.BadParameter):
        main.make_context("sandbox", ["--db", "x", *given])


def test_the_only_token_comes_from_a_file_that_nobody_else_can_read(tmp_path, start):
    secret = tmp_path / "token"
    secret.write_text("pat-1\n")

    with pytest.raises(TokenError, match="read by others"):
        settings_of(main.make_context("sandbox", ["--db", "x", "--token-file", str(secret)]).params)
    secret.chmod(0o600)
    told = settings_of(main.make_context("sandbox", ["--db", "x", "--token-file", str(secret)]).params)
    sandbox = start(token=told.token)

    assert sandbox.get("/crm/v3/owners").status_code == 401
    assert sandbox.get("/crm/v3/owners", headers={"Authorization": "Bearer pat-1"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "exposed"),
    [("127.0.0.1", False), ("127.5.5.5", False), ("::1", False), ("localhost", False), ("0.0.0.0", True), ("::", True),
     ("192.0.2.7", True), ("crm.example.com", True)],
)  # fmt: skip
def test_only_loopback_is_not_exposed(host, exposed):
    assert is_exposed(host) is exposed


def test_a_server_that_others_can_reach_says_so_once(tmp_path):
    everywhere = subprocess.Popen(
        command(tmp_path, "--host", "0.0.0.0"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_for(ready_in(tmp_path / "ready.json"))
    everywhere.send_signal(signal.SIGTERM)

    said = everywhere.communicate(timeout=10)[1].splitlines()

    assert len(said) == 1
    assert said[0].startswith("warning: everybody who reaches 0.0.0.0 over the network can read")


def test_the_command_serves_with_limits_and_faults(tmp_path, seeds):
    told = ["--db", "s.sqlite", "--seed-data", str(seeds), "--limit", "2/60s", "--fault", "locked:nth=2"]
    door = [sys.executable, "-m", "etl", "sandbox", "serve", *told]
    serving = subprocess.Popen(door, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    url = serving.stdout.readline().split()[2]

    with httpx.Client(headers=TOKEN) as client:
        statuses = [client.get(f"{url}/crm/v3/owners").status_code for _ in range(3)]
    serving.send_signal(signal.SIGTERM)

    assert statuses == [200, 423, 429]
    assert serving.wait(timeout=10) == 0
    serving.stdout.close()


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
        assert hostile not in page.text
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "Ann Archer" in ann.text
    assert sandbox.get("/view/contacts/5").status_code == 404


def test_the_audit_tells_what_was_made_by_which_request(sandbox):
    sandbox.v1("NOTE", engagement={"uid": "row-1"})
    sandbox.create("calls", call_input(hs_unique_id="row-2"))
    sandbox.get("/crm/v3/owners?limit=5", headers={"Connection": "close"})

    engagements, requests = sandbox.audited(), sandbox.audited("requests")

    assert [e["engagement"]["uid"] for e in engagements] == ["row-1", "row-2"]
    assert [e["request"] for e in engagements] == [1, 2]
    assert [e["key"] for e in engagements] == ["row-1", "row-2"]
    assert [[c["key"] for c in r["created"]] for r in requests] == [["row-1"], ["row-2"], []]
    assert [(r["method"], r["status"]) for r in requests] == [("POST", 200), ("POST", 201), ("GET", 200)]
    assert requests[2]["path"] == "/crm/v3/owners?limit=5"
    assert {r["client_got"] for r in requests} == {"answer"}


def test_the_sandbox_says_that_it_is_one_and_when_creates_are_readable(start):
    told = start().get("/__sandbox").json()

    assert told["sandbox"] is True
    assert told["settle_s"] == 2.0
    assert told["pid"] == os.getpid()
    assert start(db="b.sqlite", settle_s=0.3).get("/__sandbox").json()["settle_s"] == 0.3


def test_a_mistake_of_the_sandbox_itself_is_a_500_on_record_and_leaves_nothing_half_done(sandbox, monkeypatch):
    monkeypatch.setattr("etl.sandbox.late.Late.add", lambda *_: 1 / 0)

    path, last = "/crm/v3/objects/calls", {"Connection": "close"}  # the server hangs up after it
    assert sandbox.post(path, json=call_input(), headers=last).status_code == 500
    monkeypatch.undo()

    assert [(r["status"], r["created"]) for r in sandbox.audited("requests")] == [(500, [])]
    assert sandbox.audited() == []
    assert sandbox.create("calls", call_input()).status_code == 201


def test_a_request_that_is_not_whole_is_none(sandbox):
    head = "POST /crm/v3/objects/calls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n"
    with socket.create_connection((sandbox.base_url.host, sandbox.base_url.port)) as half:
        half.sendall(f'{head}Content-Length: 500\r\n\r\n{{"properties": '.encode())
        time.sleep(0.05)

    assert sandbox.get("/crm/v3/owners").status_code == 200
    assert [r["method"] for r in sandbox.audited("requests")] == ["GET"]
