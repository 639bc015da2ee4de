"""How rate and memory go with the input's size: `python tests/benchmarks/growth.py [--most 10000000] [--pictures docs]`.

Runs baseline, `etl transform` and `etl plan` in turn for each size from 10 thousand rows on, one run each, looked at
once a second, and prints a line for each. With `--pictures` it draws what it found: rate.svg and memory.svg.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import log10
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.benchmarks.bench import baseline_command, product_command, run, run_watched  # noqa: E402 - the path first

SIZES = (10_000, 100_000, 1_000_000, 3_000_000, 10_000_000)
_ENOUGH = 3_000_000  # rows; the script's line is straight by then, and it takes minutes
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 320, 70, 130, 40, 45
_COLOURS = {"pandas script": "#8a8f98", "etl transform": "#1f6feb", "etl plan": "#d1622b"}


class Point(NamedTuple):
    """What one run took."""

    rows: int
    rows_per_s: float
    peak_mib: float


def main() -> int:
    """0 if all ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="rows of the largest input")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="etl-growth-"))
    try:
        found = measure([rows for rows in SIZES if rows <= options.most], work)
    finally:
        shutil.rmtree(work)
    if options.pictures:
        rates = {name: [(p.rows, p.rows_per_s / 1000) for p in points] for name, points in found.items()}
        peaks = {name: [(p.rows, p.peak_mib) for p in points] for name, points in found.items()}
        (options.pictures / "rate.svg").write_text(drawn("thousand rows a second, by rows of the input", rates))
        (options.pictures / "memory.svg").write_text(
            drawn("peak memory of all processes in MiB, by rows of the input", peaks)
        )
    return 0


def measure(sizes: Sequence[int], work: Path) -> dict[str, list[Point]]:
    """The runs of each peer, by its name."""
    found: dict[str, list[Point]] = {name: [] for name in _COLOURS}
    print(f"{'':15} {'rows':>12} {'rows/s':>10} {'peak MiB':>9}")
    for rows in sizes:
        source = work / "calls.csv"
        run([sys.executable, str(HERE / "generate.py"), str(rows), str(source)], work)
        commands = (
            baseline_command(source, work),
            *(product_command(what, source, work) for what in ("transform", "plan")),
        )
        for name, command in zip(_COLOURS, commands, strict=True):
            if name == "pandas script" and rows > _ENOUGH:
                continue
            shutil.rmtree(work / "state", ignore_errors=True)
            cost = run_watched(command, work, every_s=0.1 if rows < 1_000_000 else 1)
            found[name].append(point := Point(rows, rows / cost.wall_s, cost.peak_mib))
            print(f"{name:15} {rows:12,} {point.rows_per_s:10,.0f} {point.peak_mib:9.0f}", flush=True)
    return found


def drawn(title: str, lines: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    """Lines over the number of rows (logarithmic) as an SVG picture."""
    rows = [row for points in lines.values() for row, _ in points]
    least, most, top = (
        log10(min(rows)),
        log10(max(rows)),
        _ceiling(max(y for points in lines.values() for _, y in points)),
    )

    def place(row: float, value: float) -> tuple[float, float]:
        x = _LEFT + (log10(row) - least) / (most - least or 1) * (_WIDTH - _LEFT - _RIGHT)
        return round(x, 1), round(_HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM), 1)

    parts = [f'<text x="{_LEFT}" y="22" font-weight="bold">{title}</text>', *_axes(sorted(set(rows)), top, place)]
    for name, points in lines.items():
        places = [place(*point) for point in points]
        path = " ".join(f"{x},{y}" for x, y in places)
        x, y = places[-1]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{_COLOURS[name]}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="4" fill="{_COLOURS[name]}"/>' for x, y in places]
        parts.append(f'<text x="{x + 10}" y="{y + 4}" fill="{_COLOURS[name]}">{name}</text>')
    style = 'font-family="system-ui, sans-serif" font-size="13" fill="#57606a"'
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} {style} role="img" aria-label="{title}">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _axes(rows: Sequence[int], top: float, place: Callable[[float, float], tuple[float, float]]) -> Iterator[str]:
    for step in range(5):
        value = top * step / 4
        x, y = place(rows[0], value)
        yield f'<line x1="{x}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#d8dee4"/>'
        yield f'<text x="{x - 10}" y="{y + 4}" text-anchor="end">{value:,.0f}</text>'
    for row in rows:
        x, y = place(row, 0)
        name = f"{row // 1_000_000} million" if row >= 1_000_000 else f"{row:,}"
        yield f'<text x="{x}" y="{y + 20}" text-anchor="middle">{name}</text>'


def _ceiling(value: float) -> float:
    """The next of 1, 2, 4, 6, 8 times a power of ten."""
    power = 10.0 ** int(log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)


if __name__ == "__main__":
    sys.exit(main())
