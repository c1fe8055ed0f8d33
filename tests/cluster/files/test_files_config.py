import pytest

from cluster.files.files_config import ClusterFilesConfig, GpuWorkersConfig, HeadConfig, WorkersConfig
from cluster.files.targets import render
from tests.cluster.files.rendered import LOCAL, PLAIN


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "Studio"}, "expected a name of up to 40 lower-case letters"),
        ({"namespace": "-x"}, "expected a namespace"),
        ({"storage": "bucket/folder"}, "expected storage as s3://"),
        ({"storage": "s3://bucket/"}, "without a / at the end"),
        ({"storage": "s3://key:word@bucket"}, "expected storage as s3://"),
        ({"endpoint": "store:9000"}, r"expected endpoint as http\(s\)"),
        ({"tracking_uri": "https://me:hush@host"}, "without user and password, got 'one with a user'"),
        ({"image": "two words"}, "expected an image's name"),
        ({"command": "a\nb"}, "expected a command of one line"),
        ({"idle_timeout_s": 0}, "expected idle-timeout-s >= 1"),
    ],
)
def test_a_config_that_cannot_work_is_refused(settings, message):
    with pytest.raises(ValueError, match=message) as refused:
        ClusterFilesConfig(**{"image": "magic", "storage": "s3://bucket"} | settings)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WorkersConfig(min_workers=5), "expected min-workers <= max-workers = 4, got 5"),
        (lambda: GpuWorkersConfig(gpus=0), "expected gpus >= 1"),
        (lambda: GpuWorkersConfig(min_workers=5), "expected min-workers"),
        (lambda: HeadConfig(memory_gb=0), "expected memory-gb >= 1"),
    ],
)
def test_groups_that_cannot_work_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("target", "config", "message"),
    [
        ("aws", PLAIN, "expected an MLflow server for aws"),
        ("aws", ClusterFilesConfig(image="m", storage="/srv", tracking_uri="http://m"), "expected storage as s3://"),
        ("kuberay", LOCAL, "expected storage as s3://"),
    ],
)
def test_what_a_target_needs_is_asked_for(target, config, message):
    with pytest.raises(ValueError, match=message):
        render(target, config)
