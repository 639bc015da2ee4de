"""Values and links that are put in their places later than their objects: nobody can tell, not even after a kill."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from etl.sandbox import store as store_module
from etl.sandbox.schema import Held, Link
from etl.sandbox.store import Store, open_store
from tests.sandbox.conftest import KEY_PROPERTY, call_input

CREATE = "/crm/v3/objects/calls"


def call(number: int, key: str) -> Held:
    return Held("calls", number, 1, 1, 1, True, False, {"hs_unique_id": key}, 0)


def linked(number: int) -> Link:
    return Link("calls", number, "contacts", 101)


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "sandbox.sqlite")
    yield opened
    opened.close()


def insert(store: Store, *numbers: int) -> None:
    store.begin()
    store.insert([call(n, f"Key-{n}") for n in numbers], [linked(n) for n in numbers])
    store.commit()
    store.keep()


def far_ends(store: Store) -> list[int]:
    store.settle()
    return [a.to_id for a in store.links("contacts", [101]).get(101, [])]


def test_a_value_is_taken_before_and_after_its_move(store):
    insert(store, 1, 2)
    assert store.by_value("calls", "hs_unique_id", ["KEY-1", "key-2"]) == {"key-1": [1], "key-2": [2]}

    store.settle()
    insert(store, 3)
    store.begin()
    store.insert([call(4, "key-1")])  # the same value again, as long as nobody says that it is unique
    store.commit()

    assert store.by_value("calls", "hs_unique_id", ["key-1", "key-3"]) == {"key-1": [1, 4], "key-3": [3]}


def test_what_waits_outlives_the_process(tmp_path):
    path, (told, tell) = tmp_path / "sandbox.sqlite", os.pipe()
    if (child := os.fork()) == 0:
        insert(open_store(path), 1, 2)
        os.write(tell, b"kept")
        os.kill(os.getpid(), 9)
    os.read(told, 4)
    os.waitpid(child, 0)

    again = open_store(path)
    assert again.by_value("calls", "hs_unique_id", ["key-2"]) == {"key-2": [2]}
    assert far_ends(again) == [1, 2]
    again.close()


def test_a_rollback_takes_back_what_waited_and_what_was_moved(store):
    insert(store, 1)
    store.begin()
    store.insert([call(2, "key-2")], [linked(2)])
    store.update(call(1, "key-9"))  # moves what waits
    store.rollback()

    assert store.by_value("calls", "hs_unique_id", ["key-1", "key-2", "key-9"]) == {"key-1": [1]}
    assert far_ends(store) == [1]


def test_many_that_wait_are_moved_without_being_asked_for(store, monkeypatch):
    monkeypatch.setattr(store_module, "MOST", 3)
    for number in range(1, 8):
        insert(store, number)

    with closing(sqlite3.connect(store.path)) as db:
        assert db.execute("SELECT count(*) FROM late_link").fetchone()[0] < 4
    assert far_ends(store) == list(range(1, 8))
    assert store.by_value("calls", "hs_unique_id", [f"key-{n}" for n in range(1, 8)]).keys() == {
        f"key-{n}" for n in range(1, 8)
    }


def test_every_way_to_ask_sees_what_was_created_just_before(sandbox):
    sandbox.post("/crm/v3/properties/calls", json=KEY_PROPERTY)
    made = [
        sandbox.create("calls", call_input(to=101, etl_import_key=f"K{n}")).json()["results"][0]["id"] for n in range(2)
    ]

    assert sandbox.create("calls", call_input(etl_import_key="k0")).status_code == 400  # taken, in any case
    assert sandbox.get(f"{CREATE}/K1?idProperty=etl_import_key").json()["id"] == made[1]
    sandbox.create("calls", call_input(to=101, etl_import_key="K2"))
    listed = sandbox.get("/engagements/v1/engagements/associated/CONTACT/101/paged").json()["results"]
    assert len(listed) == 3
    sandbox.create("calls", call_input(to=101, etl_import_key="K3"))
    upserted = {"inputs": [{"id": "K3", "idProperty": "etl_import_key", "properties": {"hs_call_title": "again"}}]}
    assert [r["new"] for r in sandbox.post(f"{CREATE}/batch/upsert", json=upserted).json()["results"]] == [False]
    assert "K3" in sandbox.get("/search?q=K3").text
    assert len(sandbox.get("/crm/v4/objects/contacts/101/associations/calls").json()["results"]) == 4
