// Label maps with any labels: numbered, summed up by region, and outlined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ainet {

// Writes for each pixel the number of its label, and returns the labels by number, which is in the order of first appearance.
// Label is an unsigned integer of 1, 2, 4 or 8 bytes; only equality matters. Needs pixels < 2^31.
template <typename Label>
std::vector<Label> number_labels(const Label* labels, size_t pixels, int32_t* numbers);

constexpr int kRegionColumns = 6;  // sums of pixels, rows, columns, red, green, blue

struct RegionTable {
    std::vector<int64_t> sums;   // (K, 6)
    std::vector<int32_t> boxes;  // (K, 4): first row, first column, and one more than the last ones
};

// numbers: height x width in [0, regions); where one is not, the table comes back empty. rgb: 3 bytes a pixel, or null, which leaves the
// sums of colours 0.
RegionTable region_table(const int32_t* numbers, const uint8_t* rgb, int height, int width, int regions);

struct Outlines {
    std::vector<int32_t> points;   // (N, 2): x and y of corners of pixels, ring by ring, the last point of a ring its first one
    std::vector<int64_t> starts;   // (R + 1,): where each ring begins in the points, and their number
    std::vector<int32_t> regions;  // (R,): the region of each ring
};

// The rings around regions, height x width, of which each is 4-connected. Going along a ring, with y downwards, its region lies to the
// right. Of the rings of a region the first is the outer one, the others are holes. Points are where a ring turns and where three or
// more regions meet, the outside of the image being one of them. No ring meets itself; rings of one region may touch in a point.
Outlines outlines(const int32_t* regions, int height, int width);

}  // namespace ainet
