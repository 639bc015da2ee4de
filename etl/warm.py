"""What the server process of the workers imports and does once, so that no worker has to."""

from etl import partitions, validate

validate.warm_up()

__all__ = ["partitions"]
