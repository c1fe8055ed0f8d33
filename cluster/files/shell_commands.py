"""Shell commands that users type, and that containers run: the image, the secrets, a first poster."""

from cluster.files.container_environment import DASHBOARD_PORT, DRIVER_RESOURCE
from cluster.files.files_config import ClusterFilesConfig

SERVER_SECRETS = ("database_password", "admin_password", "flask_secret_key")
"""Names of the files that the MLflow server reads its secrets from, see cluster.tracking.serve."""


def build_image(image: str, *, push: bool) -> str:
    """A command that builds the image and, with push, uploads it. REPOSITORY stands for this project's folder."""
    build = f"docker build --tag {image} REPOSITORY"
    return f"{build} && docker push {image}" if push else build


def create_secrets(*names: str) -> list[str]:
    """Commands that write random secrets into secrets/NAME, which only the user may read. Existing ones stay."""
    each = f"for name in {' '.join(names)}; do"
    return [
        "umask 077; mkdir -p secrets",
        f"{each} [ -s secrets/$name ] || openssl rand -hex 32 | tr -d '\\n' > secrets/$name; done",
    ]


def pin_database(config: ClusterFilesConfig) -> list[str]:
    """A command that shows the digest of the database's image, to render the files with; none if they have it."""
    image = config.database_image
    if config.tracking_uri or "@" in image:
        return []
    inspect = f"docker buildx imagetools inspect {image} --format '{{{{.Manifest.Digest}}}}'"
    return [f"{inspect}  # then render with --database-image {image}@sha256:..., for the same image ever after"]


def submit_first_poster(config: ClusterFilesConfig) -> str:
    """A command that submits a first job to the cluster, through a tunnel to its dashboard's port."""
    submit = f"magic submit --address http://127.0.0.1:{DASHBOARD_PORT} --driver-resource {DRIVER_RESOURCE}"
    return f"{submit} {first_poster(config)}"


def job_command(config: ClusterFilesConfig) -> str:
    """The command that a job on the cluster runs: the user's own, else a first poster."""
    return config.command or f"magic {first_poster(config)}"


def first_poster(config: ClusterFilesConfig) -> str:
    """The arguments of `magic` for a poster of a picture on storage."""
    storage = config.storage
    picture = f"--content {storage}/content.jpg --width 8000 --out {storage}/posters/first"
    return f"poster --model models:/magic-demo@current {picture}"
