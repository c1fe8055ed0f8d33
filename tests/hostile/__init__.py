"""Hostile and odd inputs, made at random: what is read right, refused in one line, or found damaged.

`kinds.py` lists the kinds of cases. `test_hostile.py` tries some of each with fixed seeds;
`python -m benchmarks.hostile NUMBER SEED` tries as many as one likes with any seed.
"""
