"""The program of a process that decodes a large picture: prints how much memory that took at its peak, in bytes.

`python -m tests.pipelines.pictures.peak_memory FILE` does so; the file and what was there before do not count.
"""

import gc
import sys
from pathlib import Path

from pipelines.pictures.decoding import decode
from tests.hostile.trial import peak_bytes, reset_peak, rss_bytes


def main(path: str) -> None:
    data = Path(path).read_bytes()
    decode(Path(path).with_name("small.png").read_bytes())  # loads the libraries
    gc.collect()
    before = rss_bytes()
    reset_peak()
    decode(data)
    print(peak_bytes() - before)


if __name__ == "__main__":
    main(sys.argv[1])
