"""Mailboxes and messages as they are met: folded, encoded, nested, lying about their charset, cut off."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pandas as pd
import pytest

from etl.errors import ContentError, InputError
from etl.mapping.model import Source
from etl.read import header, mailbox, message, read

MBOX = Source(format="mbox")


def cells(raw: bytes) -> dict[str, str | None]:
    found = message.cells(raw)
    assert found is not None
    return dict(zip(message.NAMES, found, strict=True))


def mails(path: Path, content: bytes) -> pd.DataFrame:
    path.write_bytes(content)
    return pd.concat([chunk.frame for chunk in read(path, MBOX)], ignore_index=True)


def test_headers_are_unfolded_decoded_and_taken_apart() -> None:
    found = cells(
        b"Message-ID: <m1@mail.example.com>\r\n"
        b"Date: Tue, 4 Mar 2025 09:30:00 -0500 (EST)\r\n"
        b"From: =?utf-8?B?" + b"TMOpYSwgQW5u" + b"?= <ann@example.com>\r\n"
        b'To: "Buyer, Bob" <bob@example.org>,\r\n\tcleo@example.org (Cleo)\r\n'
        b"Cc: undisclosed-recipients:;\r\n"
        b"Subject: =?iso-8859-1?Q?Angebot_f=FCr?=\r\n =?iso-8859-1?Q?_M=E4rz?=\r\n\r\nHello\r\nyou\r\n"
    )

    assert found["message_id"] == "<m1@mail.example.com>"
    assert found["date"] == "2025-03-04T14:30:00+00:00"
    assert (found["from_name"], found["from_email"]) == ("Léa, Ann", "ann@example.com")
    assert found["to"] == "bob@example.org\ncleo@example.org"
    assert found["cc"] is None
    assert found["subject"] == "Angebot für März"
    assert found["text"] == "Hello\nyou\n"


@pytest.mark.parametrize(
    ("charset", "raw"),
    [
        ("us-ascii", "Grüße - €".encode()),
        ("iso-8859-1", "Grüße - €".encode("cp1252")),
        ("iso-8859-1", "Grüße - €".encode()),
        ("no-such-charset", "Grüße - €".encode()),
        ("utf-8", "Grüße - €".encode("cp1252")),
        ("windows-1252", "Grüße - €".encode("cp1252")),
    ],
)
def test_charsets_that_lie_are_seen_through(charset: str, raw: bytes) -> None:
    mail = b"From: a@example.com\nContent-Type: text/plain; charset=" + charset.encode() + b"\n\n" + raw

    assert cells(mail)["text"] == "Grüße - €"


def test_raw_bytes_in_a_header_are_text() -> None:
    assert cells("Subject: Grüße\n\nx".encode())["subject"] == "Grüße"
    assert cells("Subject: Grüße\n\nx".encode("cp1252"))["subject"] == "Grüße"


def test_parts_are_told_into_text_html_and_names_of_what_is_attached() -> None:
    inner = EmailMessage()
    inner["Subject"] = "old"
    inner.set_content("not shown")
    mail = EmailMessage()
    mail["From"] = "ann@example.com"
    mail.set_content("plain")
    mail.add_alternative("<p>rich</p>", subtype="html")
    mail.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo>", filename="logo.png")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Angebot März.pdf")
    mail.add_attachment("a,b", subtype="plain", filename="list.txt")
    mail.add_attachment(inner)

    found = cells(mail.as_bytes())

    assert (found["text"], found["html"]) == ("plain\n", "<p>rich</p>\n")
    assert found["attachments"] == "logo.png\nAngebot März.pdf\nlist.txt\nmessage.eml"


def test_a_date_that_is_none_stays_for_the_mapping_to_refuse() -> None:
    assert cells(b"Date: sometime\n\nx")["date"] == "sometime"
    assert cells(b"Subject: x\n\nx")["date"] is None
    assert cells(b"Date: Tue, 4 Mar 2025 09:30:00 -0000\n\nx")["date"] == "2025-03-04T09:30:00+00:00"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"Auto-Submitted: auto-replied", "auto-replied"),
        (b"Auto-Submitted: no", None),
        (b"X-Autoreply: yes", "auto-replied"),
        (b"Precedence: bulk", "bulk"),
        (b"Precedence: first-class", None),
    ],
)
def test_what_no_person_wrote_says_so(line: bytes, said: str | None) -> None:
    assert cells(line + b"\n\nx")["auto_submitted"] == said


def test_gmail_labels_are_a_list() -> None:
    raw = b'X-Gmail-Labels: =?UTF-8?Q?Recibidos,"a,_b",M=C3=A4rz?=\nX-GM-THRID: 17\n\nx'

    assert cells(raw)["labels"] == "Recibidos\na, b\nMärz"
    assert cells(raw)["thread_id"] == "17"


def test_only_lines_that_look_like_separators_begin_a_message(tmp_path: Path) -> None:
    content = (
        b"From - Tue Mar 04 09:30:00 2025\nSubject: one\n\nFilm of the day:\n\nFrom Russia with love\n\n"
        b">From now on it is quoted\n>>From here too\n\nFrom here it goes on: at 10:00\nand on.\n\n"
        b"From ann@example.com Tue Mar  4 09:31:00 2025\r\nSubject: two\r\n\r\nx\r\n\r\n"
        b"From 16469@xxx Wed Oct 09 12:00:00 +0000 2013\nSubject: three\n\nno empty line follows\n"
        b"From - \nSubject: four\n\nx\n"
    )
    path = tmp_path / "a.mbox"
    found = mails(path, content)

    assert found["subject"].tolist() == ["one", "two", "three", "four"]
    assert "From Russia with love\n\nFrom now on it is quoted\n>From here too" in found["text"][0]
    (chunk,) = read(path, MBOX)
    assert chunk.lines.tolist() == [1, 14, 19, 23]


def test_messages_do_not_depend_on_where_pieces_of_the_file_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = b"From ann@example.com Tue Mar  4 09:31:00 2025\nSubject: %d\n\nbody\n\nFrom me\n\n"
    path = tmp_path / "a.mbox"
    path.write_bytes(b"".join(one % number for number in range(300)))
    whole = [(chunk.frame.to_csv(), chunk.lines.tolist()) for chunk in read(path, MBOX)]

    for piece in (1, 7, 64, 1000):
        monkeypatch.setattr(mailbox, "_PIECE", piece)
        assert [(chunk.frame.to_csv(), chunk.lines.tolist()) for chunk in read(path, MBOX)] == whole


def test_a_message_that_is_too_long_is_a_reject_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MESSAGE_BYTES", 10_000)
    monkeypatch.setattr(mailbox, "_PIECE", 4_096)
    start = b"From ann@example.com Tue Mar  4 09:31:00 2025\n"
    path = tmp_path / "a.mbox"
    path.write_bytes(start + b"Subject: one\n\n" + b"x" * 70 + b"\n" * 60_000 + start + b"Subject: two\n\nx\n")

    (chunk,) = read(path, MBOX)

    assert [(reject.line, reject.problems[0].code) for reject in chunk.rejects] == [(1, "unreadable_row")]
    assert chunk.frame["subject"].tolist() == ["two"]
    assert chunk.lines.tolist() == [path.read_bytes().count(b"\n", 0, path.read_bytes().rfind(start)) + 1]


def test_what_is_no_mailbox_is_refused_and_an_empty_one_is_an_alarm(tmp_path: Path) -> None:
    path = tmp_path / "a.mbox"
    path.write_text("Subject: one\n\nx\n")
    with pytest.raises(ContentError, match="no mbox") as caught:
        header(path, MBOX)
    assert caught.value.code == "not_mbox"
    path.write_text("\n\n")
    with pytest.raises(InputError, match="only empty lines"):
        list(read(path, MBOX))
