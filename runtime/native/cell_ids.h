// From the output of a network, of either kind, to the cell ids of a batch of images, on several threads.
#pragma once

#include <cstdint>
#include <memory>

#include "assign.h"
#include "interpolate.h"
#include "lanes.h"
#include "parallel.h"
#include "resize.h"

namespace ainet {

// How ids come to the size of the image. smoothing: 0, the nearest pixel's cell, by the rules of the public code or the usual ones;
// 1, the association interpolated; kBlock, that of the means of blocks. logits: what scores are, else the association itself.
// in_quarters: how each plane of scores lies, see interpolate.h; with smoothing 1 alone.
struct Rules {
    int height, width;
    bool public_rules;
    int smoothing;
    bool logits;
    bool in_quarters;
};

// scores: images x 9 x part.h x part.w, of working images of h x w. Writes the ids of the window of each image in `out`,
// images x height x width. Without smoothing both must be the whole.
template <typename Score>
void write_ids(const Score* scores, int64_t images, const Part& part, int h, int w, const Rules& rules, const Window& window, int threads,
               int32_t* out) {
    const int64_t plane = int64_t{part.h} * part.w, size = int64_t{rules.height} * rules.width;
    const int rows = window.bottom - window.top, columns = window.right - window.left;
    const auto interpolate_all = [&](const auto* values, bool in_quarters, bool logits, int block) {
        const Part blocks{part.top / block, part.left / block, part.h / block, part.w / block};
        const Sizes sizes{h / block, w / block, rules.height, rules.width, kCellSize / block};
        parallel_rows(images, rows, columns, threads, [&](int64_t i, int begin, int end) {
            interpolate(values + i * kNeighbours * (plane / (block * block)), in_quarters, logits, blocks, sizes,
                        Window{window.top + begin, window.top + end, window.left, window.right}, out + i * size);
        });
    };
    if (rules.smoothing == kBlock) {
        const int64_t blocks = kNeighbours * plane / (kBlock * kBlock);
        const std::unique_ptr<float[]> means(new float[images * blocks]);
        parallel_rows(images, part.h / kBlock, part.w / kBlock, threads, [&](int64_t i, int begin, int end) {
            average_blocks(scores + i * kNeighbours * plane, rules.logits, part.h, part.w, begin, end, means.get() + i * blocks);
        });
        interpolate_all(means.get(), false, false, kBlock);
    } else if (rules.smoothing == 1) {
        interpolate_all(scores, rules.in_quarters, rules.logits, 1);
    } else {
        parallel_rows(images, rows, columns, threads, [&](int64_t i, int begin, int end) {
            assign(scores + i * kNeighbours * plane, h, w, rules.height, rules.width, rules.public_rules, begin, end, out + i * size);
        });
    }
}

// The same from cell ids, images x h x w, of which there are the nearest pixel's alone.
inline void write_ids(const int32_t* ids, int64_t images, const Part&, int h, int w, const Rules& rules, const Window& window, int threads,
                      int32_t* out) {
    parallel_rows(images, window.bottom - window.top, rules.width, threads, [&](int64_t i, int begin, int end) {
        resize_nearest(ids + i * int64_t{h} * w, h, w, rules.height, rules.width, rules.public_rules, begin, end,
                       out + i * int64_t{rules.height} * rules.width);
    });
}

}  // namespace ainet
