"""The same mail as mailboxes, message traces and another CRM's exports write it, with its traps."""

from __future__ import annotations

import csv
import quopri
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import NamedTuple

from generator.portal import Contact, Portal
from generator.systems import ZONE, table, wall

_SUBJECTS = ("Offer for the annual plan", "Re: Offer for the annual plan", "Minutes of today", "Angebot für März", "Question, urgent",
             "Automatic reply: Offer", "Contract & annex", "", "Re: Contract & annex", "Thanks!", "Invoice 4711", "Lunch?")  # fmt: skip
NOBODY = "000000000000000AAA"


class Letter(NamedTuple):
    """One e-mail between Ann of example.com and somebody of the portal."""

    n: int
    at: datetime
    sent: bool
    contact: Contact
    subject: str
    text: str

    @property
    def ours(self) -> str:
        """Our address."""
        return "ada@example.com"

    @property
    def name(self) -> str:
        """The other's name."""
        return f"{self.contact.first} {self.contact.last}"

    @property
    def id(self) -> str:
        """The Message-ID."""
        return f"<m{self.n}.20250313@mail.example.com>"


def letter_samples(portal: Portal) -> dict[str, str | bytes]:
    """File -> content."""
    letters = letters_with(portal)
    samples: dict[str, str | bytes] = {
        "mailbox/archive.mbox": _mbox(letters, "From {address} {at:%a %b %d %H:%M:%S %Y}"),
        "gmail-takeout/All mail.mbox": _gmail(letters),
        "thunderbird/Inbox.mbox": _thunderbird(letters),
        "exchange/trace.csv": _trace(letters).encode("utf-16-le"),
        "salesforce/EmailMessage.csv": _email_messages(letters),
        "eml/broken.eml": b"this is no message\n",
    }
    return samples | {f"eml/{letter.n:02}.eml": _message(letter) for letter in letters[:8]}


def letters_with(portal: Portal) -> list[Letter]:
    """Twelve letters, from us and to us in turn."""
    return [_letter(portal, n) for n in range(len(_SUBJECTS))]


