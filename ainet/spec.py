"""Constants that every AINet and SCN model shares.

The networks see RGB float32 in [0, 1] minus `MEAN`, and answer with `NEIGHBOURS` values per pixel: one for each grid
cell of the 3x3 block around the pixel's own cell, in raster order (top-left, top, ..., bottom-right).
"""

CELL_SIZE = 16  # height and width of a grid cell, in working pixels; the networks halve the resolution four times
NEIGHBOURS = 9
MEAN = (0.411, 0.432, 0.45)  # subtracted from R, G, B in [0, 1]; there is no division by a deviation
EMBEDDING_CHANNELS = 16  # channels of the grid embedding M and of the pixel embedding e
