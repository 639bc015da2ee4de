"""Writes the pages that come from the code: `errors.md` and `cli.md`. A test holds them to it."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML

from etl import errors
from etl.cli import etl
from etl.engagement import FIELDS
from etl.mapping import json_schema

HERE = Path(__file__).parent
#: In mapping.md: what stands below it is made.
MARK = "<!-- below this line: made from language.yaml by `make docs` -->"
OUTCOMES = {
    0: "All is well. Parked rows alone are well: every night has some.",
    3: "Finished, but rows were rejected or are unresolved; the last lines say where they are listed.",
    4: "`etl verify` found that the account does not hold what was loaded; its lines say where.",
    130: "Ended by Ctrl-C, with everything recorded. The same command goes on.",
    143: "Ended by SIGTERM, with everything recorded. The same command goes on.",
}


def errors_page() -> str:
    """Exit codes, reject codes and mapping codes, from the tables in `etl/errors.py`."""
    exits = dict(OUTCOMES)
    for error in errors.EtlError.__subclasses__():
        words = f"`{error.__name__}`: {inspect.getdoc(error)}"
        exits[error.exit_code] = f"{exits[error.exit_code]} {words}" if error.exit_code in exits else words
    parts = [
        "# Codes\n\nMade from `etl/errors.py` by `make docs`.\n",
        "## Exit codes\n",
        "| code | meaning |\n|---|---|",
    ]
    parts += [f"| {code} | {words} |" for code, words in sorted(exits.items())]
    parts += ["\n## Codes of a rejected row\n", "The column `_etl_code` of a reject file.\n"]
    parts += ["| code | meaning | what to do |\n|---|---|---|"]
    parts += [f"| `{code}` | {meaning} | {remedy} |" for code, (meaning, remedy) in errors.ROW_CODES.items()]
    parts += ["\n## Codes of a mistake in a mapping\n", "| code | meaning | what to do |\n|---|---|---|"]
    parts += [
        f"| `{code}` | {meaning} | {errors.MAPPING_HINTS.get(code, '')} |"
        for code, meaning in errors.MAPPING_CODES.items()
    ]
    parts += ["\n## Codes of a run that ended, or of a file that was refused\n", "`code` of the error in `--json`.\n"]
    parts += ["| code | meaning | what to do |\n|---|---|---|"]
    parts += [f"| `{code}` | {meaning} | {remedy} |" for code, (meaning, remedy) in errors.RUN_CODES.items()]
    return "\n".join(parts) + "\n"


def cli_page() -> str:
    """The help of every command."""
    parts = ["# Commands\n\nMade from `--help` by `make docs`.\n"]
    top = click.Context(etl, info_name="etl")
    for name, command in etl.commands.items():
        context = click.Context(command, info_name=name, parent=top)
        if isinstance(command, click.Group):
            for below, inner in command.commands.items():
                parts.append(_section(inner, click.Context(inner, info_name=below, parent=context)))
        else:
            parts.append(_section(command, context))
    return "\n".join(parts)


def _section(command: click.Command, context: click.Context) -> str:
    context.max_content_width = context.terminal_width = 100
    context.help_option_names = ["-h", "--help"]
    return f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"


def mapping_page() -> str:
    """What is written by hand above the mark, and the reference with its examples below it."""
    before, mark, _ = (HERE / "mapping.md").read_text(encoding="utf-8").partition(MARK)
    sections = YAML(typ="safe", pure=True).load((HERE / "language.yaml").read_text(encoding="utf-8"))
    return before + mark + "\n" + "\n".join([*map(_reference, sections), _fields()])


def _reference(section: dict[str, Any]) -> str:
    lines = [f"\n### {section['title']}\n", "| word | meaning | example | gives |", "|---|---|---|---|"]
    for entry in section["entries"]:
        gives = _shown(entry["gives"]) if "gives" in entry else _outcome(entry)
        cells = [f"`{entry['name']}`", entry["text"], _shown(_example(entry)), gives]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _example(entry: dict[str, Any]) -> Any:
    names = ("value", "when", "links", "rule", "parts")
    found = next(entry[name] for name in names if name in entry)
    if found is not entry.get("parts"):
        return found
    dull = {"engagement"} if len(found) > 1 and entry["name"] not in ("engagement", "metadata") else set()
    return {key: part for key, part in found.items() if part is not None and key not in dull}


def _outcome(entry: dict[str, Any]) -> str:
    if "holds" in entry:
        return ("holds for " if entry["holds"] else "does not hold for ") + _shown(entry["given"])
    if "cell" in entry:
        return ("takes " if entry["good"] else "rejects ") + _shown(entry["cell"])
    for word, words in (
        ("rejected", "rejected:"),
        ("parked", "parked:"),
        ("skipped", "skipped:"),
        ("links_to", "links"),
        ("expect", ""),
    ):
        if word in entry:
            return f"{words} {_shown(entry[word])}".strip()
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"`{value}`" if value.strip() else "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    bare = re.sub(r'"([A-Za-z$_][A-Za-z0-9 _$.@-]*)"', r"\1", text)
    return f"`{bare}`"


def _fields() -> str:
    lines = ["\n### The fields of `metadata`\n", "| type | field | holds | |", "|---|---|---|---|"]
    for kind, fields in FIELDS.items():
        for name, field in fields.items():
            words = [
                ", ".join(field.choices),
                "required" if field.required else "",
                "" if "v1" in field.wires else "objects wire only",
            ]
            lines.append(f"| {kind} | `{name}` | {field.kind} | {'; '.join(filter(None, words))} |")
    return "\n".join(lines) + "\n"


def schema_page() -> str:
    """The JSON Schema of the mapping language."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


#: What is made, by its place seen from here.
PAGES = {
    "errors.md": errors_page,
    "mapping.md": mapping_page,
    "cli.md": cli_page,
    "../mappings/mapping.schema.json": schema_page,
}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (HERE / page).write_text(make(), encoding="utf-8")
