"""What is made of a finished poster: files for print and screen, a folder with a viewer, and its attribution.

`formats` is the table of file formats and imports nothing heavy, so that settings can offer them. May import all other
rooms of `pipelines` but painting, and `magic`; the commands in `jobs` import it.
"""
