# One image for everything: Ray's head and workers, the MLflow server, and the command `magic`.
#
#   docker build --tag magic-collage .
#
# torch brings CUDA along; the machine brings NVIDIA's driver.
FROM python:3.11-slim

# wget: KubeRay's probes. ssh and rsync: how Ray's cluster launcher reaches its machines
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openssh-client rsync wget \
    && rm -rf /var/lib/apt/lists/*

# Ray's launcher takes the home from here, and takes the user for the machine's own, number 1000
ENV HOME=/home/magic \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1
RUN useradd --uid 1000 --create-home --home-dir /home/magic --shell /bin/bash magic \
    && install --directory --owner=magic --group=magic --mode=0700 /home/magic/.ray /home/magic/.mlflow

# What the project needs changes seldom: its own layer, made without the project
WORKDIR /opt/magic
COPY pyproject.toml constraints.txt ./
RUN touch README.md LICENSE \
    && pip install --no-cache-dir --constraint constraints.txt '.[server]'

COPY . .
RUN pip install --no-cache-dir --no-deps --force-reinstall .

USER 1000:1000
WORKDIR /home/magic
CMD ["magic", "--help"]
