"""Data in motion: pictures from storage into batches, tiles out of workers into posters, posters into files.

The rooms, each importing only those before it: `storage`; `pictures` and `workers`; `posters`; `painting` and `export`.
Besides them two modules for all: `progress` and `interrupts`.
May import `magic`; `jobs` imports it. It knows nothing of `cluster`: who calls it has connected Ray already.
"""
