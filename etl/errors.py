"""Errors, named by what the person does next, each with its exit code; and the codes that a rejected row can carry.

Three kinds of trouble, three treatments: something wrong with a row is a value (`flow.Reject`, with a code of
`ROW_CODES`); an answer, or none, is a verdict (`hubspot.verdicts`); and when the run cannot go on, one of these is
raised:

    EtlError                                                  exit
     ├ UsageError       say it differently                      2
     ├ TooManyRejects   look at the rejects, then again        65
     ├ ContentError     the file's bytes or layout are refused 65
     │  └ DamagedCheckpoint  reconcile, or start another       65
     ├ InputError       bring the file                         66
     ├ RemoteDown       gave up after all tries; saved         69
     ├ Imbalance        our bug: the tally does not add up     70
     ├ StorageError     checkpoint or disk                     73
     ├ TryLater         locked, quota, time limit; saved       75
     ├ TokenError       new token or scope                     77
     ├ MappingError     fix the mapping (file:line:column)     78
     └ ConfigError      this checkpoint, target or option      78
"""

from __future__ import annotations

from typing import NamedTuple


class EtlError(Exception):
    """The run cannot go on: `args[0]` says what happened and where, `hint` what to do next."""

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or type(self).__name__
        self.said = False  #: it is in the JSON object that was printed already

    def as_json(self) -> dict[str, str | int]:
        """The error as `--json` shows it."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "exit": self.exit_code}


class UsageError(EtlError):
    """The command line asks for something that does not exist or does not go together."""

    exit_code = 2


class TooManyRejects(EtlError):
    """More rows were rejected than `--max-rejects` allows; nothing was sent."""

    exit_code = 65


class ContentError(EtlError):
    """The input is there, but its bytes or its layout cannot be trusted; nothing was sent."""

    exit_code = 65


class DamagedCheckpoint(ContentError):
    """The checkpoint holds what nobody wrote there; nothing was sent."""


class InputError(EtlError):
    """The input is missing, unreadable or empty."""

    exit_code = 66


class RemoteDown(EtlError):
    """The API did not answer usefully after all tries; what happened so far is in the checkpoint."""

    exit_code = 69


class Imbalance(EtlError):
    """The tally does not add up: a bug of this program."""

    exit_code = 70


class StorageError(EtlError):
    """The checkpoint or the disk failed."""

    exit_code = 73


class TryLater(EtlError):
    """Locked, out of quota or out of time; everything is saved and the same command goes on."""

    exit_code = 75


class TokenError(EtlError):
    """Credentials or a scope are missing or refused."""

    exit_code = 77


class ConfigError(EtlError):
    """A setting, the target or the checkpoint do not fit together."""

    exit_code = 78


class Mistake(NamedTuple):
    """One thing wrong in a mapping, with its place."""

    place: str  #: ``file:line:column``, both counted from 1
    code: str  #: stable, one of `MAPPING_CODES`
    message: str  #: what was found and what was expected
    hint: str = ""  #: the nearest right word, or what to do

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.place}: {self.message}{hint} [{self.code}]"


class MappingError(EtlError):
    """A mapping cannot be used: `mistakes` holds everything wrong with it, in the order of the file."""

    exit_code = 78

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(m) for m in mistakes), hint="`etl check MAPPING` shows all of them again.")
        self.mistakes = mistakes


#: Exit codes that are no exception: how a run that came to its end says what it found.
EXIT_OK, EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_TERMINATED = 0, 3, 130, 143

#: code -> (what it means, what to do). Stable; a reject file's `_etl_code` column holds one of these a row.
ROW_CODES: dict[str, tuple[str, str]] = {
    "ragged_row": ("The row has more or fewer fields than the header.", "Quote or remove the stray delimiter."),
    "bad_quotes": (
        "A quote stands in the middle of a field.",
        "Double quotes that belong to the text, or remove them.",
    ),
    "lone_cr": ("The row holds a carriage return that ends no line.", "Quote the field, or replace the character."),
    "nul_byte": ("The row holds a NUL character.", "Export the file again, or remove the character."),
    "field_too_long": ("A field is longer than 1 MiB.", "Look for an unclosed quote, or shorten the field."),
    "unreadable_row": (
        "A piece of the file (a message, an event, a JSON line) is no row.",
        "Export it again, or leave that piece out; the others are not touched.",
    ),
    "required": ("A column that must not be empty is empty.", "Fill it, or set `nullable: true` for the column."),
    "not_unique": ("The value of a `unique` column stood in an earlier row.", "Keep one of the rows."),
    "check_failed": ("The value breaks a rule of the mapping's `columns:`.", "Correct the value or the rule."),
    "bad_condition": ("A condition that orders numbers met text.", "Correct the value or the condition."),
    "bad_time": ("The value is no time in the format given.", "Correct the value, or add its format to `formats`."),
    "time_gap": ("That local time does not exist: clocks skipped it.", "Correct it, or set `gap: shift`."),
    "time_fold": ("That local time happened twice, and `fold: reject` is set.", "Set `fold: first` or `last`."),
    "time_range": ("The time is before 1990 or more than a year ahead.", "Check its unit (s or ms) and its year."),
    "bad_duration": ("The value is no duration in the format given.", "Correct the value or the `format`."),
    "bad_number": ("The value is no number.", "Correct the value."),
    "bad_bool": ("The value is neither yes nor no.", "Correct it, or use `map`."),
    "bad_phone": ("The value is no phone number of its region.", "Correct it, or set `invalid: keep` or `null`."),
    "bad_email": ("The value is no e-mail address.", "Correct it."),
    "bad_id": ("The value is no id: digits only.", "Correct it."),
    "bad_json": ("The value is not JSON.", "Correct it."),
    "no_rule": ("No entry of `map` covers the value.", "Add it to `map`, or give an `else`."),
    "no_match": ("The value does not match `extract`.", "Correct it, or widen the expression."),
    "lookup_missing": ("The table or directory has no such entry.", "Add the entry, or set `not_found`."),
    "bad_template": ("The template failed for this row.", "Correct the template for such rows."),
    "bad_type": ("The row's engagement type is none of the five.", "Give `engagement.type` an `else`."),
    "bad_text": ("The text holds characters that cannot be sent as UTF-8.", "Export the file again."),
    "group_rejected": (
        "Another row of the same group was rejected.",
        "Correct that row; load the group again as a whole.",
    ),
    "field_missing": ("A field that this type needs is empty.", "Fill it in the source or by `default`."),
    "bad_choice": ("The value is none that the API allows for this field.", "Use `map` to give an allowed one."),
    "too_long": ("The text is longer than the API allows for this field.", "Shorten it, or set `max_length`."),
    "bad_url": ("The value is no web address.", "Correct it."),
    "bad_order": ("The meeting ends before it starts.", "Correct the times."),
    "file_missing": (
        "An attachment is not there, cannot be read, or changed while the run went on.",
        "Put the file below the mapping's `base`, or correct the path; then run again.",
    ),
    "file_outside": (
        "An attachment lies outside of the mapping's `base`.",
        "Move it, or set `base` to a folder above.",
    ),
    "file_too_large": ("An attachment is larger than the mapping allows.", "Raise `max_mb` if the account takes it."),
    "file_refused": (
        "The account refused an attachment.",
        "See the message; `etl retry --rejected file_refused` tries it again.",
    ),
    "no_link": ("The row is linked to nothing, and `require` asks for a link.", "See `associations` and `require`."),
    "not_found": ("No such contact, company or deal in the account.", "Create it, or set `not_found`."),
    "ambiguous": ("Several contacts, companies or deals match.", "Merge them, or set `ambiguous`."),
    "owner_not_found": ("No owner with that e-mail.", "Invite the user, or set `not_found: unassigned`."),
    "repeated_key": ("An earlier row has the same key and other content.", "Keep one, or choose a better `key`."),
    "adopt_doubt": (
        "The contact has an engagement of that minute that may be this one.",
        "Look at the ids named; `etl retry --rejected adopt_doubt` creates it all the same.",
    ),
    "park_expired": (
        "The row waited for its contact longer than `park_for`.",
        "Create the contact; then `etl retry --rejected park_expired -m MAPPING`.",
    ),
    "refused": ("HubSpot refused this engagement.", "See the message; correct the row and run again."),
}

#: code -> what it means, for mistakes in a mapping.
MAPPING_CODES: dict[str, str] = {
    "bad_yaml": "The file is not YAML that can be read safely (tags, aliases and repeated keys are refused).",
    "unknown_key": "A key that the language does not have at this place.",
    "missing_key": "A key that must be there is not.",
    "wrong_type": "A value of another kind than the language expects here.",
    "bad_value": "A value that is none of those allowed here.",
    "unknown_name": "A column, definition or table that does not exist.",
    "name_clash": "A definition that has the name of a column.",
    "unknown_field": "A field that this engagement type does not have.",
    "bad_template": "A template that is not Jinja2, or not allowed in the sandbox.",
    "bad_regex": "A regular expression that does not compile.",
    "bad_format": "A time or duration format that is not understood.",
    "test_failed": "One of the mapping's own tests gave something else.",
    "unused_column": "A column of the file that no rule reads.",
    "no_key": "Rows have no key of their own: the columns that the mapping reads are hashed instead.",
    "group_key": "Rows are grouped by one value and told apart by another: rows of a later file would not find their group.",
    "not_on_v1": "A field that the v1 wire drops.",
}

#: code -> what to do about a mistake in a mapping; the mistake itself names its place and the nearest right word.
MAPPING_HINTS: dict[str, str] = {
    "bad_yaml": "Look at the line named: indentation, a missing quote, a tab; write a repeated key once.",
    "unknown_key": "Take the word that the message suggests; docs/mapping.md lists the keys of every place.",
    "missing_key": "Add the key; the message says at which place.",
    "wrong_type": "Write the kind that is named: a text, a number, a list or a map.",
    "bad_value": "Take one of the values that the message lists.",
    "unknown_name": "Write the column as the header does, upper and lower case too; `etl guess FILE` shows the header.",
    "name_clash": "Give the definition another name.",
    "unknown_field": "Take a field of this type from docs/mapping.md, or put it under `properties`.",
    "bad_template": "Read cells as `{{ row['Column'] }}`; only filters that cannot harm are there.",
    "bad_regex": "Correct the expression; look-around and back-references are not known.",
    "bad_format": "Take strptime's letters (`%Y-%m-%d %H:%M:%S`), `iso`, `epoch_s` or `epoch_ms`.",
    "test_failed": "Correct the mapping, or what its test expects; `etl explain` shows the steps of a row.",
    "unused_column": "Read the column, or leave it: nothing of it reaches the account.",
    "no_key": "Name the source's own id: `key: $Call ID`.",
    "group_key": "Make `key` the value of `group.by`, or leave it out.",
    "not_on_v1": "Nothing, on the objects wire; on v1 the field is left out.",
}

#: code -> (what it means, what to do): why a run, or the reading of a file, ended. `--json` has it as `code`.
RUN_CODES: dict[str, tuple[str, str]] = {
    "missing_file": ("There is no such file.", "Check the path."),
    "unreadable": ("The file is there and cannot be read.", "Give a regular file that this user may read."),
    "empty_file": ("The file has no rows.", "Look at what wrote it: such an export has usually failed."),
    "no_rows": ("The file has a header and nothing below it.", "Give a file with a few rows."),
    "no_such_row": (
        "No row stands on that line.",
        "Lines count from 1 and the header is one; blank lines are no rows.",
    ),
    "not_text": ("The file is no text, but a program's own format.", "Export it as CSV, or set `source.format`."),
    "one_column": ("No delimiter separates columns.", "Give a CSV; set `delimiter` under `source:`."),
    "bad_bytes": ("Bytes that are not of the encoding given.", "Set `encoding` under `source:`, or export as UTF-8."),
    "wrong_encoding": ("The file says itself that it has another encoding.", "Set the `encoding` that is named."),
    "bad_header": ("The header line cannot be used.", "Correct it, or set `header` and `skip_rows` under `source:`."),
    "duplicate_header": ("Two columns have one name.", "Rename one, or give `header: none` and `names`."),
    "wrong_delimiter": ("The header is one column: the delimiter is another.", "Set the `delimiter` that is named."),
    "too_many_columns": ("The file has more columns than are read.", "Export only the columns that matter."),
    "ragged_file": (
        "Every row has another number of fields than the header.",
        "Look for a missing name in the header.",
    ),
    "unclosed_quote": ("A quote is never closed.", "Close it, or double quotes that belong to the text."),
    "endless_row": ("A row does not end.", "Is this a text file with a row a line?"),
    "missing_column": ("A column that the mapping needs is not in the file.", "Compare with `etl check MAPPING FILE`."),
    "contract_failed": ("The checks under `columns:` could not be judged.", "Correct the check that is named."),
    "bad_gzip": ("The gzip data is damaged or cut off.", "Transfer the file again."),
    "gzip_bomb": ("The file unpacks out of proportion.", "If it is what it should be, unpack it first."),
    "zip_bomb": ("The archive unpacks out of proportion.", "If it is what it should be, unpack it first."),
    "bad_zip": ("The archive is damaged or has no such member.", "Transfer it again; check the member's name."),
    "too_large": ("One piece of the file is larger than is read.", "Split it, or leave it out."),
    "not_mbox": ("The file is no mailbox.", "Set the `source.format` that it has."),
    "not_jsonl": ("The file is not one JSON object a line.", "Export it as JSON lines."),
    "not_ics": ("The file is no calendar.", "Set the `source.format` that it has."),
    "bad_parquet": ("The file is no Parquet that can be read.", "Export it again."),
    "bad_workbook": ("The workbook cannot be read.", "Save it again as .xlsx, or as CSV."),
    "no_sheet": ("The workbook has no such sheet.", "Set `sheet` under `source:` to one that is listed."),
    "table_unreadable": ("A crosswalk file cannot be read.", "Check its path under `tables:`."),
    "table_column": (
        "A crosswalk file lacks a column that the mapping names.",
        "Correct `key` or `value` of the table.",
    ),
    "table_key_twice": ("A crosswalk has one key with two values.", "Keep one of the rows."),
    "too_many_newcomers": (
        "More contacts would be created than `max` allows.",
        "Look at the plan; raise `max`, or park.",
    ),
    "worker_lost": ("A process of this run was ended from outside.", "Run again; with --low-memory if memory ran out."),
    "extra_missing": ("What is asked for needs libraries that are not installed.", "Install the extra that is named."),
    "no_scheduler": ("No Dask scheduler answers at that address.", "Start it, or correct --scheduler."),
    "no_workers": ("The Dask scheduler has no worker.", "Start workers; then run again."),
    "other_version": (
        "Scheduler or workers of the cluster run another etl or Python.",
        "Install the same there as here.",
    ),
    "not_on_cluster": (
        "The mapping needs what a cluster cannot give: rows in their order, or files of this machine.",
        "Leave out --engine dask.",
    ),
    "read_refused": ("The account refused to be read.", "See the message: a scope, or a limit."),
    "checkpoint_rolled_back": ("The checkpoint is older than what was sent.", "Run with --reconcile."),
    "day_used_up": ("The account's requests of the day are used up.", "Run the same command tomorrow."),
    "time_over": ("The time given to the run is over.", "Run the same command again: it goes on."),
}

#: exit code -> (what it means, what to do).
EXIT_WORDS: dict[int, tuple[str, str]] = {
    0: ("All is well. Parked rows alone are well: every night has some.", ""),
    2: ("The command line is wrong.", "Say it as `--help` shows."),
    3: ("Finished, but rows were rejected or are unresolved.", "See the files that the last lines name."),
    4: ("The account does not hold what it should.", "See the differences that `etl verify` lists."),
    65: ("The file's content is refused, or too many rows were rejected; nothing was sent.", "Correct file or mapping."),
    66: ("The input is missing, unreadable or empty.", "Bring the file."),
    69: ("The API did not answer after all tries; what happened is recorded.", "Run the same command later."),
    70: ("A bug of this program: counts do not add up.", "Report it with the run's summary."),
    73: ("The checkpoint or the disk failed.", "Free the disk; then the same command goes on."),
    75: ("Locked, out of quota or out of time; everything is saved.", "Run the same command later."),
    77: ("Credentials or a scope are missing or refused.", "Give a new token, or the scope that is named."),
    78: ("The mapping or a setting is wrong.", "Correct what the message names; `etl check` shows all of a mapping."),
    130: ("Ended by Ctrl-C, with everything recorded.", "The same command goes on."),
    143: ("Ended by SIGTERM, with everything recorded.", "The same command goes on."),
}  # fmt: skip
