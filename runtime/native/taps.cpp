#include "taps.h"

#include <algorithm>
#include <cmath>

namespace ainet {
namespace {

double cubic(double distance) {
    if (distance <= 1) return (1.25 * distance - 2.25) * distance * distance + 1;
    return -0.75 * (((distance - 5) * distance + 8) * distance - 4);
}

}  // namespace

TapsTable bicubic_taps(int sources, int targets) {
    constexpr int kTaps = 4;
    TapsTable table;
    for (int target = 0; target < targets; ++target) {
        const double centre = (target + 0.5) * (static_cast<double>(sources) / targets) - 0.5;
        const int before = static_cast<int>(std::floor(centre));
        table.first.push_back(before - 1);
        for (int k = 0; k < kTaps; ++k) table.weights.push_back(static_cast<float>(cubic(std::fabs(centre - (before - 1 + k)))));
    }
    return table;
}

TapsTable area_taps(int sources, int targets) {
    const int most = (sources + targets - 1) / targets + 1, taps = (most + kTogether - 1) / kTogether * kTogether;
    TapsTable table;
    for (int64_t target = 0; target < targets; ++target) {
        const int64_t start = target * sources, end = start + sources;  // in units of 1 / targets of a source, so that all are integers
        const int64_t first = start / targets;
        table.first.push_back(static_cast<int32_t>(first));
        for (int64_t source = first; source < first + taps; ++source) {
            const int64_t covered = std::min(end, (source + 1) * targets) - std::max(start, source * targets);
            table.weights.push_back(static_cast<float>(static_cast<double>(std::max<int64_t>(covered, 0)) / sources));
        }
    }
    return table;
}

}  // namespace ainet
