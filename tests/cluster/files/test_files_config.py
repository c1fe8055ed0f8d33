import pytest

from cluster.files.files_config import ClusterFilesConfig, GpuWorkersConfig, HeadConfig, WorkersConfig
from cluster.files.targets import render, steps
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
        ({"storage": "s3://bucket/../other"}, "expected storage as s3://"),
        ({"storage": "/srv/$HOME"}, "expected storage as s3://"),
        ({"storage": "s3://b"}, "expected storage as s3://"),
        ({"endpoint": "http://store:99999"}, r"expected endpoint as http\(s\)://HOST:PORT"),
        ({"endpoint": "http://store:0"}, r"expected endpoint as http\(s\)://HOST:PORT"),
        ({"endpoint": "http://store;reboot"}, r"expected endpoint as http\(s\)://HOST:PORT"),
        ({"tracking_uri": "http://[::1"}, r"expected tracking-uri as http\(s\)://HOST:PORT"),
        ({"tracking_uri": "http://host:port"}, r"expected tracking-uri as http\(s\)://HOST:PORT"),
        ({"image": "two words"}, "expected image as NAME:TAG or NAME@sha256:DIGEST, got 'two words'; name one"),
        ({"image": "magic;reboot"}, "expected image as"),
        ({"image": "$(reboot)"}, "expected image as"),
        ({"image": "--help"}, "expected image as"),
        ({"image": "magic@sha256:f00"}, "expected image as"),
        ({"image": ""}, "expected image as"),
        ({"database_image": "postgres:17`id`"}, "expected database-image as"),
        ({"region": "us-east-1;id"}, "expected region of letters, digits"),
        ({"region": ""}, "expected region of letters, digits"),
        ({"ami": "ami-1 --x"}, "expected ami of letters, digits"),
        ({"command": "a\nb"}, "expected a command of one line"),
        ({"command": "a\x1b[2Jb"}, "expected a command of one line"),
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
        (lambda: HeadConfig(instance_type="m7i large"), "expected instance-type of letters"),
        (lambda: WorkersConfig(instance_type="$(id)"), "expected instance-type of letters"),
        (lambda: GpuWorkersConfig(gpu_product="H100 'PCIe'"), "expected gpu-product of letters"),
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


DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "settings",
    [
        {"image": "registry.example:5000/team/magic_a.b:v1.2"},
        {"image": f"magic@{DIGEST}", "database_image": f"docker.io/library/postgres:17@{DIGEST}"},
        {"endpoint": "https://[2001:db8::1]:9000/s3", "region": "garage"},
        {"storage": "s3://bucket/a.b_c=d/..e", "tracking_uri": "http://mlflow.internal:5000/base"},
    ],
)
def test_a_config_that_can_work_is_taken(settings):
    ClusterFilesConfig(**{"image": "magic", "storage": "s3://bucket"} | settings)


def test_the_database_can_be_the_same_image_ever_after():
    pinned = ClusterFilesConfig(image="magic", storage="/srv/magic", database_image=f"postgres:17@{DIGEST}")
    assert f"image: postgres:17@{DIGEST}" in render("compose", pinned)["compose.yaml"]
    assert not any("imagetools" in step for step in steps("compose", pinned))
    for target in "kuberay", "compose":
        found = [step for step in steps(target, PLAIN) if "imagetools inspect postgres:17" in step]
        assert len(found) == 1, "a tag is not a digest: the commands to type tell how to find it"
