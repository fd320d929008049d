#include "assign.h"

#include <algorithm>
#include <cstring>

#include "clones.h"
#include "lanes.h"
#include "resize.h"

namespace ainet {
namespace {

// The ids of all that reach the best score, added up.
template <typename Score>
inline Ints sum_of_best(const Score* scores, int64_t plane, Floats best, const Ints (&ids)[kNeighbours]) {
    Ints sum{};
    for (int n = 0; n < kNeighbours; ++n) sum += (load(scores + n * plane) == best) & ids[n];  // a comparison sets all bits
    return sum;
}

template <bool kPublic, typename Score>
void assign_resized(const Score* scores, int h, int w, int height, int width, int begin, int end, int32_t* out) {
    const int rows = h / kCellSize, columns = w / kCellSize;
    const int64_t plane = int64_t{h} * w;
    const auto assign_row = [&](int y, int32_t* row) {
        const int i = y / kCellSize;
        const Score* score = scores + int64_t{y} * w;
        for (int j = 0; j < columns; ++j) {
            Ints ids[kNeighbours];
            for (int n = 0; n < kNeighbours; ++n) {
                const int ni = std::clamp(i + n / 3 - 1, 0, rows - 1), nj = std::clamp(j + n % 3 - 1, 0, columns - 1);
                ids[n] = Ints{} + (ni * columns + nj);
            }
            for (int x = 0; x < kCellSize; x += kLanes, score += kLanes, row += kLanes) {
                const Floats best = best_score(score, plane);
                const Ints id = kPublic ? sum_of_best(score, plane, best, ids) : best_id(score, plane, best, ids);
                std::memcpy(row, &id, sizeof id);
            }
        }
    };
    resize_rows_nearest(assign_row, h, w, height, width, kPublic, begin, end, out);
}

template <typename Score>
void assign_any(const Score* scores, int h, int w, int height, int width, bool public_rules, int begin, int end, int32_t* out) {
    if (public_rules) {
        assign_resized<true>(scores, h, w, height, width, begin, end, out);
    } else {
        assign_resized<false>(scores, h, w, height, width, begin, end, out);
    }
}

}  // namespace

AINET_CLONES void assign(const float* scores, int h, int w, int height, int width, bool public_rules, int begin, int end, int32_t* out) {
    assign_any(scores, h, w, height, width, public_rules, begin, end, out);
}

AINET_CLONES void assign(const uint16_t* scores, int h, int w, int height, int width, bool public_rules, int begin, int end, int32_t* out) {
    assign_any(scores, h, w, height, width, public_rules, begin, end, out);
}

}  // namespace ainet
