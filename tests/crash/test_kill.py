"""The kill harness, short and with one seed: what `make crash` does for long, and the controls that it must find out.

KILL_SEED makes the same plans again; KILL_S is how long each wire is besieged.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.crash.controls import CONTROLS, caught, found
from tests.crash.siege import besiege, besieged

SEED = int(os.environ.get("KILL_SEED", random.randrange(1 << 32)))
SECONDS = float(os.environ.get("KILL_S", "15"))


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("wire", ["objects", "v1"])
def test_a_loader_killed_again_and_again_creates_every_good_row_once(tmp_path: Path, wire: str) -> None:
    print(f"KILL_SEED={SEED}")  # shown when the test fails
    with besieged(tmp_path, wire, SEED, kills=40) as siege:
        besiege(siege, until_s=time.monotonic() + SECONDS, at_least=2)

    assert siege.wrong == []
    assert (siege.lost, siege.duplicates, siege.misplaced) == (0, 0, 0)
    assert siege.kills >= 2  # as many as the time allows, but never fewer; `make crash` kills hundreds


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("control", "wire"), [*zip(CONTROLS, ["objects", "v1", "v1", "objects", "objects"], strict=True)]
)
def test_a_loader_that_lacks_a_part_of_the_protocol_is_found_out(tmp_path: Path, control: str, wire: str) -> None:
    print(f"KILL_SEED={SEED}")

    assert found(control, caught(tmp_path, control, wire, SEED)) > 0
