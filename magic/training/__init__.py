"""Training: the objective, one step of generator and discriminator, and the state that a checkpoint holds.

`step` is the place to begin; a new loss term goes into `losses`. Of magic, this package imports `networks`, the
settings (`hyperparameters`), `pixels`, `precision` and `checks`. The training loops in `jobs` import it, and the
pipelines that make its `Batch`; rendering (`magic.networks`, `magic.scene`) never does.
"""
