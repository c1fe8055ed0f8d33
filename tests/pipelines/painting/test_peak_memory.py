"""The look at a worker before a poster is planned."""

import pytest
import torch

from pipelines.painting.peak_memory import peak_memory


@pytest.mark.parametrize("block_bytes", [50_000, 5_000_000])
def test_memory_that_was_used_and_freed_before_counts_again(block_bytes):
    """A worker of Ray's paints poster after poster; the blocks are below and above what malloc maps by itself."""
    wanted = 60_000_000
    kept = []
    for _ in range(3):
        peak = peak_memory(torch.device("cpu"))
        blocks = [torch.ones(block_bytes, dtype=torch.uint8) for _ in range(wanted // block_bytes)]
        kept.append(torch.ones(1000))  # behind them, so that they do not go back to the system when they are freed
        assert 0.9 * wanted < peak() < 1.5 * wanted
        del blocks
