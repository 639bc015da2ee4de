"""What the server process of the workers imports and does once, so that no worker has to."""

from etl import half_one, validate

validate.warm_up()

__all__ = ["half_one"]
