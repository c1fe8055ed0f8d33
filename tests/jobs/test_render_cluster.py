import pytest

from cluster.files.files_config import ClusterFilesConfig
from jobs.render_cluster import cluster
from jobs.settings.cluster_config import RenderClusterConfig

FILES = ClusterFilesConfig(image="magic:1", storage="s3://bucket/magic")


def test_files_are_written_and_written_anew(tmp_path, capsys):
    out = tmp_path / "deep" / "files"
    written = cluster(RenderClusterConfig(action="render", target="kuberay", files=FILES, out=str(out)))
    yaml = {"raycluster.yaml", "rayjob.yaml", "network.yaml", "mlflow.yaml"}
    assert {path.name for path in written} == {".gitignore", *yaml}
    shown = capsys.readouterr().out
    assert f"wrote {out / 'raycluster.yaml'}" in shown
    assert "kubectl apply -f raycluster.yaml" in shown
    assert shown.count("kubectl apply -f network.yaml") == 1
    first = (out / "raycluster.yaml").read_text()
    cluster(RenderClusterConfig(action="render", target="kuberay", files=FILES, out=str(out)))
    assert (out / "raycluster.yaml").read_text() == first


def test_the_folder_that_is_to_be_typed_is_one_word(tmp_path, capsys):
    out = tmp_path / "my files; id"
    cluster(RenderClusterConfig(action="render", target="compose", files=FILES, out=str(out)))
    assert f"cd '{out}'" in capsys.readouterr().out


def test_the_home_folder_is_spelled_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    cluster(RenderClusterConfig(action="render", target="compose", files=FILES, out="~/files"))
    assert f"cd {tmp_path}/files\n" in capsys.readouterr().out
    assert (tmp_path / "files" / "compose.yaml").exists()


def test_a_file_of_somebody_else_stays(tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    with pytest.raises(ValueError, match=r"expected a file of ours or none at .*compose\.yaml, got another's"):
        cluster(RenderClusterConfig(action="render", target="compose", files=FILES, out=str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["compose.yaml"]
