// The graph of a label map: its regions, the borders between them, and sums over pixels that describe both.
#pragma once

#include <cstdint>
#include <vector>

namespace ainet {

// Sums of a region: its pixels, L, a, b, |Lab|^2, and histograms of L and of the size of the gradient of L.
constexpr int kHistogramBins = 8;
constexpr int kRegionSums = 5 + 2 * kHistogramBins;

// Sums of a border, over the sides of pixels where its two regions touch: their number, the distance in Lab of the two
// pixels at the side, that of the 3x3 means two pixels further out on either side, and the gradient. After these come, for
// each channel of a border map, the mean of the two pixels, then for each the difference of the pixels two further out.
constexpr int kBorderSums = 4;

// A feature map over image positions, (height, width, channels): the pixel (y, x) of the image lies in (rows[y], columns[x]).
struct BorderMap {
    const float* values;
    int width, channels;
    const int32_t *rows, *columns;
};

struct RegionGraph {
    std::vector<float> regions;  // (K, kRegionSums)
    std::vector<int32_t> edges;  // (E, 2), the smaller region first; by the first side in raster order, right before below
    std::vector<float> borders;  // (E, kBorderSums + 2 * channels)
};

// labels: height x width, 0 .. regions - 1, each 4-connected, or -1 outside. rgb: height x width x 3.
RegionGraph describe_regions(const int32_t* labels, const uint8_t* rgb, int height, int width, int regions, const BorderMap& map);

// For training: adds to `out`, of the shape of the map's values, the gradient that reaches them through the border sums of the
// map. gradient: (E, 2 * channels), for the edges as describe_regions numbers them.
void add_map_gradient(const int32_t* labels, int height, int width, int regions, const BorderMap& map, const float* gradient, float* out);

}  // namespace ainet
