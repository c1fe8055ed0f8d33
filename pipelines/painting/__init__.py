"""Painting a poster exactly, tile by tile on a pool of workers, with the plan before it and the check after it.

May import all other rooms of `pipelines` but export, and `magic`. The commands in `jobs` import it.
"""
