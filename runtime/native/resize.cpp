#include "resize.h"

#include <algorithm>

namespace ainet {

std::vector<int32_t> nearest_sources(int from, int to, bool public_rules) {
    const float scale = static_cast<float>(static_cast<double>(from) / to);
    const float place = public_rules ? 0.0f : 0.5f;
    std::vector<int32_t> sources(to);
    for (int j = 0; j < to; ++j) sources[j] = std::min(static_cast<int32_t>((static_cast<float>(j) + place) * scale), from - 1);
    return sources;
}

void resize_nearest(const int32_t* ids, int h, int w, int height, int width, bool public_rules, int begin, int end, int32_t* out) {
    const auto copy_row = [&](int i, int32_t* row) { std::copy_n(ids + int64_t{i} * w, w, row); };
    resize_rows_nearest(copy_row, h, w, height, width, public_rules, begin, end, out);
}

}  // namespace ainet
