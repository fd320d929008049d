// One axis of a resize as a table: which sources each target is the sum of.
#pragma once

#include <cstdint>
#include <vector>

namespace ainet {

// Target t is the sum of `taps` sources from first[t] on, each times its weight. Sources before the first and after the last repeat
// these.
struct Taps {
    const int32_t* first;
    const float* weights;  // targets x taps
    int targets, taps;
};

constexpr int kTogether = 4;  // `taps` is a multiple of it, with weights of 0 at the end
constexpr int kOutside = 2;   // how far before the first or after the last source a weight may be other than 0

struct TapsTable {
    std::vector<int32_t> first;
    std::vector<float> weights;

    int targets() const { return static_cast<int>(first.size()); }
    int taps() const { return static_cast<int>(weights.size() / first.size()); }
    Taps view() const { return {first.data(), weights.data(), targets(), taps()}; }
};

// The cubic of Keys with a = -0.75, pixel centres at halves, no smoothing when reducing: OpenCV's INTER_CUBIC, with exact weights.
TapsTable bicubic_taps(int sources, int targets);

// The mean of what a target covers, when reducing: OpenCV's INTER_AREA, with exact weights.
TapsTable area_taps(int sources, int targets);

}  // namespace ainet
