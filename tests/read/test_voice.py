"""Pages of a Google Voice archive."""

from __future__ import annotations

from pathlib import Path

from etl.mapping.model import Source
from etl.read import read, voice

CALL = """<html><head><title>{kind} from
Bob Buyer</title></head><body><div class="haudio"><span class="fn">{kind} from Bob Buyer</span>
<div class="contributor vcard">{kind} from
<a class="tel" href="tel:%2B12065550123"><span class="fn">Bob &amp; Buyer</span></a></div>
<abbr class="published" title="2025-03-14T09:30:00.000-07:00">Mar 14</abbr>
{more}<div class="tags">Labels:
<a rel="tag" href="http://www.google.com/voice#x">{kind}</a>, <a rel="tag" href="x">Inbox</a></div></div></body></html>"""
MESSAGE = """<div class="message"><abbr class="dt" title="2025-03-14T09:3{n}:00.000-07:00">x</abbr>:
<cite class="sender vcard"><a class="tel" href="tel:{phone}">{who}</a></cite>: <q>{words}</q></div>"""


def cells(page: str, file: str = "a.html") -> list[dict[str, str | None]]:
    return [dict(zip(voice.NAMES, row, strict=True)) for row in voice.rows(page.encode(), file)]


def test_a_call_has_its_kind_time_length_and_other_side() -> None:
    (row,) = cells(CALL.format(kind="Received", more='<abbr class="duration" title="PT1H2M5S">(1:02:05)</abbr>'))

    assert row == {
        "kind": "Received", "time": "2025-03-14T09:30:00.000-07:00", "duration": "3725", "name": "Bob & Buyer",
        "phone": "+12065550123", "sender": None, "text": None, "attachments": None, "labels": "Received\nInbox",
        "file": "a.html",
    }  # fmt: skip


def test_a_voicemail_has_its_transcript_and_sound() -> None:
    more = '<span class="full-text">Hi,<br/>call me.</span><audio><a rel="enclosure" href="v.mp3">Audio</a></audio>'
    (row,) = cells(CALL.format(kind="Voicemail", more=more))

    assert (row["text"], row["attachments"]) == ("Hi,\ncall me.", "v.mp3")


def test_each_message_of_a_conversation_is_a_row_with_the_others_number() -> None:
    me, bob = '<abbr class="fn" title="">Me</abbr>', '<span class="fn">Bob</span>'
    page = "<title>Me to\nBob</title>" + "".join(
        MESSAGE.format(n=n, phone=phone, who=who, words=words)
        for n, (phone, who, words) in enumerate(
            [("+12065550100", me, "Hello"), ("+12065550123", bob, "1 &lt; 2<br>ok")]
        )
    )

    rows = cells(page)

    assert [(r["kind"], r["sender"], r["name"], r["phone"], r["text"]) for r in rows] == [
        ("Text", "me", "Bob", "+12065550123", "Hello"),
        ("Text", "Bob", "Bob", "+12065550123", "1 < 2\nok"),
    ]
    assert cells(page.replace("+12065550123", "").replace(bob, me))[0]["name"] == "Bob"


def test_a_folder_of_pages_is_one_input_and_what_is_no_record_is_a_reject(tmp_path: Path) -> None:
    (tmp_path / "Calls").mkdir()
    (tmp_path / "Calls" / "Bob - Missed - 2025.html").write_text(CALL.format(kind="Missed", more=""), encoding="utf-8")
    (tmp_path / "Calls" / "archive.html").write_text("<html>index</html>", encoding="utf-8")

    (chunk,) = read(tmp_path, Source(format="google_voice"))

    assert chunk.frame["kind"].tolist() == ["Missed"]
    assert [(reject.line, reject.problems[0].code) for reject in chunk.rejects] == [(2, "unreadable_row")]
