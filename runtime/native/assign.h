// From the association of each pixel with its nine nearest cells to the id of one cell.
#pragma once

#include <cstdint>

namespace ainet {

// scores: 9 x h x w (h, w multiples of 16), one plane per neighbouring cell, top-left to bottom-right; any increasing
// function of the association will do. out: height x width cell ids, resized as in resize.h, of which the rows from `begin` to
// `end` are written. A neighbour outside the grid stands for the nearest cell inside. Of equal scores the first wins; with
// public_rules the ids of all that reach the maximum are added, as the public code does. Where a score is NaN, some id of the
// grid comes out (or a sum of such).
void assign(const float* scores, int h, int w, int height, int width, bool public_rules, int begin, int end, int32_t* out);

// The same from scores in half precision, given as their bits.
void assign(const uint16_t* scores, int h, int w, int height, int width, bool public_rules, int begin, int end, int32_t* out);

}  // namespace ainet
