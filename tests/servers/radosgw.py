"""Ceph's S3 server on loopback: one monitor, one object store, one gateway that can be stopped and started again."""

import shutil
import subprocess
import uuid
from pathlib import Path

from tests.servers.processes import answers, end, free_port, start, wait_until

PROGRAMS = ("radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "monmaptool")
PACKAGES = "radosgw ceph-mon ceph-osd ceph-common"
ACCESS_KEY, SECRET_KEY = "studio-key-5d1c", "studio-secret-93b7e2f4a0"
"""Those of the only user. Tests look for them in whatever is logged and written."""
CONFIG = """
[global]
fsid = {fsid}
mon_host = {monitors}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
auth_allow_insecure_global_id_reclaim = true
run_dir = {folder}/run
admin_socket = {folder}/run/$name.asok
log_file = {folder}/log/$name.log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_data_avail_crit = 0
mon_data_avail_warn = 0
ms_bind_ipv6 = false
[mon.a]
mon_data = {folder}/mon
[osd.0]
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 2147483648
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_thread_pool_size = 32
ms_mon_client_mode = crc
"""


def missing() -> list[str]:
    """The programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


class Radosgw:
    """The server. Its objects live in memory as long as the store does; the gateway may come and go."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for part in ("mon", "osd", "run", "log"):
            (folder / part).mkdir(parents=True)
        self._config = folder / "ceph.conf"
        self._fsid = str(uuid.uuid4())
        self._monitors = f"[v2:127.0.0.1:{free_port()},v1:127.0.0.1:{free_port()}]"
        config = CONFIG.format(fsid=self._fsid, monitors=self._monitors, folder=folder, port=self.port)
        self._config.write_text(config)
        self._store: list[subprocess.Popen] = []
        self._gateway: subprocess.Popen | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What clients need to know."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_REQUIRED",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "WHEN_REQUIRED",
        }

    def start(self) -> None:
        """Begin an empty store with a user, and open the gateway."""
        monmap, osd = str(self.folder / "monmap"), str(uuid.uuid4())
        made = ["monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", self._monitors, monmap]
        subprocess.run(made, check=True, capture_output=True)
        self._do("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap)
        self._store.append(self._begin("ceph-mon", "-i", "a", "-f"))
        self._do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._do("ceph", "osd", "new", (self.folder / "osd" / "fsid").read_text().strip(), "0")
        self._store.append(self._begin("ceph-osd", "-i", "0", "-f"))
        keys = ("--access-key", ACCESS_KEY, "--secret", SECRET_KEY)
        self._do("radosgw-admin", "user", "create", "--uid", "studio", "--display-name", "Studio", *keys)
        self.open()

    def open(self) -> None:
        """Start the gateway; returns when it answers."""
        self._gateway = self._begin("radosgw", "-n", "client.rgw", "-f")
        wait_until(lambda: answers(self.url), "radosgw", self.folder / "log" / "radosgw", self._gateway)

    def close(self) -> None:
        """Stop the gateway: who asks it anything finds nobody there. What is stored stays."""
        if self._gateway is not None:
            end(self._gateway)

    def stop(self) -> None:
        """End it all; nothing stays."""
        self.close()
        for process in reversed(self._store):
            end(process)

    def _begin(self, program: str, *args: str) -> subprocess.Popen:
        return start([program, "-c", str(self._config), *args], self.folder / "log" / program)

    def _do(self, program: str, *args: str) -> None:
        subprocess.run([program, "-c", str(self._config), *args], check=True, capture_output=True, timeout=120)
