// Nearest-neighbour resize of a map of cell ids.
#pragma once

#include <cstdint>
#include <vector>

namespace ainet {

// Source index of each of `to` outputs: floor(float32(j + 1/2) * float32(from / to)), at most from - 1: the pixel under the
// output's centre. The public rules leave out the 1/2, as OpenCV does, which shifts the map by up to half a pixel.
// Single precision is part of the definition: exact arithmetic gives other indices at a few sizes.
std::vector<int32_t> nearest_sources(int from, int to, bool public_rules);

// ids: h x w, out: height x width, of which the rows from `begin` to `end` are written.
void resize_nearest(const int32_t* ids, int h, int w, int height, int width, bool public_rules, int begin, int end, int32_t* out);

// The same for a map whose rows are computed when they are needed: make_row(i, row) writes row i (w values) of the map.
template <typename MakeRow>
void resize_rows_nearest(const MakeRow& make_row, int h, int w, int height, int width, bool public_rules, int begin, int end,
                         int32_t* out) {
    const std::vector<int32_t> rows = nearest_sources(h, height, public_rules), columns = nearest_sources(w, width, public_rules);
    std::vector<int32_t> source(w);
    out += int64_t{begin} * width;
    for (int y = begin; y < end; ++y, out += width) {
        if (y > begin && rows[y] == rows[y - 1]) {
            for (int x = 0; x < width; ++x) out[x] = out[x - width];
        } else if (w == width) {
            make_row(rows[y], out);
        } else {
            make_row(rows[y], source.data());
            for (int x = 0; x < width; ++x) out[x] = source[columns[x]];
        }
    }
}

}  // namespace ainet
