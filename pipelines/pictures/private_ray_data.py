"""The private names of Ray Data that the stream of batches needs.

`tests/pipelines/pictures/test_private_ray_data.py` fails with a clear word when a new release moves one.
"""

from ray.data._internal.datasource.range_datasource import RangeDatasource
from ray.data._internal.execution.execution_callback import ExecutionCallback

__all__ = ["ExecutionCallback", "RangeDatasource"]
# RangeDatasource: a dataset of numbers whose read tasks ask for a given share of a CPU. The public ray.data.range
#   takes no num_cpus, so its tasks would ask for a whole CPU each and starve where training workers hold the rest.
# ExecutionCallback: what DataContext.custom_execution_callback_classes, which is public, wants subclasses of.
