"""`python -m etl.sandbox`: the sandbox as a process of its own, as tests and the default target start it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import orjson

from etl.errors import EtlError
from etl.sandbox.faults import parse
from etl.sandbox.serve import serve
from etl.sandbox.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Serves until stopped; the exit code."""
    given = _parser().parse_args(arguments)
    try:
        serve(
            host=given.host,
            port=given.port,
            db=given.db,
            seed_data=given.seed_data,
            settings=_settings(given),
            faults=[parse(spec) for spec in given.fault],
            ready=lambda url: _announce(given, url),
            parent_pid=given.parent_pid,
        )
    except EtlError as problem:
        sys.stderr.write(f"{problem.message}\n{problem.hint}\n")
        return problem.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    default = Settings()
    parser = argparse.ArgumentParser(prog="python -m etl.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--db", type=Path, required=True, help="the store; made when it is not there")
    parser.add_argument("--seed-data", type=Path, help="folder of CSV files for an empty store")
    parser.add_argument("--ready-file", type=Path, help="written with url, pid and db once requests are taken")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    parser.add_argument("--token", default=default.token, help="the only token to accept; default: any")
    parser.add_argument("--index-lag", type=float, default=default.index_lag_s, metavar="SECONDS")
    parser.add_argument("--settle", type=float, default=default.settle_s, metavar="SECONDS", help="what is announced")
    parser.add_argument("--fault", action="append", default=[], help="e.g. commit_then_reset:p=0.02; can be repeated")
    parser.add_argument("--fault-seed", type=int, default=default.seed)
    parser.add_argument("--limit", type=int, help="requests in 10 s; beyond: 429")
    parser.add_argument("--daily", type=int, default=default.daily_max, help="requests a day, with --limit")
    parser.add_argument("--no-unique-properties", action="store_true", help="refuse unique properties on activities")
    parser.add_argument("--missing-engagement", choices=["empty200", "404"], default=default.missing_engagement)
    return parser


def _settings(given: argparse.Namespace) -> Settings:
    return Settings(
        token=given.token,
        seed=given.fault_seed,
        index_lag_s=given.index_lag,
        settle_s=given.settle,
        window_max=given.limit or Settings().window_max,
        daily_max=given.daily,
        enforce_limits=given.limit is not None,
        unique_properties=not given.no_unique_properties,
        missing_engagement=given.missing_engagement,
    )


def _announce(given: argparse.Namespace, url: str) -> None:
    """Prints the address, and writes the ready file whole: under another name first."""
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    if given.ready_file is not None:
        made = given.ready_file.with_name(f".{given.ready_file.name}.{os.getpid()}")
        made.touch(mode=0o600)
        made.write_bytes(orjson.dumps({"url": url, "pid": os.getpid(), "db": str(given.db.resolve())}))
        made.replace(given.ready_file)


if __name__ == "__main__":
    sys.exit(main())
