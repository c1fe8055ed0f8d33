"""Data in motion: pictures from storage into batches, tiles out of workers into stores."""
