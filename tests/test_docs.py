"""The documentation is held to the code."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from etl.cli import etl

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
assert spec is not None
assert spec.loader is not None
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


@pytest.mark.parametrize("page", generate.PAGES)
def test_a_generated_page_is_fresh(page: str) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == generate.PAGES[page](), "run `make docs`"


def test_every_room_stands_in_the_architecture_and_every_room_there_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {name.rstrip("/") for name in re.findall(r"^\| `([a-z_]+(?:/|\.py))` ", page, re.MULTILINE)}
    rooms = {path.name for path in (ROOT / "etl").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}

    assert named == rooms - {"__init__.py", "__main__.py"}


def test_the_readme_names_only_commands_and_targets_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for command in set(re.findall(r"`?\betl ([a-z]+)\b", readme)) - {"is", "turns", "needs"}:
        assert command in etl.commands, command
    for target in set(re.findall(r"\bmake ([a-z]+)\b", readme)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_importing_the_rooms_in_any_order_works() -> None:
    for room in (
        "pipeline",
        "load",
        "settle",
        "associate",
        "transform",
        "read",
        "validate",
        "report.files",
        "sandbox.serve",
    ):
        subprocess.run([sys.executable, "-c", f"import etl.{room}"], check=True)
