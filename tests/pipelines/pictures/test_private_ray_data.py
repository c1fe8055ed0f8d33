"""Canary tests: each fails with a clear sentence if a release of Ray moves or changes a private name that we use."""

import inspect

import ray.data

from tests.private_names import private_name

USER = "pipelines/pictures/private_ray_data.py"
MESSAGE = f"ray {ray.__version__} has another {{}}: change {USER}"


def test_the_range_datasource_is_where_it_was_and_takes_the_same_arguments():
    module = "ray.data._internal.datasource.range_datasource"
    source = private_name("ray", module, "RangeDatasource", user=USER)
    parameters = set(inspect.signature(source.__init__).parameters)
    assert {"n", "block_format", "column_name"} <= parameters, MESSAGE.format("RangeDatasource")


def test_execution_callbacks_are_told_of_every_step_of_the_scheduler():
    module = "ray.data._internal.execution.execution_callback"
    callback = private_name("ray", module, "ExecutionCallback", user=USER)
    assert callable(getattr(callback, "on_execution_step", None)), MESSAGE.format("ExecutionCallback")
    context = ray.data.DataContext.get_current()
    assert hasattr(context, "custom_execution_callback_classes"), MESSAGE.format("DataContext")
