"""Writes the call log that the benchmarks read: `python tests/benchmarks/generate.py ROWS OUT.csv`.

Deterministic, and one file is the beginning of a longer one. One row in a hundred is bad, with one fault of four; the
good ones hold what trips a careless reader: quotes, line breaks and emoji in notes, notes that say `N/A`, blank agents,
seven notations of phone numbers, and the hour that happened twice. `owners.csv`, beside the mapping, is the crosswalk
from agents to owner ids.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

HEADER = (
    "call_id", "start_time", "direction", "from_number", "to_number", "duration", "status",
    "outcome", "agent_email", "contact_id", "company_id", "deal_ids", "notes", "recording_url",
)  # fmt: skip
AGENTS = [f"agent{n:03d}@acme.example" for n in range(1, 200)]
#: outcome -> how often (in 100), status of the phone system, longest call in seconds
OUTCOMES = {
    "Connected": (42, "completed", 1800),
    "No answer": (25, "no-answer", 60),
    "Left voicemail": (20, "completed", 60),
    "Busy": (8, "busy", 60),
    "Wrong number": (5, "completed", 60),
}
PHONES = ["({0}) 555-{1}"] * 6 + ["{0}-555-{1}"] * 5 + ["+1 {0} 555 {1}"] * 4 + ["{0}555{1}"] * 3
PHONES += ["1{0}555{1}", "+44 20 7{0} {1}", "x{1}"]
TEXT = (
    "the customer asked about renewal prices wants a demo next week left a message at the desk will send contract "
    "needs approval from legal has budget compares offers likes annual plan moves office calls again on friday"
)
WORDS = TEXT.split()
ODD_NOTES = (
    'said "not today" twice',
    "Zoë & Jürgen: crème brûlée 🙂 東京",
    "first line\nsecond line\n\nlast line",
    "see C:\\logs\\call, tab\there",
    "N/A",
    "null",
)


def main(rows: int, out: Path) -> None:
    """Writes `rows` rows to `out`, and the crosswalk of owners beside this file."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(calls(rows))
    owners = "email,id\n" + "".join(f"{email},{50_000 + 11 * n}\n" for n, email in enumerate(AGENTS))
    beside = Path(__file__).with_name("owners.csv")
    if not beside.exists() or beside.read_text(encoding="utf-8") != owners:
        beside.write_text(owners, encoding="utf-8", newline="\n")


def calls(rows: int) -> Iterator[list[str]]:
    """The cells of `rows` calls of 2025, in no order of time."""
    r = random.Random(42)
    outcomes, weights = list(OUTCOMES), [share for share, _, _ in OUTCOMES.values()]
    for n in range(rows):
        outcome = r.choices(outcomes, weights)[0]
        _, status, longest = OUTCOMES[outcome]
        seconds = r.randrange(longest)
        cells = [
            f"call-{n:09d}-{r.getrandbits(32):08x}",
            _time(r).isoformat(),
            "inbound" if r.random() < 0.5 else "outbound",
            _phone(r),
            _phone(r),
            f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}",
            status,
            outcome,
            "" if r.random() < 0.02 else r.choice(AGENTS),
            str(r.randrange(1, 5_000_000)),
            str(r.randrange(1, 900_000)) if r.random() < 0.7 else "",
            ";".join(str(r.randrange(1, 9_000_000)) for _ in range(r.randrange(1, 4))) if r.random() < 0.3 else "",
            _notes(r),
            f"https://recordings.example.com/{r.getrandbits(40):010x}.mp3" if seconds > 20 else "",
        ]
        yield _spoilt(r, cells) if r.random() < 0.01 else cells


def _time(r: random.Random) -> datetime:
    """A local second of 2025 in New York, but for the hour of 9 March that its clocks skipped."""
    at = datetime(2025, 1, 1) + timedelta(seconds=r.randrange(365 * 86_400))  # noqa: DTZ001 - the log says no zone
    return at + timedelta(hours=1) if (at.month, at.day, at.hour) == (3, 9, 2) else at


def _phone(r: random.Random) -> str:
    return r.choice(PHONES).format(r.randrange(201, 990), f"{r.randrange(10_000):04d}")


def _notes(r: random.Random) -> str:
    """Nothing for two calls of five, else some words; now and then something odd."""
    if r.random() < 0.4:
        return ""
    words = " ".join(r.choices(WORDS, k=r.randrange(4, 16)))
    odd = r.random()
    return r.choice(ODD_NOTES) if odd < 0.01 else f"{words}; {r.choice(ODD_NOTES[:4])}" if odd < 0.15 else words


def _spoilt(r: random.Random, cells: list[str]) -> list[str]:
    """`cells` with one fault: no time, no contact, a call of less than no time, or an outcome that nobody has."""
    column, value = r.choice((
        ("start_time", r.choice(("", "yesterday", "2025-02-30T10:00:00", "2025-13-01T25:61:00"))),
        ("contact_id", ""),
        ("duration", f"-00:00:{r.randrange(1, 60):02d}"),
        ("outcome", "Fax"),
    ))  # fmt: skip
    cells[HEADER.index(column)] = value
    return cells


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
