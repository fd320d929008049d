#include "assign.h"

#include <algorithm>
#include <cstring>

#include "clones.h"
#include "resize.h"

namespace ainet {
namespace {

// Four pixels of a row as one vector of the compiler, which knows how to compare and choose on every machine.
constexpr int kLanes = 4;
using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Ints = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));
using Shorts = int16_t __attribute__((vector_size(kLanes * sizeof(int16_t))));

inline Floats load(const float* scores) {
    Floats vector;
    std::memcpy(&vector, scores, sizeof vector);
    return vector;
}

// Integers in the order of the halves; their bits are a sign and a magnitude.
inline Ints load(const uint16_t* halves) {
    Shorts vector;
    std::memcpy(&vector, halves, sizeof vector);
    const Ints bits = __builtin_convertvector(vector, Ints);
    return bits < 0 ? -(bits & 0x7fff) : bits;
}

// scores: of the first pixel; those of the nine neighbours, whose ids are given, lie a plane apart.
template <bool kPublic, typename Score>
inline Ints best_ids(const Score* scores, int64_t plane, const Ints (&ids)[kNeighbours]) {
    auto best = load(scores);
    for (int n = 1; n < kNeighbours; ++n) {
        const auto score = load(scores + n * plane);
        best = score > best ? score : best;
    }
    Ints id = kPublic ? Ints{} : ids[0];
    for (int n = kNeighbours - 1; n >= 0; --n) {
        const Ints equal = load(scores + n * plane) == best;  // -1, all bits set, where true
        id = kPublic ? id + (equal & ids[n]) : (equal ? ids[n] : id);
    }
    return id;
}

template <bool kPublic, typename Score>
void assign_resized(const Score* scores, int h, int w, int height, int width, int32_t* out) {
    const int rows = h / kCellSize, columns = w / kCellSize;
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
                const Ints id = best_ids<kPublic>(score, int64_t{h} * w, ids);
                std::memcpy(row, &id, sizeof id);
            }
        }
    };
    resize_rows_nearest(assign_row, h, w, height, width, kPublic, out);
}

template <typename Score>
void assign_any(const Score* scores, int h, int w, int height, int width, bool public_rules, int32_t* out) {
    if (public_rules) {
        assign_resized<true>(scores, h, w, height, width, out);
    } else {
        assign_resized<false>(scores, h, w, height, width, out);
    }
}

}  // namespace

AINET_CLONES void assign(const float* scores, int h, int w, int height, int width, bool public_rules, int32_t* out) {
    assign_any(scores, h, w, height, width, public_rules, out);
}

AINET_CLONES void assign(const uint16_t* scores, int h, int w, int height, int width, bool public_rules, int32_t* out) {
    assign_any(scores, h, w, height, width, public_rules, out);
}

}  // namespace ainet
