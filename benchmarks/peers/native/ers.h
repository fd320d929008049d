// Entropy rate superpixels (Liu, Tuzel, Ramalingam, Chellappa, "Entropy Rate Superpixel Segmentation", CVPR 2011).
#pragma once

#include <cstdint>
#include <vector>

namespace ainet {

// Cuts the 8-connected grid graph of height x width pixels into `segments` parts (1 to the number of pixels).
//
// weights: 4 x height x width edge weights >= 0, of each pixel to its upper right, lower right, lower and right
// neighbour; those of neighbours outside are not looked at. balance: lambda' of the paper, the weight of balance relative
// to the entropy rate. labels: height x width, 0 .. segments - 1 in order of first appearance; parts are 8-connected.
// Returns the gain of every edge taken; but for rounding they never grow.
std::vector<double> entropy_rate_superpixels(
    const double* weights, int height, int width, int segments, double balance, int32_t* labels);

}  // namespace ainet
