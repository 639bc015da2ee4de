"""A preset as the beginning of a mapping of one's own: its text, with zone and region said or marked."""

from __future__ import annotations

from collections.abc import Sequence

from etl.guess.draft import NO_ZONE
from etl.guess.known import Preset, needed, with_source
from etl.guess.result import Guess
from etl.guess.written import comment
from etl.mapping import columns_read


def from_preset(preset: Preset, names: Sequence[str], timezone: str, region: str) -> Guess:
    """The preset's text for a file with these columns; a zone that the preset leaves open is marked, unless it was said."""
    mapping = preset.mapping
    doubts = []
    if not timezone and mapping.source.timezone:
        zone = mapping.source.timezone
        asked = f"{zone} is the preset's; is it the zone of this file's times?"
        doubts.append(f"timezone: {asked if preset.zoned else NO_ZONE}")
    if not region and mapping.source.region:
        doubts.append(f"region: {mapping.source.region}, the country of numbers without a country code?")
    text = with_source(with_source(preset.text, "timezone", timezone), "region", region)
    names = mapping.source.names or names
    unused = tuple(name for name in names if name not in {*columns_read(mapping), *needed(mapping)})
    as_well = (
        "which can be used by its name as well" if preset.as_it_is else "which reads the same columns of CSV files"
    )
    lines = [f"# This file looks like `{preset.name}`: begun from that preset, {as_well}."]
    lines += [f"# check: {comment(doubt)}" for doubt in doubts]
    lines += [f"# Columns that nothing reads: {comment(', '.join(unused))}"] if unused else []
    tables = tuple(mapping.tables.values())
    return Guess("\n".join([*lines, text]), preset.name, tuple(mapping.metadata), tuple(doubts), unused, tables)
