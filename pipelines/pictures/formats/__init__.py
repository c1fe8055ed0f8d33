"""What is particular to single formats of picture files, and to the colours that they hold.

Used by `pipelines.pictures.decoding` alone, which says what is done to a picture as a whole.
"""
