"""Canaries: each fails when a release of Ray moves or changes a private name that the stream of batches needs."""

import inspect

import ray.data


def test_the_range_datasource_is_where_it_was_and_takes_the_same_arguments():
    from pipelines.pictures.private_ray_data import RangeDatasource

    parameters = set(inspect.signature(RangeDatasource.__init__).parameters)
    message = f"Ray {ray.__version__} changed RangeDatasource: see pipelines/pictures/private_ray_data.py"
    assert {"n", "block_format", "column_name"} <= parameters, message


def test_execution_callbacks_are_told_of_every_step_of_the_scheduler():
    from pipelines.pictures.private_ray_data import ExecutionCallback

    message = f"Ray {ray.__version__} changed ExecutionCallback: see pipelines/pictures/private_ray_data.py"
    assert callable(getattr(ExecutionCallback, "on_execution_step", None)), message
    assert hasattr(ray.data.DataContext.get_current(), "custom_execution_callback_classes"), message
