// From the bytes of an image to the input of a network.
#pragma once

#include <cstdint>

namespace ainet {

// image: pixels x 3 bytes; out: 3 planes of float32(value) / 255 - mean, in single precision.
void normalise(const uint8_t* image, int64_t pixels, const float* mean, float* out);

}  // namespace ainet
