"""Measures of a finished collage: how close it is to its styles, how true to its content, and how it is cut.

Pictures are RGB arrays in 8-bit levels, 0 to 255. `score` takes all measures at once. Nothing here is a loss: what
training minimises is in `magic.training.losses`. Of magic, this package imports `pixels` and `checks` alone; `jobs`
imports it, for validation, `score` and `verify`.
"""
