"""The script that somebody who knows pandas, pandera and orjson would write for calls.yaml; what the product is held to.

    python tests/benchmarks/baseline_pandas.py IN.csv OUT.jsonl REJECTS.csv

Chunks of 100,000 rows, vectorised conversions, one lazily validated schema, one dictionary a row for the JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pandera.pandas as pa

CHUNK_ROWS = 100_000
ZONE = "America/New_York"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
DISPOSITIONS = {
    "Busy": "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "Connected": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "Left voicemail": "b2cf5968-551e-4856-9783-52b3da59a7d0",
    "No answer": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "Wrong number": "17b47fee-58de-441e-a44c-c6300d46f273",
}
STATUS = {"completed": "COMPLETED", "no-answer": "NO_ANSWER", "busy": "BUSY"}
SCHEMA = pa.DataFrameSchema({
    "call_id": pa.Column(str, pa.Check.str_length(min_value=1)),
    "time": pa.Column("datetime64[us]", nullable=False),
    "duration_ms": pa.Column("int64", pa.Check.ge(0)),
    "direction": pa.Column(str, pa.Check.isin(["inbound", "outbound"])),
    "status": pa.Column(str, pa.Check.isin(list(STATUS))),
    "outcome": pa.Column(str, pa.Check.isin(list(DISPOSITIONS))),
    "contact_id": pa.Column(str, pa.Check.str_matches(r"^\d+$")),
    "company_id": pa.Column(str, pa.Check.str_matches(r"^\d*$")),
    "deal_ids": pa.Column(str, pa.Check.str_matches(r"^(\d+(;\d+)*)?$")),
})  # fmt: skip
FAULTS = {"time": "bad_time", "contact_id": "no_contact", "duration_ms": "bad_duration", "outcome": "bad_outcome"}


def main(source: str, out: str, rejects: str) -> None:
    """Writes a payload a line to `out` and row number (from 1), call id and reason of each bad row to `rejects`."""
    owners = pd.read_csv(Path(__file__).with_name("owners.csv"), index_col="email")["id"].to_dict()
    with open(out, "wb") as payload_file, open(rejects, "w", newline="", encoding="utf-8") as reject_file:  # noqa: PTH123
        reject_file.write("row,call_id,reason\n")
        chunks = pd.read_csv(source, dtype=str, keep_default_na=False, chunksize=CHUNK_ROWS)
        for good, bad in map(validate, map(convert, chunks)):
            bad.to_csv(reject_file, index=False, header=False)
            payload_file.writelines(payloads(good, owners))
            del good  # gone before the next chunk is converted


def convert(calls: pd.DataFrame) -> pd.DataFrame:
    """`calls` with two more columns: `time` (local, no zone; NaT where it is none) and `duration_ms`."""
    parts = calls["duration"].str.lstrip("-").str.split(":", expand=True).astype("int64")
    duration_ms = (parts[0] * 3600 + parts[1] * 60 + parts[2]) * 1000
    return calls.assign(
        time=pd.to_datetime(calls["start_time"], format=TIME_FORMAT, errors="coerce"),
        duration_ms=duration_ms.mask(calls["duration"].str.startswith("-"), -duration_ms),
    )


def validate(calls: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The good rows, and row number, call id and first reason of the others."""
    try:
        SCHEMA.validate(calls, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases.drop_duplicates("index").set_index("index")
        cases.index = cases.index.astype("int64")
        bad = pd.DataFrame({
            "row": cases.index + 1,
            "call_id": calls.loc[cases.index, "call_id"],
            "reason": cases["column"].map(FAULTS).fillna("invalid"),
        })  # fmt: skip
        return calls.drop(index=cases.index), bad
    return calls, pd.DataFrame({"row": [], "call_id": [], "reason": []})


def e164(numbers: pd.Series[str]) -> pd.Series[str]:
    """The numbers as +COUNTRY..., where they are North American or carry their country; others as they are."""
    digits = numbers.str.replace(r"\D", "", regex=True)
    length = digits.str.len()
    whole = numbers.str.startswith("+") | ((length == 11) & digits.str.startswith("1"))
    return numbers.mask(whole, "+" + digits).mask(~whole & (length == 10), "+1" + digits)


def epoch_ms(times: pd.Series[Any]) -> Any:
    """Local times as ms since 1970 UTC; of the two 1:30 of an autumn night the first."""
    zoned = times.dt.tz_localize(ZONE, ambiguous=np.ones(len(times), bool))
    return zoned.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[ms]").astype("int64")


def payloads(calls: pd.DataFrame, owners: Mapping[Any, int]) -> Iterator[bytes]:
    """The payload of each row as a line of JSON."""
    columns = zip(  # of lists: a Series hands out its texts one by one, slowly
        calls["agent_email"].tolist(),
        epoch_ms(calls["time"]).tolist(),
        calls["contact_id"].astype("int64").tolist(),
        calls["company_id"].tolist(),
        calls["deal_ids"].tolist(),
        e164(calls["to_number"]).tolist(),
        e164(calls["from_number"]).tolist(),
        calls["status"].map(STATUS).tolist(),
        calls["call_id"].tolist(),
        calls["duration_ms"].tolist(),
        calls["recording_url"].tolist(),
        calls["notes"].tolist(),
        calls["outcome"].map(DISPOSITIONS).tolist(),
        strict=True,
    )
    for agent, time_ms, contact, company, deals, to, from_, status, call, duration, url, notes, disposition in columns:
        payload = {
            "engagement": {"active": True, "ownerId": owners.get(agent), "type": "CALL", "timestamp": time_ms},
            "associations": {
                "contactIds": [contact],
                "companyIds": [int(company)] if company else [],
                "dealIds": [int(deal) for deal in deals.split(";")] if deals else [],
                "ownerIds": [],
                "ticketIds": [],
            },
            "attachments": [],
            "metadata": {
                "toNumber": to,
                "fromNumber": from_,
                "status": status,
                "externalId": call,
                "durationMilliseconds": duration,
                "recordingUrl": url,
                "body": notes,
                "disposition": disposition,
            },
        }
        yield orjson.dumps(payload, option=orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    main(*sys.argv[1:4])
