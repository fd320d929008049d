// Bicubic resize of an RGB image.
#pragma once

#include <cstdint>

namespace ainet {

// image: height x width x 3, out: h x w x 3. The cubic of Keys with a = -0.75, pixel centres at halves, no smoothing when
// reducing, the edge repeated beyond it, half rounded to even: what OpenCV calls INTER_CUBIC.
void resize_bicubic(const uint8_t* image, int height, int width, int h, int w, uint8_t* out);

}  // namespace ainet