def _letter(portal: Portal, n: int) -> Letter:
    people = [c for c in portal.contacts[10:60] if c.email]
    at = datetime(2025, 3, 13, 8, 30, 10, tzinfo=ZONE) + timedelta(hours=3 * n, minutes=n)
    text = f"Hello,\n\nthis is letter {n}: 1 < 2 & 3 > 2.\n\nFrom here on it is small talk.\n" + (
        "Grüße, bis März €\n" if n == 3 else ""
    )
    return Letter(n, at, n % 2 == 0, people[n // 2 * 2], _SUBJECTS[n], text)


def _message(letter: Letter) -> bytes:
    """Plain, quoted-printable, both kinds of body, or with a file attached, in turn."""
    other = letter.contact.email
    sender, to = (f"Ada Abara <{letter.ours}>", f'"{letter.contact.last}, {letter.contact.first}" <{other}>')
    if not letter.sent:
        sender, to = to, sender
    head = [
        f"Message-ID: {letter.id}",
        f"Date: {format_datetime(letter.at)}",
        f"From: {_word(sender)}",
        f"To: {_word(to)}",
    ]
    head += (
        ["Cc: undisclosed-recipients:;"]
        if letter.n == 2
        else ["Cc: Cleo <cleo@example.org>,\n\tdan@example.org"]
        if letter.n == 6
        else []
    )
    head += [f"Subject: {_word(letter.subject)}", "MIME-Version: 1.0"]
    head += ["Auto-Submitted: auto-replied"] if letter.n == 5 else []
    body = letter.text
    if letter.n % 4 == 0:
        return _joined(head, f"Content-Type: text/plain; charset={'us-ascii' if letter.n else 'utf-8'}", body.encode())
    if letter.n % 4 == 3:
        lies = "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable"
        return _joined(head, lies, quopri.encodestring(body.encode("cp1252")))
    html = (
        "<p>" + body.replace("&", "&amp;").replace("<", "&lt;").replace("\n\n", "</p><p>") + "</p><script>x()</script>"
    )
    parts = [
        b"Content-Type: text/plain; charset=utf-8\n\n" + body.encode(),
        b"Content-Type: text/html; charset=utf-8\n\n" + html.encode(),
    ]
    kind = "alternative"
    if letter.n % 4 == 2:
        kind = "mixed"
        parts[1] = b'Content-Type: application/pdf; name="Angebot.pdf"\nContent-Disposition: attachment; filename="=?utf-8?q?Angebot_M=C3=A4rz=2Epdf?="\n' + (
            b"Content-Transfer-Encoding: base64\n\n" + b64encode(b"%PDF-1.4 no more"))  # fmt: skip
    inner = b"".join(b"--b\n" + part + b"\n" for part in parts) + b"--b--\n"
    return _joined(head, f'Content-Type: multipart/{kind}; boundary="b"', inner)


def _joined(head: list[str], kind: str, body: bytes) -> bytes:
    return "\n".join([*head, kind, "", ""]).encode() + body


def _word(text: str) -> str:
    """Encoded as e-mail headers are, where it must be; the address stays."""
    if text.isascii():
        return text
    name, sep, address = text.partition(" <")
    return f"=?utf-8?B?{b64encode(name.encode()).decode()}?={sep}{address}"


def _mbox(letters: list[Letter], line: str) -> bytes:
    """Lines that begin with `From ` are marked, as they should be."""
    parts = []
    for letter in letters:
        sender = letter.ours if letter.sent else letter.contact.email
        body = _message(letter).replace(b"\nFrom ", b"\n>From ")
        parts.append(line.format(address=sender, at=letter.at.astimezone(UTC)).encode() + b"\n" + body + b"\n\n")
    return b"".join(parts)


def _gmail(letters: list[Letter]) -> bytes:
    """Labels in the account's own words, one of them spam, one a chat."""
    labels = {1: "Spam", 4: "Chat", 6: "=?UTF-8?Q?Wichtig,Geschäft?=".replace("ä", "=C3=A4")}
    parts = []
    for letter in letters:
        head = f"From 18{letter.n:017}@xxx {letter.at.astimezone(UTC):%a %b %d %H:%M:%S +0000 %Y}\nX-GM-THRID: 18{letter.n // 2:016}\n"
        head += f"X-Gmail-Labels: {labels.get(letter.n, 'Inbox,Opened')}\n"
        parts.append(
            head.encode() + _message(letter).replace(b"\n", b"\r\n").replace(b"\r\nFrom ", b"\r\n>From ") + b"\r\n\r\n"
        )
    return b"".join(parts)


def _thunderbird(letters: list[Letter]) -> bytes:
    """Separators without an address; lines `From ...` in bodies unmarked; a draft; a message without an id."""
    parts = []
    for letter in letters:
        body = _message(letter)
        if letter.n == 9:
            body = body.replace(f"Message-ID: {letter.id}\n".encode(), b"")
        parts.append(f"From - {letter.at:%a %b %d %H:%M:%S %Y}\nX-Mozilla-Status: 0001\n".encode() + body + b"\n")
    return b"".join(parts) + b"From - \nFrom: ada@example.com\nSubject: never finished\n\nno date yet\n"


def _trace(letters: list[Letter]) -> str:
    head = ("origin_timestamp_utc", "sender_address", "recipient_status", "message_subject", "total_bytes", "message_id", "network_message_id",
            "original_client_ip", "directionality", "connector_id", "delivery_priority")  # fmt: skip
    rows = []
    for letter in letters:
        sender, to = (letter.ours, letter.contact.email) if letter.sent else (letter.contact.email, letter.ours)
        status = f"{to}##Receive, Deliver" + (";cleo@example.org##Receive, Fail" if letter.n == 6 else "")
        rows.append([wall(letter.at.astimezone(UTC), "%Y-%m-%dT%H:%M:%S.0000000Z"), sender, status, letter.subject, 5000 + letter.n, letter.id, "", "192.0.2.7",
                     "Originating" if letter.sent else "Incoming", "", "Normal"])  # fmt: skip
    rows.append(
        [
            "2025-03-14T12:00:00Z",
            "",
            "ada@example.com##Receive, Deliver",
            "no sender",
            9,
            "<m99@mail.example.com>",
            "",
            "",
            "Incoming",
            "",
            "Normal",
        ]
    )
    return table([head, *rows], end="\r\n")


def _email_messages(letters: list[Letter]) -> str:
    head = ("Id", "ParentId", "ActivityId", "CreatedDate", "TextBody", "HtmlBody", "Subject", "FromName", "FromAddress", "ToAddress", "CcAddress", "BccAddress",
            "Incoming", "HasAttachment", "Status", "MessageDate", "IsDeleted", "MessageIdentifier", "ThreadIdentifier", "RelatedToId", "IsTracked")  # fmt: skip
    rows = []
    for letter in letters:
        at = wall(letter.at.astimezone(UTC))
        mine, theirs = ("Ada Abara", letter.ours), (letter.name, letter.contact.email)
        sender, to = (mine, theirs) if letter.sent else (theirs, mine)
        html = f"<p>{letter.subject}</p><script>x()</script>" if letter.n % 3 == 0 else ""
        rows.append([f"02s5f000000000{letter.n:X}AAA", NOBODY, NOBODY, at, letter.text, html, letter.subject, *sender, to[1] + ("; cleo@example.org" if letter.n == 6 else ""),
                     "", "", int(not letter.sent), 0, 5 if letter.n == 8 else 3, at, int(letter.n == 10), letter.id, "", "0065f0000000000AAA" if letter.n == 2 else NOBODY, 0])  # fmt: skip
    rows.append(
        [
            "02s5f00000000ffAAA",
            NOBODY,
            NOBODY,
            "",
            "x",
            "",
            "no date",
            "Ada",
            "ada@example.com",
            "nobody",
            "",
            "",
            0,
            0,
            3,
            "2025-03-14 25:00:00",
            0,
            "",
            "",
            "",
            0,
        ]
    )
    return table([head, *rows], quoting=csv.QUOTE_ALL)
