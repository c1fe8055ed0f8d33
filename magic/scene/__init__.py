"""What is painted, as a function of global coordinates, and the rendering of it tile by tile.

`scene` is the place to begin: a content picture (`content`), a memory set of templates (`memory`) and a canvas; each
yields the pixels of any box that is asked for, and the same pixel in every box. `renderer` runs a generator over tiles
of a scene; `reference` renders a whole canvas within one process, for checks. Of magic, this package imports
`networks`, `hyperparameters`, `geometry`, `pixels`, `precision` and `checks`; never `training` or `measures`.
`pipelines` and `jobs` import it, for posters and, with `memory`, for the crops of training.
"""
