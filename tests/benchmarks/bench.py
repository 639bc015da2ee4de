"""Holds the product to the script that a competent user would write: `python tests/benchmarks/bench.py transform|plan`.

`transform` compares `etl transform` (and with `--low-memory`) with baseline_pandas.py, payload by payload and reject by
reject. `plan` compares `etl plan` with the same script, which stages nothing; `again` is the plan of a night in which
nothing changed, `changed` of one in which every hundredth row says something else. All run in turn, A B A B, so that a drift of the machine hits all, and medians are printed. A first round
apart from these is looked at while it runs, which slows it: for CPU time and peak memory (proportional set size, sampled)
of the process and all its helpers together.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

HERE = Path(__file__).resolve().parent
MAPPING = HERE / "calls.yaml"


class Cost(NamedTuple):
    """What one run of a process took."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> int:
    """0 if all ran and said the same, 1 if something differs or failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("transform", "plan"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder for input and outputs, kept (default: a temporary one)")
    options = parser.parse_args()
    work = (options.work or Path(tempfile.mkdtemp(prefix="etl-bench-"))).resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        return compare(options.what, options.rows, options.runs, work)
    finally:
        if not options.work:
            shutil.rmtree(work)


def compare(what: str, rows: int, runs: int, work: Path) -> int:
    """Runs both in turn and prints a line for each; the exit code."""
    source = work / f"calls_{rows}.csv"
    if not source.exists():
        run([sys.executable, str(HERE / "generate.py"), str(rows), str(source)], work)
    product = product_command(what, source, work)
    if what == "transform":
        second = {"low memory": [*product, "--low-memory"]}
    else:
        second = {"again": product, "changed": [*product_command(what, _changed(source), work), "--update-changed"]}
    peers = {"baseline": baseline_command(source, work), what: product, **second}
    costs: dict[str, Cost] = {}
    walls_s: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(1 + runs):
        for name, command in peers.items():
            if name in ("again", "changed"):
                _as_if_sent(work / "state/bench.sqlite")
            else:
                shutil.rmtree(work / "state", ignore_errors=True)
            if turn == 0:
                costs[name] = run_watched(command, work)
            else:
                walls_s[name].append(run(command, work))
    _print(rows, costs, walls_s)
    return _print_differences(work) if what == "transform" else 0


def baseline_command(source: Path, work: Path) -> list[str]:
    """The script, which writes into `work`."""
    script = str(HERE / "baseline_pandas.py")
    return [sys.executable, script, str(source), str(work / "baseline.jsonl"), str(work / "baseline.rejects.csv")]


def product_command(what: str, source: Path, work: Path) -> list[str]:
    """The product, which writes into `work`."""
    command = [sys.executable, "-m", "etl", what, str(source), "-m", str(MAPPING)]
    if what == "plan":
        return [*command, "--checkpoint", str(work / "state/bench.sqlite")]
    return [*command, "-o", str(work / "transform.jsonl"), "--rejects", str(work / "transform.rejects.csv")]


def run(command: list[str], work: Path) -> float:
    """The seconds that one run takes to its end; a run that fails stops the benchmark (exit 3: finished, with rejects)."""
    with _started(command, work) as process:
        start = time.perf_counter()
        process.wait()
        return time.perf_counter() - start


def run_watched(command: list[str], work: Path, every_s: float = 0.3) -> Cost:
    """The cost of one run, which is a little slower for being looked at."""
    with _started(command, work) as process:
        start = time.perf_counter()
        cpu_s, peak_kib = dict[int, float](), 0
        while process.poll() is None:
            family = _family(process.pid)
            cpu_s |= {pid: used for pid in family if (used := _cpu_s(pid))}
            peak_kib = max(peak_kib, sum(map(_pss_kib, family)))
            time.sleep(every_s)
        return Cost(time.perf_counter() - start, sum(cpu_s.values()), peak_kib / 1024)


@contextmanager
def _started(command: list[str], work: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(HERE.parent.parent)
    os.sync()  # who makes its data durable must not wait for what the one before left to be written
    with (work / "stderr.txt").open("w+b") as errors:
        with subprocess.Popen(command, cwd=work, env=environment, stdout=subprocess.DEVNULL, stderr=errors) as process:
            yield process
        if process.returncode not in (0, 3):
            errors.seek(0)
            sys.exit(f"{' '.join(command)}\nended with {process.returncode}:\n{errors.read()[-2000:].decode()}")


def _changed(source: Path) -> Path:
    """The input with another text in every hundredth row, beside it."""
    path = source.with_stem(f"{source.stem}_changed")
    if not path.exists():
        with source.open(newline="") as lines, path.open("w", newline="") as out:
            rows = csv.reader(lines)
            header = next(rows)
            notes, writer = header.index("notes"), csv.writer(out, lineterminator="\n")
            writer.writerow(header)
            for number, row in enumerate(rows):
                if number % 100 == 0 and len(row) == len(header):
                    row[notes] += " (changed)"
                writer.writerow(row)
    return path


def _as_if_sent(checkpoint: Path) -> None:
    """Lets a plan's rows pass for created (but for their seals, which planning does not look at)."""
    with closing(sqlite3.connect(checkpoint)) as db, db:
        db.execute("UPDATE row SET state = 'created', remote_id = id")
        db.execute("UPDATE plan SET sent = 1, looked = 0")


