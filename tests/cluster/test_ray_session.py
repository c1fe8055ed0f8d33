import subprocess
import sys

ADDRESSES = ["127.0.0.1:9", "ray://127.0.0.1:9", "nobody.invalid:6379", "127.0.0.1:99999", "[::1]:9", "a b", "nonsense"]
JOIN = """
import sys
from cluster.connection import ClusterConfig
from cluster.ray_session import ray_session
for address in sys.argv[1:]:
    try:
        with ray_session(ClusterConfig(address=address)):
            print("joined")
    except ValueError as error:
        print(error)
"""


def test_an_address_where_no_cluster_is_gets_one_line_at_once():
    """Of itself, Ray tries for minutes."""
    command = [sys.executable, "-c", JOIN, *ADDRESSES]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert len(lines) == len(ADDRESSES)
    for address, line in zip(ADDRESSES, lines, strict=True):
        assert line.startswith(f"expected a Ray cluster at {address}, got: ")
        assert line.endswith("; start it or leave it out")
