"""`etl schema`: the mapping language for editors."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("what", metavar="mapping", type=click.Choice(["mapping"]))
def schema(what: str) -> None:
    """Print the JSON Schema of the mapping language, by which editors complete and check a mapping.

    Save it as mapping.schema.json beside your mappings, and begin each of them with the line

    # yaml-language-server: $schema=mapping.schema.json
    """
    del what  # there is one
    from etl.mapping import json_schema

    click.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))
