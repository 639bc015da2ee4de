"""What happened to one record, and the runs that can be taken back."""

from __future__ import annotations

from pathlib import Path

from tests.change.conftest import Cli, Write, held
from tests.change.test_undo import undo
from tests.change.test_update import WIRES, run


@WIRES
def test_a_record_is_found_by_its_source_id_its_key_and_its_id_in_the_account(
    cli: Cli, url: str, api: str, write: Write
):
    write(range(5))
    run(cli, url, api)
    write(range(5), {3: "new"})
    run(cli, url, api, "--update-changed")
    remote_id = str(held(url)["Call 3"]["engagement"]["id"])

    [record] = cli("show", remote_id, "--json").json["records"]

    assert (record["state"], record["remote_id"], record["line"], record["type"]) == ("created", remote_id, 5, "CALL")
    assert record["cells"]["text"] == "new"
    assert [change["what"] for change in record["changes"]] == ["update"]
    assert [request["verdict"] for request in record["requests"]] == ["done", "done"]
    assert cli("show", record["key"], "--json").json["records"] == [record]
    assert cli("show", "3", "--json").json["records"] == [record]
    assert "text" in cli("show", "3").out


def test_what_was_taken_back_is_found_by_its_former_id(cli: Cli, url: str, write: Write):
    write(range(2))
    run(cli, url, "objects")
    remote_id = str(held(url)["Call 1"]["engagement"]["id"])
    undo(cli, url, "objects", "last", "--yes")
    [record] = cli("show", remote_id, "--json").json["records"]
    assert (record["state"], record["remote_id"], record["former_id"]) == ("undone", "", remote_id)
    assert record["changes"][0]["what"] == "archive"


def test_what_no_checkpoint_knows_is_said(cli: Cli, url: str, write: Write):
    write(range(2))
    run(cli, url, "objects")
    said = cli("show", "nobody")
    assert said.code == 66
    assert "No checkpoint here knows nobody" in said.err


def test_status_names_the_runs(cli: Cli, url: str, write: Write):
    write(range(2))
    run(cli, url, "objects")
    [runs] = [found["runs"] for found in cli("status", "--json").json["checkpoints"]]
    assert [one["created"] for one in runs] == [2]
    assert undo(cli, url, "objects", runs[0]["run"])["archive"] == {"CALL": 2}


def test_a_line_of_the_file_is_found_whether_its_row_was_sent_or_refused(cli: Cli, url: str, write: Write):
    write(range(3), who={1: 99})
    Path("m.yaml").write_text(Path("m.yaml").read_text().replace("park, park_for: 2d", "reject"))
    run(cli, url, "objects", "--max-rejects", "100%", code=3)

    [sent] = cli("show", "in.csv:2", "--json").json["records"]
    assert (sent["state"], sent["line"]) == ("created", 2)
    [refused] = cli("show", "in.csv:3", "--json").json["records"]
    assert (refused["state"], [each["code"] for each in refused["problems"]]) == ("rejected", ["not_found"])
    assert refused["cells"] == {**sent["cells"], **refused["cells"]}
    assert cli("show", "1", "--json").json["records"] == [refused]
    said = cli("show", f"{Path('in.csv').absolute().parent.name}/in.csv:3")
    assert said.code == 66
    assert "not_found" in cli("show", "in.csv:3").out
    assert cli("show", "in.csv:99").code == 66


def test_a_refused_row_whose_own_id_looks_like_a_line_is_found_by_it(cli: Cli, url: str, write: Write):
    write(range(3), who={1: 99})
    Path("m.yaml").write_text(Path("m.yaml").read_text().replace("park, park_for: 2d", "reject"))
    rows = Path("in.csv").read_text().splitlines()
    Path("in.csv").write_text("\n".join([rows[0], rows[1], f"A:{rows[2]}", rows[3]]) + "\n")
    run(cli, url, "objects", "--max-rejects", "100%", code=3)

    [refused] = cli("show", "A:1", "--json").json["records"]
    assert (refused["state"], refused["line"]) == ("rejected", 3)
