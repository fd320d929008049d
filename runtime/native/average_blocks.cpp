#include "clones.h"
#include "interpolate.h"
#include "lanes.h"

namespace ainet {
namespace {

template <typename Score>
void average(const Score* scores, bool logits, int h, int w, int begin, int end, float* out) {
    const int64_t plane = int64_t{h} * w, blocks = w / kBlock;
    for (int64_t i = begin; i < end; ++i) {
        for (int64_t j = 0; j < blocks; ++j) {
            Floats sums[kNeighbours] = {};
            for (int y = 0; y < kBlock; ++y) {
                Floats values[kNeighbours];
                associate(scores + (i * kBlock + y) * w + j * kBlock, plane, logits, values);
                for (int n = 0; n < kNeighbours; ++n) sums[n] += values[n];
            }
            for (int n = 0; n < kNeighbours; ++n) {
                const Floats s = sums[n];
                out[n * (plane / (kBlock * kBlock)) + i * blocks + j] = ((s[0] + s[1]) + (s[2] + s[3])) * (1.0f / (kBlock * kBlock));
            }
        }
    }
}

static_assert(kBlock == kLanes, "a row of a block is one vector");

}  // namespace

AINET_CLONES void average_blocks(const float* scores, bool logits, int h, int w, int begin, int end, float* out) {
    average(scores, logits, h, w, begin, end, out);
}

AINET_CLONES void average_blocks(const uint16_t* scores, bool logits, int h, int w, int begin, int end, float* out) {
    average(scores, logits, h, w, begin, end, out);
}

}  // namespace ainet
