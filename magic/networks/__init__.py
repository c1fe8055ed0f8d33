"""The networks: the generator of every system, the discriminator and their parts, and a generator as bytes.

`generator` is the place to begin; `norm` explains how a network stops before each norm so that tiles can share
statistics. Of magic, this package imports the settings (`hyperparameters`), `geometry`, `precision` and
`checks`; it knows nothing of scenes, training or measures. `magic.scene` and `magic.training` build on it, and
`pipelines` and `jobs` pack, load and plan generators with it.
"""
