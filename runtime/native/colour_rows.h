// Rows of an image's colours in Lab, of their 3x3 means and of the gradient of L, made as they are needed. A ring keeps those around
// the current row, so that a pass over the image needs little memory at any size and stays in the cache.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace ainet {

constexpr int kFurther = 2;  // pixels from a side to where the far contrast is taken

inline std::array<float, 256> linear_light() {
    std::array<float, 256> table;
    for (int i = 0; i < 256; ++i) {
        const double value = i / 255.0;
        table[i] = static_cast<float>(value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4));
    }
    return table;
}

// For t in [0.008, 1.1]; exact to single precision. A guess from the exponent, then two of Halley's steps.
inline float cube_root(float t) {
    uint32_t bits;
    std::memcpy(&bits, &t, sizeof bits);
    bits = bits / 3 + 0x2a514067u;
    float root;
    std::memcpy(&root, &bits, sizeof root);
    for (int step = 0; step < 2; ++step) {
        const float cube = root * root * root;
        root *= (cube + 2 * t) / (2 * cube + t);
    }
    return root;
}

inline float lab_curve(float t) {
    const float root = cube_root(std::max(t, 0.008f));
    return t > 0.008856f ? root : 7.787f * t + 16 / 116.0f;
}

// The rows of Lab, of its 3x3 mean and of the gradient around the current one. Pixels outside are the nearest inside.
class ColourRows {
  public:
    ColourRows(const uint8_t* rgb, int height, int width)
        : rgb_(rgb), height_(height), width_(width), stride_(width + 2 * kPad), linear_(linear_light()), rows_(kRing * kPlanes * stride_),
          sum_(stride_) {}

    const float* lab(int channel, int y) const { return plane(channel, y); }
    const float* mean(int channel, int y) const { return plane(3 + channel, y); }
    const float* gradient(int y) const { return plane(6, y); }

    // Makes all that the sides of row y look at: they reach the mean kFurther rows below the next.
    void move_to(int y) {
        const int last = height_ - 1;
        for (; labs_ <= std::min(y + kFurther + 2, last); ++labs_) make_lab(labs_);
        for (; means_ <= std::min(y + kFurther + 1, last); ++means_) make_mean(means_);
        for (; gradients_ <= std::min(y + 1, last); ++gradients_) make_gradient(gradients_);
    }

  private:
    static constexpr int kPad = kFurther, kPlanes = 7;
    static constexpr int kRing = 8;  // a power of two, above the 7 rows from y - kFurther to y + kFurther + 2

    const uint8_t* rgb_;
    const int height_, width_, stride_;
    const std::array<float, 256> linear_;
    std::vector<float> rows_;
    std::vector<float> sum_;
    int labs_ = 0, means_ = 0, gradients_ = 0;  // rows made so far

    const float* plane(int index, int y) const {
        const int row = std::clamp(y, 0, height_ - 1) % kRing;
        return rows_.data() + (size_t(row) * kPlanes + index) * stride_ + kPad;
    }
    float* plane(int index, int y) { return const_cast<float*>(static_cast<const ColourRows*>(this)->plane(index, y)); }

    void pad(float* row) const {
        for (int i = 1; i <= kPad; ++i) {
            row[-i] = row[0];
            row[width_ - 1 + i] = row[width_ - 1];
        }
    }

    void make_lab(int y) {
        float *first = plane(0, y), *second = plane(1, y), *third = plane(2, y);
        const uint8_t* pixel = rgb_ + size_t(y) * width_ * 3;
        for (int x = 0; x < width_; ++x, pixel += 3) {
            first[x] = linear_[pixel[0]];
            second[x] = linear_[pixel[1]];
            third[x] = linear_[pixel[2]];
        }
        for (int x = 0; x < width_; ++x) {  // sRGB to XYZ over its white D65, to Lab
            const float r = first[x], g = second[x], b = third[x];
            const float fx = lab_curve(0.433953f * r + 0.376219f * g + 0.189828f * b);
            const float fy = lab_curve(0.212671f * r + 0.715160f * g + 0.072169f * b);
            const float fz = lab_curve(0.017758f * r + 0.109477f * g + 0.872766f * b);
            first[x] = 116 * fy - 16;
            second[x] = 500 * (fx - fy);
            third[x] = 200 * (fy - fz);
        }
        for (float* row : {first, second, third}) pad(row);
    }

    void make_mean(int y) {
        float* sum = sum_.data() + kPad;
        for (int channel = 0; channel < 3; ++channel) {
            const float *above = lab(channel, y - 1), *here = lab(channel, y), *below = lab(channel, y + 1);
            for (int x = -1; x <= width_; ++x) sum[x] = above[x] + here[x] + below[x];
            float* out = plane(3 + channel, y);
            for (int x = 0; x < width_; ++x) out[x] = (sum[x - 1] + sum[x] + sum[x + 1]) * (1 / 9.0f);
            pad(out);
        }
    }

    void make_gradient(int y) {
        const float *above = mean(0, y - 1), *here = mean(0, y), *below = mean(0, y + 1);
        float* out = plane(6, y);
        for (int x = 0; x < width_; ++x) {
            const float down = below[x] - above[x], right = here[x + 1] - here[x - 1];
            out[x] = std::sqrt(down * down + right * right) / 2;
        }
    }
};

}  // namespace ainet
