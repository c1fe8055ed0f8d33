"""The method in plain PyTorch: networks, losses, one training step, exact tiles, measures.

It imports torch, numpy, scipy, Pillow, safetensors and jaxtyping, and nothing else of this project: a copy of it is a
part of every registered model. `pipelines` and `jobs` import it. Settings and facts that need no torch lie at its top
(`hyperparameters`, `systems`, `options`); the rooms are `networks`, `scene`, `training` and `measures`.
"""
