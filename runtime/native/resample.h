// From the bytes of an image to the working image, or to the input of a network: a separable resize by tables.
#pragma once

#include <cstdint>

#include "taps.h"

namespace ainet {

// image: height x width x 3. Writes the rows from `begin` to `end` of the result, of which `out` is the whole, rounded to bytes:
// rows.targets x columns.targets x 3. Columns of the image are summed up first, then rows, in single precision in the order of
// the tables; so does device/image.cuh, and the bytes are the same.
void resample(const uint8_t* image, int height, int width, const Taps& rows, const Taps& columns, int begin, int end, uint8_t* out);

// The same bytes as planes of float32(value) / 255 - mean, in single precision: 3 x rows.targets x columns.targets.
void resample(const uint8_t* image, int height, int width, const Taps& rows, const Taps& columns, int begin, int end, const float* mean,
              float* out);

}  // namespace ainet