def _family(pid: int) -> list[int]:
    """The process and all below it."""
    parents: dict[int, int] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError, IndexError):
                parents[int(path.name)] = int(_stat(int(path.name))[1])
    found, new = [pid], [pid]
    while new := [each for each, parent in parents.items() if parent in new]:
        found += new
    return found


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def _cpu_s(pid: int) -> float:
    with suppress(OSError, IndexError):
        return (int(_stat(pid)[11]) + int(_stat(pid)[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _pss_kib(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _print(rows: int, costs: Mapping[str, Cost], walls_s: Mapping[str, list[float]]) -> None:
    """A table of medians; the last column is how many times as many rows a second as the baseline."""
    print(f"{'':10} {'rows/s':>10} {'wall s':>8} {'(min-max)':>15} {'CPU s':>8} {'peak MiB':>9} {'x baseline':>10}")
    base_s = statistics.median(walls_s["baseline"])
    for name, each_s in walls_s.items():
        wall_s, cost = statistics.median(each_s), costs[name]
        spread = f"({min(each_s):.2f}-{max(each_s):.2f})"
        figures = f"{rows / wall_s:10,.0f} {wall_s:8.2f} {spread:>15} {cost.cpu_s:8.2f} {cost.peak_mib:9.0f}"
        print(f"{name:10} {figures} {base_s / wall_s:10.2f}", flush=True)


def _print_differences(work: Path) -> int:
    """1 if payloads or rejected rows differ, else 0; says so."""
    payloads = [digest(work / f"{name}.jsonl") for name in ("baseline", "transform")]
    rejects = [rejected(work / f"{name}.rejects.csv") for name in ("baseline", "transform")]
    same = payloads[0] == payloads[1]
    print(f"payloads: {'equal' if same else 'DIFFERENT'}, {payloads[0][0]:,} and {payloads[1][0]:,}")
    odd = sorted(rejects[0] ^ rejects[1])
    print(
        f"rejects: {f'DIFFERENT, such as {odd[:3]}' if odd else 'equal'}, {len(rejects[0]):,} and {len(rejects[1]):,}"
    )
    return int(not same or bool(odd))


def digest(path: Path) -> tuple[int, int]:
    """How many payloads a file of JSON lines holds, and a sum over them that their order does not change."""
    count = total = 0
    with path.open("rb") as lines:
        for line in lines:
            payload = orjson.loads(line)
            parts = {
                part: _full(payload.get(part)) for part in ("engagement", "associations", "attachments", "metadata")
            }
            text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
            total += int.from_bytes(hashlib.blake2b(text, digest_size=12).digest(), "big")
            count += 1
    return count, total


def rejected(path: Path) -> set[str]:
    """The ids of the calls that were rejected."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["call_id"] for row in csv.DictReader(file)}


def _full(value: Any) -> Any:
    """`value` without the members of objects that are null, an empty text or an empty list."""
    if isinstance(value, dict):
        return {name: _full(member) for name, member in value.items() if member not in (None, "", [], {})}
    return value


if __name__ == "__main__":
    sys.exit(main())
