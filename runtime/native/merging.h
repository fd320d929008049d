// Greedy merging of neighbouring regions, the cheapest pair first.
#pragma once

#include <cstdint>
#include <vector>

#include "region_graph.h"

namespace ainet {

constexpr int kPairFeatures = 14;

// The weights of the learned cost, two networks of two layers each; matrices are (inputs, outputs).
// The first gives the code of a border, from the border's means of the border map and the features of its pair of regions.
// The second gives the probability that a pixel is lost when a pair merges. It reads the features of the pair, and the mean of
// the codes of all borders that now lie between the two regions, weighted by their length.
struct MergeWeights {
    int channels, middle, codes, hidden;
    const float *border1, *border1_bias;  // (2 * channels + kPairFeatures, middle)
    const float *border2, *border2_bias;  // (middle, codes)
    const float *pair1, *pair1_bias;      // (kPairFeatures + codes, hidden)
    const float *pair2, *pair2_bias;      // (hidden, 1)
};

struct MergeTree {
    std::vector<int32_t> children;  // (M, 2), the smaller first; merge i makes the region K + i
    std::vector<float> costs;       // (M,)
    std::vector<int32_t> vanished;  // (E,) the merge by which an edge comes to lie inside a region, -1: none
};

// Merges until so many regions are `left`, or one of each connected part.
// regions, edges, borders: as in RegionGraph, with that many channels. Without weights the plain cost is taken: harmonic size
// times (squared distance in Lab of the means + 20) over length. Of equal costs the border with the edge of the lowest number
// is first.
MergeTree merge_regions(const float* regions, int region_count, const int32_t* edges, const float* borders, int edge_count, int channels,
                        const MergeWeights* weights, int left);

// The region of each of the first `count` ones after so many merges (pairs of `children`), numbered in the order of their first members.
std::vector<int32_t> regions_after(const int32_t* children, int count, int merges);

// The features of each pair, (edge_count, kPairFeatures).
void pair_features(const float* regions, const int32_t* edges, const float* borders, int edge_count, int channels, float* out);

}  // namespace ainet
