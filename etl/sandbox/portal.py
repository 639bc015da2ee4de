"""The account as handlers see it: its store, its settings and its chance; and one request made to it."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson
from starlette.datastructures import QueryParams

from etl.sandbox.answers import Invalid, Refusal, wrong_json
from etl.sandbox.commits import Commits
from etl.sandbox.faults import Faults
from etl.sandbox.fields import TYPES, checked, ms
from etl.sandbox.limits import Limits
from etl.sandbox.settings import MARGIN_S, Settings
from etl.sandbox.store import Store

#: HubSpot: calls guide. Every account has these six call outcomes; this one has added one of its own.
DISPOSITIONS: Final = {
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "Busy",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "Connected",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "Left live message",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "Left voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "No answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "Wrong number",
    "5d1f0c52-6a3e-4f0b-9c77-2b8f6f1f7a10": "Callback arranged",
}


class Call(NamedTuple):
    """One request: what stands in its path, its query and its body, when it came, and its number."""

    path: Mapping[str, str]
    query: QueryParams
    body: bytes
    now_ms: int
    number: int
    url_path: str = ""

    def json(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        if not self.body:
            message = "Invalid JSON input: a request body was expected, but none found"
            raise Refusal(400, message, "VALIDATION_ERROR")
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError as problem:
            where = f"line {problem.lineno}, column {problem.colno}"
            raise Refusal(400, f"Invalid input JSON on {where}: {problem.msg}") from None
        if not isinstance(value, dict):
            raise wrong_json("java.util.LinkedHashMap", value)
        return value

    def object_type(self, name: str = "type") -> str:
        """The object type of the path, as a plural."""
        text = self.path[name]
        if text.lower() not in TYPES:
            if text.lower() in {"engagement", "engagements"}:
                raise Refusal(400, "Object type ENGAGEMENT is not supported by this endpoint", "VALIDATION_ERROR")
            raise Refusal(400, f"Unable to infer object type from: {text}")
        return TYPES[text.lower()]

    def whole(self, name: str, default: int, most: int, *, least: int = 0) -> int:
        """A number of the query, `least` to `most`."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
            raise Refusal(400, f"{name} must be a number from {least} to {most}, but was {text!r}", "VALIDATION_ERROR")
        return int(text)

    def listed(self, name: str) -> list[str]:
        """The values of a list in the query: joined by commas, or the name once more for each."""
        return [part.strip() for text in self.query.getlist(name) for part in text.split(",") if part.strip()]


@dataclass(slots=True)
class Portal:
    """The account: everything that a request can change or depend on."""

    store: Store
    settings: Settings
    faults: Faults
    limits: Limits
    chance: random.Random = field(default_factory=random.Random)
    commits: Commits = field(init=False)

    def __post_init__(self) -> None:
        self.commits = Commits(self.store.keep)

    @property
    def settle_s(self) -> float:
        """Seconds after the end of its request, answered or not, in which a create becomes readable everywhere."""
        if self.settings.settle_s is not None:
            return self.settings.settle_s
        return self.settings.index_lag_s + self.settings.latency_s + self.faults.latest_s() + MARGIN_S

    def indexed_until_ms(self, now_ms: int) -> int:
        """What was made after this moment is not yet in the search index."""
        return now_ms - int(self.settings.index_lag_s * 1000)

    def check(self, object_type: str, given: Any) -> tuple[dict[str, str], list[Invalid]]:
        """The values as they are stored, and what is wrong with the others."""
        good, problems = checked(self.store.known(object_type), given, self.store.owner_ids())
        outcome = good.get("hs_call_disposition")
        if outcome and outcome not in DISPOSITIONS:
            allowed = ", ".join(f'label: "{label}"\nvalue: "{i}"' for i, label in DISPOSITIONS.items())
            message = f"{outcome} was not one of the allowed options: [{allowed}]"
            problems.append(Invalid("hs_call_disposition", "INVALID_OPTION", message))
        return good, problems


def time_of(properties: Mapping[str, str], otherwise_ms: int) -> int:
    """The place on the timeline that the properties give: `hs_timestamp`, else the start of a meeting."""
    text = properties.get("hs_timestamp") or properties.get("hs_meeting_start_time")
    return ms(text) if text else otherwise_ms


def ids_of(texts: Collection[Any]) -> dict[int, str]:
    """The ids, each with the text that gave it; what is no id leads nowhere and is left out."""
    return {int(t): str(t) for t in texts if str(t).isascii() and str(t).isdigit() and len(str(t)) < 19}
