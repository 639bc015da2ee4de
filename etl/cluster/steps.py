"""What is done on a worker: the steps of a task, with what is known so far.

Apart from the rest, because a worker imports it: it needs nothing of Dask.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")
#: What a step may ask in the midst of its work: answered where the results are wanted.
Ask = Callable[..., Any]

_MADE_KEPT = 4  # steps that a worker's thread keeps: of the last runs, or of files with several headers


class Steps(NamedTuple, Generic[T, S, R]):
    """What is done with an item; both give the same whenever they are called with the same."""

    begin: Callable[[T, Ask], S]
    end: Callable[[S, Ask], R]


class Question(NamedTuple):
    """What a step needs to know, in place of what it should have made."""

    step: int
    words: tuple[Any, ...]


class Answer(NamedTuple):
    """What it was told."""

    to: bytes  #: digest of the question
    value: Any


def begin(made: bytes, item: bytes, known: list[Answer]) -> Any:
    """The first step, on a worker."""
    return _step(0, _THREAD.steps(made).begin, pickle.loads(item), known)  # noqa: S301 - of the run's own client


def end(made: bytes, begun: Any, known: list[Answer]) -> Any:
    """The second step, on a worker."""
    return begun if isinstance(begun, Question) else _step(1, _THREAD.steps(made).end, begun, known)


class _Unknown(Exception):
    """A step asked what nobody has answered yet."""


def _step(number: int, step: Callable[[Any, Ask], Any], value: Any, known: list[Answer]) -> Any:
    """What the step makes of the value, or what it asks; done again, it asks the same and goes on."""
    answers = iter(known)

    def ask(*words: Any) -> Any:
        if (answer := next(answers, None)) is None:
            raise _Unknown(*words)
        assert answer.to == digest(words), "a step asks the same whenever it is done"
        return answer.value

    try:
        return step(value, ask)
    except _Unknown as unknown:
        return Question(number, unknown.args)


def digest(words: tuple[Any, ...]) -> bytes:
    """What tells a question from another."""
    return blake2b(repr(words).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _made(made: bytes) -> Steps[Any, Any, Any]:
    return pickle.loads(made)()  # type: ignore[no-any-return]  # noqa: S301 - as above


class _Thread(threading.local):
    """What a worker's thread has made: what is compiled is not for two threads at a time."""

    def __init__(self) -> None:
        self.steps = lru_cache(maxsize=_MADE_KEPT)(_made)


_THREAD = _Thread()
