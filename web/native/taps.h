// The tables of a resize, as ainet.runtime.resampling makes them.
#pragma once

#include <cstdint>
#include <vector>

#include "resample.h"

namespace ainet {

struct Table {
    int targets, taps;
    std::vector<int32_t> first;
    std::vector<float> weights;

    Taps view() const { return {first.data(), weights.data(), targets, taps}; }
};

// The cubic of Keys with a = -0.75, pixel centres at halves.
Table bicubic_table(int sources, int targets);

// The mean of what a target covers.
Table area_table(int sources, int targets);

}  // namespace ainet
