"""A real browser for tests: Debian's chromium, driven by its own chromedriver through the W3C WebDriver protocol.

The protocol is plain HTTP with JSON, so the client that the tests have anyway is enough.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx

#: W3C WebDriver: the member of an answer that holds the reference of an element; the code point of the Enter key.
ELEMENT, ENTER = "element-6066-11e4-a52e-4f735466cecf", "\ue007"


def lacking() -> str:
    """Why there is no browser here; empty when there is one."""
    missing = [name for name, path in (("chromium", _chromium()), ("chromedriver", _driver())) if not path]
    return f"{' and '.join(missing)} not installed (apt-get install chromium chromium-driver)" if missing else ""


@contextlib.contextmanager
def browsing(width: int, height: int) -> Iterator[Browser]:
    """A browser without a window whose pages are so wide and high (CSS pixels), gone with its processes at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    driver = subprocess.Popen(
        [_driver() or "", f"--port={port}", "--silent"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            _wait_until_ready(client, driver)
            browser = Browser(client, width, height)
            try:
                yield browser
            finally:
                browser.close()
    finally:
        driver.terminate()
        driver.wait(timeout=10)


class Browser:
    """One open page. What the protocol refuses is raised as `AssertionError` with the browser's words."""

    def __init__(self, client: httpx.Client, width: int, height: int) -> None:
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--no-first-run", "--disable-background-networking", "--force-color-profile=srgb"]  # fmt: skip
        metrics = {"width": width, "height": height, "pixelRatio": 1, "mobile": width < 600}
        options = {"binary": _chromium(), "args": arguments, "mobileEmulation": {"deviceMetrics": metrics}}
        self._client, self._session = client, ""
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
                  "timeouts": {"implicit": 10_000}}  # fmt: skip # ms for which an element may still be loading
        self._session = self._ask("POST", "/session", capabilities={"alwaysMatch": wanted})["sessionId"]

    def close(self) -> None:
        """Ends the browser."""
        self._ask("DELETE", "")

    def open(self, url: str) -> None:
        """Opens a page and waits until it is there."""
        self._ask("POST", "/url", url=url)

    def type(self, selector: str, text: str) -> None:
        """Types into a field; `ENTER` submits it."""
        self._ask("POST", f"/element/{self._find(selector)}/value", text=text)

    def click(self, selector: str) -> None:
        """Clicks where a person would click, which fails when something lies over it."""
        self._ask("POST", f"/element/{self._find(selector)}/click")

    def text(self, selector: str = "body") -> str:
        """The text that can be seen."""
        return str(self._ask("GET", f"/element/{self._find(selector)}/text"))

    def run(self, script: str) -> Any:
        """The value of a script that the test, not the page, runs."""
        return self._ask("POST", "/execute/sync", script=script, args=[])

    def dialog(self) -> str | None:
        """The text of an open `alert`; None when there is none."""
        answer = self._client.get(f"/session/{self._session}/alert/text").json()["value"]
        return answer if isinstance(answer, str) else None

    def complaints(self) -> list[str]:
        """What the browser has written to its console since the last look."""
        return [line["message"] for line in self._ask("POST", "/se/log", type="browser")]

    def screenshot(self) -> bytes:
        """What is on the screen, as PNG."""
        return base64.b64decode(self._ask("GET", "/screenshot"))

    def _find(self, selector: str) -> str:
        return str(self._ask("POST", "/element", using="css selector", value=selector)[ELEMENT])

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        at = f"/session/{self._session}{path}" if self._session else path
        answer = self._client.request(method, at, json=body if method == "POST" else None)
        value = answer.json()["value"]
        assert answer.status_code == 200, f"{path}: {value['error']}: {value['message']}"
        return value


def _wait_until_ready(client: httpx.Client, driver: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert driver.poll() is None, "chromedriver ended"
        with contextlib.suppress(httpx.TransportError):
            if client.get("/status").json()["value"]["ready"]:
                return
        time.sleep(0.05)
    raise AssertionError("chromedriver does not answer")


def _chromium() -> str | None:
    return shutil.which(os.environ.get("CHROMIUM") or "chromium")


def _driver() -> str | None:
    return shutil.which(os.environ.get("CHROMEDRIVER") or "chromedriver")
