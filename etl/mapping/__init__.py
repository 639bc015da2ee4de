"""YAML -> `Mapping`: frozen models with file:line:column, every mistake at once, and warnings.

A room of its own because everything about how a mapping is written ends here: nobody else knows YAML.
"""

from etl.mapping.lint import lint
from etl.mapping.model import Mapping
from etl.mapping.names import check_header, columns_read
from etl.mapping.parse import examine, parse
from etl.mapping.presets import load, presets, written
from etl.mapping.schema import json_schema

__all__ = [
    "Mapping",
    "check_header",
    "columns_read",
    "examine",
    "json_schema",
    "lint",
    "load",
    "parse",
    "presets",
    "written",
]
