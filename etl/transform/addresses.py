"""E-mail addresses, domains and the names beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import getaddresses
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from etl.columns.arrays import Column, as_mask, flat, lists, lost, per_distinct, replaced, to_text, to_texts
from etl.transform.frame import Frame

#: Addresses that need no second look: plain ASCII, no quotes, labels without dashes at their ends.
_PLAIN = (
    r"^[a-z0-9_+&'*/=?^{}~!#$%|-]+(\.[a-z0-9_+&'*/=?^{}~!#$%|-]+)*"
    r"@([a-z0-9]([a-z0-9]|-[a-z0-9])*\.)+[a-z]{2,18}$"
)
#: RFC 5321: a local part has at most 64 characters; no plain address of this length breaks another limit.
_LONGEST_PLAIN = 64


def to_email(frame: Frame, column: Column, label: str) -> Column:
    """`as: email`: one address, lower case, also out of ``Name <address>``."""
    texts = to_text(column)
    lower = pc.utf8_lower(texts)
    plain = pc.and_(pc.match_substring_regex(lower, _PLAIN), pc.less_equal(pc.binary_length(lower), _LONGEST_PLAIN))
    rest = ~as_mask(plain) & as_mask(texts.is_valid())
    made = (
        replaced(lower, rest, per_distinct(texts.filter(pa.array(rest)), email, pa.string())) if rest.any() else lower
    )
    odd = lost(made, texts)
    frame.refuse(odd, "bad_email", label, texts, "expected an e-mail address")
    return Column("text", made)


def to_emails(frame: Frame, column: Column, label: str) -> Column:
    """`as: emails`: every address of the text (separated by commas, semicolons or lines), or of each text of a list."""
    values, owners = flat(to_texts(column))
    coded = values.dictionary_encode()
    found = [emails(value) for value in coded.dictionary.to_pylist()]
    bad = pa.array([each is None for each in found], pa.bool_()).take(coded.indices)
    for place in as_mask(bad).nonzero()[0].tolist():
        row = frame.rows[owners[place : place + 1]]
        frame.problems.add(row, "bad_email", label, values.slice(place, 1), "expected e-mail addresses")
    each_list = pa.array(found, pa.list_(pa.string())).take(coded.indices)
    inner, places = flat(each_list)
    return Column("texts", lists(inner, owners[places], len(column.array)))


def to_domain(frame: Frame, column: Column, label: str) -> Column:
    """`as: domain`: the domain of an e-mail address or a web address, lower case, without `www.`."""
    texts = to_text(column)
    made = per_distinct(texts, domain, pa.string())
    odd = lost(made, texts)
    frame.refuse(odd, "bad_email", label, texts, "expected an e-mail address, a web address or a domain")
    return Column("text", made)


def to_name_part(column: Column, part: str | None) -> Column:
    """`as: name_part`: the first name, or all that follows it; `Last, First` is understood."""
    place = 1 if part == "last" else 0
    return Column("text", per_distinct(to_text(column), lambda name: _name_parts(name)[place], pa.string()))


@lru_cache(maxsize=50_000)
def email(text: str) -> str | None:
    """The address in a text, lower case, or None where there is not exactly one.

    >>> email("Ann Lee <Ann@Example.com>")
    'ann@example.com'
    """
    found = emails(text)
    return found[0] if found and len(found) == 1 else None


@lru_cache(maxsize=50_000)
def emails(text: str) -> tuple[str, ...] | None:
    """The addresses in a text, lower case, each once; None where one is no address. Nothing is looked up."""
    try:
        found = [_normal(address) for _, address in getaddresses([_commas(text)]) if address]
    except RecursionError:  # hundreds of brackets within brackets
        return None
    return tuple(dict.fromkeys(each for each in found if each)) if found and all(found) else None


def domain(text: str) -> str | None:
    """The domain in an e-mail address, a web address or a text that is one."""
    host = re.sub(r"^[a-z][a-z0-9+.-]*://", "", text.strip().lower())
    host = re.split(r"[/?#]", host)[0].rpartition("@")[2].strip("<> ").split(":")[0].removeprefix("www.").rstrip(".")
    return host if re.fullmatch(r"[^\s@.]+(\.[^\s@.]+)+", host) else None


def _normal(address: str) -> str | None:
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except (EmailNotValidError, UnicodeError):
        return None
    return found.normalized.lower()


def _commas(text: str) -> str:
    """Semicolons and line breaks outside quotes as the commas that RFC 5322 knows."""
    parts = re.split(
        r'("(?:[^"\\]|\\.)*(?:"|\\?\Z))', text, flags=re.DOTALL
    )  # a quote without an end goes to the end: linear
    return "".join(part if place % 2 else re.sub(r"[;\r\n]+", ",", part) for place, part in enumerate(parts))


def _name_parts(name: str) -> tuple[str | None, str | None]:
    words: Iterable[str] = name.strip().strip("\"'").split()
    if "," in name:
        last, _, first = name.strip().strip("\"'").partition(",")
        return first.strip() or None, last.strip() or None
    first, *rest = [*words] or [""]
    return first or None, " ".join(rest) or None
