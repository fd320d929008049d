// Simple non-iterative clustering (Achanta, Suesstrunk, "Superpixels and Polygons using Simple Non-Iterative
// Clustering", CVPR 2017).
#pragma once

#include <cstdint>

namespace ainet {

// lab: height x width x 3, CIELAB. Seeds are the centres of rows x columns cells, each of at least one pixel.
// compactness: colour distance that weighs as much as the side of a cell. labels: height x width, each of
// 0 .. rows * columns - 1 (the cells, row by row) one 4-connected region.
void snic(const float* lab, int height, int width, int rows, int columns, double compactness, int32_t* labels);

}  // namespace ainet
