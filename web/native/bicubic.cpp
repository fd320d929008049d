#include "bicubic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace ainet {
namespace {

constexpr int kTaps = 4;

// The four sources around one target, and their weights.
struct Taps {
    std::array<int32_t, kTaps> sources;
    std::array<float, kTaps> weights;
};

double cubic(double distance) {
    if (distance <= 1) return (1.25 * distance - 2.25) * distance * distance + 1;
    return -0.75 * (((distance - 5) * distance + 8) * distance - 4);
}

std::vector<Taps> taps(int from, int to) {
    std::vector<Taps> all(to);
    for (int j = 0; j < to; ++j) {
        const double centre = (j + 0.5) * (static_cast<double>(from) / to) - 0.5;
        const int before = static_cast<int>(std::floor(centre));
        for (int k = 0; k < kTaps; ++k) {
            const int source = before - 1 + k;
            all[j].sources[k] = std::clamp(source, 0, from - 1);
            all[j].weights[k] = static_cast<float>(cubic(std::fabs(centre - source)));
        }
    }
    return all;
}

// One row of the image at the new width, in single precision.
void resize_row(const uint8_t* row, const std::vector<Taps>& columns, float* out) {
    for (const Taps& at : columns) {
        for (int channel = 0; channel < 3; ++channel) {
            float sum = 0;
            for (int k = 0; k < kTaps; ++k) sum += row[3 * at.sources[k] + channel] * at.weights[k];
            *out++ = sum;
        }
    }
}

}  // namespace

void resize_bicubic(const uint8_t* image, int height, int width, int h, int w, uint8_t* out) {
    const std::vector<Taps> rows = taps(height, h), columns = taps(width, w);
    const size_t length = size_t(w) * 3;
    std::vector<float> ring(kTaps * length);  // source row y lies in place y % kTaps
    std::array<int, kTaps> held;
    held.fill(-1);
    for (int y = 0; y < h; ++y, out += length) {
        const Taps& at = rows[y];
        std::array<const float*, kTaps> lines;
        for (int k = 0; k < kTaps; ++k) {
            const int source = at.sources[k], place = source % kTaps;
            float* line = &ring[place * length];
            if (held[place] != source) {
                resize_row(image + size_t(source) * width * 3, columns, line);
                held[place] = source;
            }
            lines[k] = line;
        }
        for (size_t x = 0; x < length; ++x) {
            float sum = 0;
            for (int k = 0; k < kTaps; ++k) sum += lines[k][x] * at.weights[k];
            out[x] = static_cast<uint8_t>(std::clamp(std::nearbyint(sum), 0.0f, 255.0f));
        }
    }
}

}  // namespace ainet
