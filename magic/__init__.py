"""The MAGIC method in plain PyTorch: models, losses, one training step, exact tiles."""
