"""`etl errors`: what a code means and what to do about it."""

from __future__ import annotations

import click

from etl.cli import options, show
from etl.errors import EXIT_WORDS, MAPPING_CODES, MAPPING_HINTS, ROW_CODES, RUN_CODES, EtlError, UsageError


@click.command()
@click.argument("code", required=False, metavar="[CODE]")
@options.as_json
def errors(code: str | None, *, as_json: bool) -> None:
    """Explain CODE: of a rejected row (`_etl_code`), of a mistake in a mapping, of a run, or an exit code. Without CODE, list all."""
    known = codes()
    found = [each for each in known if code is None or each[1] == code.strip().strip("[]`")]
    if not found:
        raise UsageError(f"there is no code {code!r}.", hint=_nearest(str(code), [each[1] for each in known]))
    if as_json:
        show.json_object({"codes": [dict(zip(("kind", "code", "meaning", "do"), each, strict=True)) for each in found]})
    elif code is None:
        show.table("codes", [each[:3] for each in found], ("of", "code", "meaning"))
        show.say("next: etl errors CODE says what to do")
    else:
        words = {"row": "a rejected row", "mapping": "a mistake in a mapping", "run": "a run", "exit": "the exit code"}
        for kind, name, meaning, remedy in found:
            show.last_lines([(name, f"{words[kind]}: {meaning}"), *([("do", remedy)] if remedy else [])])


def codes() -> list[tuple[str, str, str, str]]:
    """Every code: of what (row, mapping, run, exit), the code, what it means, what to do."""
    found = [("row", code, meaning, remedy) for code, (meaning, remedy) in ROW_CODES.items()]
    found += [("mapping", code, meaning, MAPPING_HINTS.get(code, "")) for code, meaning in MAPPING_CODES.items()]
    found += [("run", code, meaning, remedy) for code, (meaning, remedy) in RUN_CODES.items()]
    found += [("run", each.__name__, " ".join((each.__doc__ or "").split()), EXIT_WORDS[each.exit_code][1])
              for each in EtlError.__subclasses__()]  # fmt: skip
    return found + [("exit", str(code), meaning, remedy) for code, (meaning, remedy) in EXIT_WORDS.items()]


def _nearest(code: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(code.strip().strip("[]`").lower(), known, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(f'`{each}`' for each in close)}?" if close else "`etl errors` lists them all."
