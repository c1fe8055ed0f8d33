"""What a user runs: one module per command of `magic`."""
