"""File uploads: what is asked for, what is answered, and that files are no engagements."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest

FILES = "/files/v3/files"
PRIVATE = orjson.dumps({"access": "PRIVATE"}).decode()


def send(sandbox, content=b"hello", name="Report final.PDF", at=FILES, options=PRIVATE, **fields):
    fields = {"folderPath": "/imports/2026"} | fields | ({"options": options} if options is not None else {})
    return sandbox.post(
        at, files={"file": (name, content, "application/pdf")}, data={k: v for k, v in fields.items() if v}
    )


@pytest.mark.parametrize("at", [FILES, "/files/2026-03/files", "/files/2026-09/files"])
def test_an_upload_is_answered_with_what_the_account_tells_about_it(sandbox, at):
    answer = send(sandbox, at=at)

    assert answer.status_code == 201
    got = answer.json()
    assert (got["name"], got["extension"], got["type"], got["size"]) == ("Report final", "pdf", "DOCUMENT", 5)
    assert (got["path"], got["access"], got["archived"]) == ("/imports/2026/Report final.PDF", "PRIVATE", False)
    assert got["id"].isdigit()
    assert got["parentFolderId"].isdigit()
    assert got["url"].endswith(got["path"])
    assert sandbox.get(f"{at}/{got['id']}").json() == got


def test_uploads_are_requests_but_no_engagements(sandbox):
    send(sandbox)

    assert sandbox.audited() == []
    line = sandbox.audited("requests")[-1]
    assert (line["method"], line["path"], line["status"], line["created"]) == ("POST", FILES, 201, [])
    assert sandbox.get("/__sandbox").json()["engagements"] == 0


def test_an_uploaded_file_is_attached_to_a_note_by_its_id(sandbox):
    file_id = send(sandbox).json()["id"]

    note = sandbox.create("notes", {"properties": {"hs_timestamp": "1772357400000", "hs_attachment_ids": file_id}})

    made = note.json()["results"][0]["id"]
    assert sandbox.get(f"/engagements/v1/engagements/{made}").json()["attachments"] == [{"id": int(file_id)}]
    assert int(made) > int(file_id)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"options": None}, "options"),
        ({"options": "{}"}, "options.access is required"),
        ({"options": "[1]"}, "options"),
        ({"options": '{"access":"SECRET"}'}, "was 'SECRET'"),
        ({"options": '{"access":"PRIVATE","ttl":"P2Y"}'}, "a day to a year"),
        ({"options": '{"access":"PRIVATE","ttl":7}'}, "a day to a year"),
        ({"options": '{"access":"PRIVATE","duplicateValidationStrategy":"ASK"}'}, "duplicateValidationStrategy"),
        ({"folderPath": ""}, "one of folderId and folderPath"),
        ({"folderId": "7"}, "one of folderId and folderPath"),
        ({"folderPath": "/a/../b"}, "no path"),
        ({"folderPath": "", "folderId": "x"}, "no id"),
        ({"name": "a\\b"}, "no name of a file"),
    ],
)
def test_a_form_that_lacks_something_is_refused_with_the_reason(sandbox, fields, why):
    answer = send(sandbox, **fields)

    assert answer.status_code == 400
    assert why in answer.json()["message"]
    assert answer.json()["category"] == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b"--x\r\n",
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nhello',
        b"--x\r\n\r\nhello\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\nhello\r\n--x--\r\n',
        b"--\r\n----\r\n",
    ],
)
def test_a_body_that_is_no_form_is_refused(sandbox, body):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    assert sandbox.post(FILES, content=body, headers=headers).status_code == 400


def test_json_is_no_upload(sandbox):
    assert sandbox.post(FILES, json={}).status_code == 415


def test_bytes_are_counted_and_digested_as_they_came(sandbox, tmp_path: Path):
    content = b"\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n\r\r\n\x00\xff" + bytes(range(256))

    got = send(sandbox, content=content, name="mail.eml").json()

    with closing(sqlite3.connect(tmp_path / "sandbox.sqlite")) as db:
        rows = db.execute("SELECT sha256 FROM file").fetchall()
    assert got["size"] == len(content)
    assert rows == [(hashlib.sha256(content).hexdigest(),)]


def test_twenty_mebibytes_are_taken_and_no_more(sandbox):
    most = 20 * 1024 * 1024

    assert send(sandbox, content=b"x" * most).json()["size"] == most
    assert send(sandbox, content=b"x" * (most + 1)).status_code == 400


def test_a_name_is_taken_once_unless_it_is_overwritten(sandbox):
    first, second = send(sandbox).json(), send(sandbox, content=b"other").json()
    over = send(sandbox, content=b"longer than before", options='{"access":"PRIVATE","overwrite":true}').json()

    assert (second["name"], second["id"] != first["id"]) == ("Report final-1", True)
    assert (over["id"], over["size"], over["path"]) == (first["id"], 18, first["path"])


def test_duplicates_are_rejected_or_answered_when_that_is_asked_for(sandbox):
    first = send(sandbox).json()["id"]

    def again(strategy, scope, folder="/imports/2026"):
        asked = {"access": "PRIVATE", "duplicateValidationStrategy": strategy, "duplicateValidationScope": scope}
        return send(sandbox, name="other.pdf", options=orjson.dumps(asked).decode(), folderPath=folder)

    assert again("REJECT", "EXACT_FOLDER").status_code == 409
    assert again("RETURN_EXISTING", "EXACT_FOLDER").json()["id"] == first
    assert again("RETURN_EXISTING", "ENTIRE_PORTAL", "/elsewhere").json()["id"] == first
    assert again("RETURN_EXISTING", "EXACT_FOLDER", "/elsewhere").json()["id"] != first
    assert again("NONE", "EXACT_FOLDER").json()["id"] != first


def test_a_deleted_file_is_gone(sandbox):
    file_id = send(sandbox).json()["id"]

    assert sandbox.delete(f"{FILES}/{file_id}").status_code == 204
    assert sandbox.get(f"{FILES}/{file_id}").status_code == 404
    assert sandbox.delete(f"{FILES}/{file_id}").status_code == 204


def test_names_beyond_ascii_and_given_names_are_kept(sandbox):
    assert send(sandbox, name="Größe.txt").json()["name"] == "Größe"
    given = send(sandbox, fileName="call-17").json()
    assert (given["name"], given["extension"]) == ("call-17", "pdf")
