"""What the server process of the workers imports and does once, so that no worker has to."""

import gc

gc.set_threshold(50_000)  # as in `etl.cli`

from etl import partitions, validate  # noqa: E402

validate.warm_up()
gc.freeze()  # what the workers share stays as it is

__all__ = ["partitions"]
