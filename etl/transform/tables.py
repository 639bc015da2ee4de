"""Crosswalk tables: small files that say which key of another system is which id or e-mail here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.csv

from etl.errors import ContentError, InputError
from etl.mapping.model import Table
from etl.transform.addresses import email
from etl.transform.phones import e164

#: Salesforce writes an id with 15 characters (case matters) or 18 (three more that say the case).
_CASES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def read_tables(tables: Mapping[str, Table], region: str | None) -> dict[str, dict[str, str]]:
    """Each table as key -> value, its keys normalised as `key_as` says.

    Raises `InputError` for a file that cannot be read, `ContentError` for a column that is not there and for a key
    that stands for two values.
    """
    return {name: _read(name, table, normaliser(table, region)) for name, table in tables.items()}


def normaliser(table: Table, region: str | None) -> Callable[[str], str]:
    """How a key, in the table or in a row, is written for comparing; what does not fit stays as it is."""
    if table.key_as == "salesforce_id":
        return salesforce_id
    if table.key_as == "email":
        return lambda text: email(text) or text.lower()
    if table.key_as == "phone":
        return lambda text: e164(text, region) or text
    if table.key_as == "id":
        return lambda text: text.lstrip("0") or text
    return str


def salesforce_id(text: str) -> str:
    """The 18-character form of a 15-character id; anything else as it is.

    >>> salesforce_id("001D000000IqhSL")
    '001D000000IqhSLIAZ'
    """
    if len(text) != 15 or not (text.isascii() and text.isalnum()):
        return text
    parts = (text[start : start + 5] for start in (0, 5, 10))
    return text + "".join(_CASES[sum(1 << place for place, c in enumerate(part) if c.isupper())] for part in parts)


def _read(name: str, table: Table, normal: Callable[[str], str]) -> dict[str, str]:
    keys, values = _columns(name, table)
    made: dict[str, str] = {}
    for key, value in zip(keys, values, strict=True):
        key, value = normal(key.strip()), value.strip()  # noqa: PLW2901 -- the same key, as it is compared
        if not key or not value:
            continue
        if made.setdefault(key, value) != value:
            message = f"{table.path.name}: `{key}` stands for two values in table `{name}`"
            raise ContentError(message, hint=f"Keep one line for each `{table.key}`.", code="table_key_twice")
    return made


def _columns(name: str, table: Table) -> tuple[list[str], list[str]]:
    try:
        header = pa.csv.open_csv(table.path).schema.names
    except FileNotFoundError as error:
        hint = "Paths in a mapping are relative to its own folder."
        raise InputError(f"{table.path}: there is no such file (table `{name}`)", hint=hint) from error
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{table.path}: cannot be read as CSV (table `{name}`): {error}") from error
    for column in (table.key, table.value):
        if column not in header:
            hint = f"Its columns are: {', '.join(header)}."
            raise ContentError(
                f"{table.path.name}: no column `{column}` (table `{name}`)", hint=hint, code="table_column"
            )
    options: dict[str, Any] = {
        "column_types": {each: pa.string() for each in (table.key, table.value)},
        "include_columns": [table.key, table.value],
        "strings_can_be_null": False,
    }
    try:
        read = pa.csv.read_csv(
            table.path,
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(**options),
        )
    except pa.ArrowInvalid as error:
        raise ContentError(f"{table.path.name}: {error} (table `{name}`)", code="table_unreadable") from error
    return read[table.key].to_pylist(), read[table.value].to_pylist()
