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

Table bicubic_table(int sources, int targets) {
    Table table{targets, 4, {}, {}};
    for (int t = 0; t < targets; ++t) {
        const double centre = (t + 0.5) * (static_cast<double>(sources) / targets) - 0.5, before = std::floor(centre);
        table.first.push_back(static_cast<int32_t>(before) - 1);
        for (int k = -1; k < 3; ++k) table.weights.push_back(static_cast<float>(cubic(std::fabs(centre - before - k))));
    }
    return table;
}

Table area_table(int sources, int targets) {
    const int taps = std::min(sources, (sources + targets - 1) / targets + 1);
    Table table{targets, taps, {}, {}};
    for (int64_t t = 0; t < targets; ++t) {
        const int64_t start = t * sources;  // in units of 1 / targets of a source
        const int64_t first = std::min<int64_t>(start / targets, sources - taps);
        table.first.push_back(static_cast<int32_t>(first));
        for (int64_t source = first * targets; source < (first + taps) * targets; source += targets) {
            const int64_t covered = std::min(source + targets, start + sources) - std::max(source, start);
            table.weights.push_back(static_cast<float>(static_cast<double>(std::max<int64_t>(covered, 0)) / sources));
        }
    }
    return table;
}

}  // namespace ainet
