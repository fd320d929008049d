#include "normalise.h"

namespace ainet {

void normalise(const uint8_t* image, int64_t pixels, const float* mean, float* out) {
    float table[3][256];
    for (int c = 0; c < 3; ++c) {
        for (int value = 0; value < 256; ++value) table[c][value] = static_cast<float>(value) / 255.0f - mean[c];
    }
    float *red = out, *green = red + pixels, *blue = green + pixels;
    for (int64_t p = 0; p < pixels; ++p, image += 3) {
        red[p] = table[0][image[0]];
        green[p] = table[1][image[1]];
        blue[p] = table[2][image[2]];
    }
}

}  // namespace ainet
