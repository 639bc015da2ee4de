"""docs/timeline.png: a contact's timeline after the samples were imported. `make screenshot` takes it again."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.sandbox.browser import browsing, lacking

ROOT = Path(__file__).parents[2]
IMPORTS = (("calls.csv", "phone-nightly"), ("emails.csv", "email-csv"), ("salesforce/tasks.csv", "salesforce-tasks"))
#: A contact of the sample portal with calls, a meeting, a task and a deal on the first screen.
CONTACT = 20652


def main() -> None:
    """Imports into a folder that is gone afterwards, serves what came of it, and keeps one screen."""
    if why := lacking():
        sys.exit(f"No screenshot: {why}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, mapping in IMPORTS:
            command = [Path(sys.executable).with_name("etl"), "run", ROOT / "sample_data" / file, "-m", mapping]
            done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False)
            assert done.returncode in {0, 3}, f"{file}: exit code {done.returncode}"
        (ROOT / "docs" / "timeline.png").write_bytes(screen(folder))


def screen(folder: Path) -> bytes:
    """The contact's page as PNG, from the store that the imports left in the folder."""
    ready = folder / "ready.json"
    files = ["--db", folder / ".etl" / "sandbox.sqlite", "--ready-file", ready]
    server = subprocess.Popen([sys.executable, "-m", "etl.sandbox", *files], stdout=subprocess.DEVNULL)
    try:
        while not ready.exists():
            assert server.poll() is None, "the sandbox ended"
            time.sleep(0.05)
        with browsing(1280, 900) as browser:
            browser.open(f"{json.loads(ready.read_text())['url']}/view/contacts/{CONTACT}")
            return browser.screenshot()
    finally:
        server.terminate()
        server.wait(timeout=10)


if __name__ == "__main__":
    main()
