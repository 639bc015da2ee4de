"""Work on a Dask cluster: items go out to its workers, results come back in the order of the items.

Beside `workers`, which does the same on the cores of this machine. A worker of a cluster cannot wait for an answer from
here: what it asks is its result, and it is given the same item again with what is known by then. Two steps, so that this
costs little: what the first made stays on the worker, and only the step that asked is done again.

    here      item ──▶ begin ─────▶ end? ──question──▶ ask ──▶ end, with the answer ──▶ result, in order
    worker             └ made once, kept there ───────────────┘

`line` holds the line to the cluster, `order` is what is done here, `steps` what is done on a worker.
"""

from etl.cluster.line import check_installed, connected
from etl.cluster.order import Task, in_order
from etl.cluster.steps import Ask, Steps

__all__ = ["Ask", "Steps", "Task", "check_installed", "connected", "in_order"]
