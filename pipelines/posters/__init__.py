"""Posters on storage: their layers in tiles and pyramids, what is recorded of them, and finished ones to read.

May import `pipelines.storage`, `pipelines.pictures`, `pipelines.workers` and `magic`. Painting writes posters through
it; exports, checks and the commands in `jobs` read them through it.
"""
