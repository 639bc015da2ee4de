"""One e-mail -> the cells of its row: RFC 5322 and MIME as they are met, not as they should be.

Apart from where messages lie (`mailbox`, `folders`). Headers and charsets that lie are read by what their bytes are:
a message is history, and history is not rejected for a wrong label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from etl.read.gather import clean

#: The columns of mail. `to`, `cc`, `bcc`, `labels` and `attachments` hold one element a line.
NAMES = (
    "message_id", "date", "from_name", "from_email", "to", "cc", "bcc", "subject", "text", "html", "labels",
    "attachments", "in_reply_to", "thread_id", "auto_submitted", "file",
)  # fmt: skip
_HEADER = re.compile(rb"\A(?:[!-9;-~]+[ \t]*:|>?From )")
_FOLD = re.compile(r"[ \t]*\r?\n[ \t]*")


def cells(raw: bytes, file: str = "") -> tuple[str | None, ...] | None:
    """The cells of a message in the order of `NAMES`; None where its first line is no header.

    `date` is ISO in UTC; one that cannot be understood stays as it was written, for the mapping to refuse. Addresses are
    bare; a placeholder such as `undisclosed-recipients` is none.
    """
    raw = raw.lstrip(b"\r\n")
    if not _HEADER.match(raw):
        return None
    message = message_from_bytes(raw)
    name, address = next(iter(_addresses(message, "From")), ("", ""))
    text, html, attached = _bodies(message)
    found = (
        _one(message, "Message-ID"), _date(message), name, address,
        *("\n".join(dict.fromkeys(each for _, each in _addresses(message, who))) for who in ("To", "Cc", "Bcc")),
        _one(message, "Subject"), text, html, _labels(message), "\n".join(attached),
        _one(message, "In-Reply-To"), _one(message, "X-GM-THRID"), _automatic(message), file,
    )  # fmt: skip
    return tuple(clean(each) or None for each in found)


def _one(message: Message, name: str) -> str:
    return _decoded(_raw_header(message, name))


def _raw_header(message: Message, name: str) -> str:
    """A header unfolded; its bytes beyond ASCII read as UTF-8 or else as Windows' Western encoding."""
    found = message.get(name)
    value = next((raw for key, raw in message.raw_items() if key.lower() == name.lower()), "") if found else ""
    return _FOLD.sub(" ", _true_text(str(value).encode("ascii", "surrogateescape"))).strip() if value else ""


def _decoded(text: str) -> str:
    """Encoded words (RFC 2047) as text; what is no encoded word stays."""
    if "=?" not in text:
        return text
    try:
        parts = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    return "".join(
        part if isinstance(part, str) else _true_text(part, charset) if charset else _raw_unicode(part)
        for part, charset in parts
    ).strip()


def _raw_unicode(part: bytes) -> str:
    """`decode_header` gives text between encoded words in the escapes of its own bytes."""
    return part.decode("raw-unicode-escape", "replace")


def _addresses(message: Message, name: str) -> list[tuple[str, str]]:
    """Names and addresses; taken apart before encoded words are decoded, since those may hold commas."""
    found = getaddresses([_raw_header(message, name)])
    return [(_decoded(who), address.strip()) for who, address in found if "@" in address]


def _date(message: Message) -> str:
    text = _raw_header(message, "Date")
    try:
        found = parsedate_to_datetime(text)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)  # `-0000`: UTC, of an unknown zone
        return found.astimezone(UTC).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return text


def _labels(message: Message) -> str:
    """Gmail's labels, or the keywords of others."""
    text = _one(message, "X-Gmail-Labels") or _one(message, "X-Mozilla-Keys") or _one(message, "Keywords")
    parts = re.findall(r'"([^"]*)"|([^,]+)', text)
    return "\n".join(dict.fromkeys(each.strip() for pair in parts for each in pair if each.strip()))


def _automatic(message: Message) -> str:
    """What says that no person wrote it (RFC 3834, and what was usual before)."""
    said = _one(message, "Auto-Submitted").lower()
    precedence = _one(message, "Precedence").lower()
    if said and said != "no":
        return said
    if _raw_header(message, "X-Autoreply") or _raw_header(message, "X-Autorespond"):
        return "auto-replied"
    return precedence if precedence in ("bulk", "junk", "list", "auto_reply") else ""


def _bodies(message: Message) -> tuple[str, str, list[str]]:
    """The texts that are shown, plain and HTML, and the names of what is attached."""
    plain: list[str] = []
    html: list[str] = []
    attached: list[str] = []
    for part in _parts(message):
        kind = part.get_content_type()
        name = _file_name(part)
        shown = kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment"
        if shown and not (name and (plain if kind == "text/plain" else html)):
            (plain if kind == "text/plain" else html).append(_text(part))
        elif name or kind == "message/rfc822":
            attached.append(name or "message.eml")
    return "\n\n".join(filter(str.strip, plain)), "".join(html), attached


def _parts(message: Message) -> Iterator[Message]:
    """The parts that hold something, outermost first; a message within the message is one part."""
    waiting: list[Message] = [message]
    while waiting:
        part = waiting.pop(0)
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting[:0] = [each for each in part.get_payload() if isinstance(each, Message)]
        else:
            yield part


def _file_name(part: Message) -> str:
    try:
        return _decoded(part.get_filename() or "").replace("\n", " ").replace("\r", "")
    except (LookupError, ValueError, TypeError):
        return "unnamed"


def _text(part: Message) -> str:
    try:
        raw = part.get_payload(decode=True)
    except (ValueError, AssertionError):
        raw = None
    charset = part.get_content_charset()
    return _true_text(raw, charset).replace("\r\n", "\n") if isinstance(raw, bytes) else ""


def _true_text(raw: bytes, charset: str | None = None) -> str:
    """Text by its charset, unless its bytes show that they are something else."""
    if raw.isascii() and not (charset or "").lower().startswith(("iso-2022", "utf-7", "utf-16", "hz")):
        return raw.decode("ascii")
    latin = (charset or "us-ascii").lower() in ("us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1", "unknown-8bit")
    for encoding in ("utf-8", "cp1252") if latin else (charset or "", "utf-8", "cp1252"):
        try:
            return raw.decode(encoding)
        except (LookupError, ValueError):
            continue
    return raw.decode("latin-1")
