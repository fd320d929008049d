#include "resample.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "clones.h"
#include "lanes.h"

namespace ainet {
namespace {

constexpr int kChannels = 3;

// To the nearest integer from 0 to 255, the even one of two.
inline float to_byte(float x) {
    return std::min(std::max((x + kIntegers) - kIntegers, 0.0f), 255.0f);
}

class Resampling {
  public:
    Resampling(const uint8_t* image, int height, int width, const Taps& rows, const Taps& columns)
        : image_(image), height_(height), width_(width), rows_(rows), columns_(columns),
          left_(std::clamp(columns.first[0], 0, width - 1)),
          right_(std::clamp(columns.first[columns.targets - 1] + columns.taps, left_ + 1, width)),
          sums_((size_t(width) + 2 * kOutside + kTogether) * kChannels), row_(size_t(columns.targets) * 4) {}

    // Row y of the result, as pixels of four values, not yet rounded.
    const float* make_row(int y) {
        sum_columns(y);
        repeat_ends();
        sum_rows();
        return row_.data();
    }

  private:
    const uint8_t* image_;
    const int height_, width_;
    const Taps &rows_, &columns_;
    const int left_, right_;  // columns of the image that the result is made of: of a tile, not all
    std::vector<float> sums_;  // of the columns of the image, with kOutside pixels at either end and some more that are read
    std::vector<float> row_;   // of pixels of four values

    const uint8_t* source_row(int y, int k) const {
        return image_ + (size_t(std::clamp(rows_.first[y] + k, 0, height_ - 1)) * width_ + left_) * kChannels;
    }

    void sum_columns(int y) {
        float* const sums = sums_.data() + (kOutside + left_) * kChannels;
        const int values = (right_ - left_) * kChannels;
        std::fill_n(sums, values, 0.0f);
        const float* weights = rows_.weights + size_t(y) * rows_.taps;
        for (int k = 0; k < rows_.taps; k += kTogether) {
            add_four(source_row(y, k), source_row(y, k + 1), source_row(y, k + 2), source_row(y, k + 3), weights + k, values, sums);
        }
    }

    // Bytes may lie anywhere, as far as the compiler knows: told that they do not lie among the sums, it computes with vectors.
    static void add_four(const uint8_t* __restrict a, const uint8_t* __restrict b, const uint8_t* __restrict c, const uint8_t* __restrict d,
                         const float* __restrict weights, int values, float* __restrict sums) {
        const float by_a = weights[0], by_b = weights[1], by_c = weights[2], by_d = weights[3];
        for (int i = 0; i < values; ++i) sums[i] = (((sums[i] + a[i] * by_a) + b[i] * by_b) + c[i] * by_c) + d[i] * by_d;
    }

    void sum_rows() {
        const float *sums = sums_.data(), *weights = columns_.weights;
        float* out = row_.data();
        for (int x = 0; x < columns_.targets; ++x, out += 4) {
            const float* source = sums + (columns_.first[x] + kOutside) * kChannels;
            Floats sum{};  // of the three channels, and a fourth value of no meaning
            for (const float* end = weights + columns_.taps; weights < end; weights += kTogether, source += kTogether * kChannels) {
                for (int k = 0; k < kTogether; ++k) sum += load(source + k * kChannels) * weights[k];
            }
            std::memcpy(out, &sum, sizeof sum);
        }
    }

    void repeat_ends() {
        float *first = sums_.data() + kOutside * kChannels, *last = first + size_t(width_ - 1) * kChannels;
        for (int i = 1; i <= kOutside; ++i) {
            std::copy_n(first, kChannels, first - i * kChannels);
            std::copy_n(last, kChannels, last + i * kChannels);
        }
    }
};

}  // namespace

AINET_CLONES void resample(const uint8_t* image, int height, int width, const Taps& rows, const Taps& columns, int begin, int end,
                           uint8_t* out) {
    Resampling resampling(image, height, width, rows, columns);
    const int w = columns.targets;
    for (int y = begin; y < end; ++y) {
        const float* row = resampling.make_row(y);
        uint8_t* target = out + size_t(y) * w * kChannels;
        for (int x = 0; x < w; ++x) {
            for (int c = 0; c < kChannels; ++c) {
                target[x * kChannels + c] = static_cast<uint8_t>(static_cast<int32_t>(to_byte(row[x * 4 + c])));
            }
        }
    }
}

AINET_CLONES void resample(const uint8_t* image, int height, int width, const Taps& rows, const Taps& columns, int begin, int end,
                           const float* mean, float* out) {
    Resampling resampling(image, height, width, rows, columns);
    const int w = columns.targets;
    for (int y = begin; y < end; ++y) {
        const float* row = resampling.make_row(y);
        for (int c = 0; c < kChannels; ++c) {
            float* target = out + (size_t(c) * rows.targets + y) * w;
            for (int x = 0; x < w; ++x) target[x] = to_byte(row[x * 4 + c]) / 255.0f - mean[c];
        }
    }
}

}  // namespace ainet
