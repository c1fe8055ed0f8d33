"""Picture files made at random, with the pixels that a reader has to find in them, and a second reader."""
