// Before and after the network: the resize of an image into the network's input, and from its scores to cell ids.
// Each kernel runs once for every pixel of what it makes, for every image.
#pragma once

#include "primitives.cuh"

namespace ainet::device {

constexpr int kTaps = 4;
constexpr int kChannels = 3;

// Bicubic, as OpenCV's INTER_CUBIC: the weights of the four source pixels around each output come as tables, made in
// double precision, and pixels beyond the edge repeat the edge.
struct Resize {
    const uint8_t* images;        // images x height x width x 3
    void* out;                    // bytes: images x out_height x out_width x 3; else images x 3 x out_height x out_width
    const void* values;           // the float or half that each byte becomes, 3 x 256; unused for bytes
    const int32_t* row_first;     // of each output row: the first of its four source rows, from -2 on
    const float* row_weights;     // out_height x 4
    const int32_t* column_first;  // the same of columns
    const float* column_weights;
    int32_t height, width, out_height, out_width;
};

AINET_DEVICE float weighted_sum(const float* values, const float* weights) {
    float sum = values[0] * weights[0];
    for (int k = 1; k < kTaps; ++k) sum = multiply_add(values[k], weights[k], sum);
    return sum;
}

// The three channels of an output pixel.
AINET_DEVICE void resized_pixel(const Resize& a, int32_t image, int32_t p, uint8_t (&pixel)[kChannels]) {
    const int32_t y = p / a.out_width, x = p % a.out_width;
    const uint8_t* source = a.images + int64_t{image} * a.height * a.width * kChannels;
    float columns[kChannels][kTaps];
    for (int i = 0; i < kTaps; ++i) {
        const int32_t row = smaller(larger(a.row_first[y] + i, 0), a.height - 1);
        float values[kChannels][kTaps];
        for (int j = 0; j < kTaps; ++j) {
            const int32_t column = smaller(larger(a.column_first[x] + j, 0), a.width - 1);
            const uint8_t* bytes = source + (int64_t{row} * a.width + column) * kChannels;
            for (int c = 0; c < kChannels; ++c) values[c][j] = bytes[c];
        }
        for (int c = 0; c < kChannels; ++c) columns[c][i] = weighted_sum(values[c], a.column_weights + x * kTaps);
    }
    for (int c = 0; c < kChannels; ++c) {
        const int32_t value = round_to_even(weighted_sum(columns[c], a.row_weights + y * kTaps));
        pixel[c] = static_cast<uint8_t>(smaller(larger(value, 0), 255));
    }
}

AINET_DEVICE void resize_to_bytes(const Resize& a, int32_t image, int32_t p) {
    uint8_t pixel[kChannels];
    resized_pixel(a, image, p, pixel);
    uint8_t* out = static_cast<uint8_t*>(a.out) + (int64_t{image} * a.out_height * a.out_width + p) * kChannels;
    for (int c = 0; c < kChannels; ++c) out[c] = pixel[c];
}

template <typename Value>
AINET_DEVICE void resize_to_planes(const Resize& a, int32_t image, int32_t p) {
    uint8_t pixel[kChannels];
    resized_pixel(a, image, p, pixel);
    const int64_t plane = int64_t{a.out_height} * a.out_width;
    Value* out = static_cast<Value*>(a.out) + image * kChannels * plane + p;
    const Value* values = static_cast<const Value*>(a.values);
    for (int c = 0; c < kChannels; ++c) out[c * plane] = values[c * 256 + pixel[c]];
}

AINET_DEVICE void resize_to_floats(const Resize& a, int32_t image, int32_t p) { resize_to_planes<float>(a, image, p); }
AINET_DEVICE void resize_to_halves(const Resize& a, int32_t image, int32_t p) { resize_to_planes<uint16_t>(a, image, p); }

// To cell ids of height x width, with the nearest of the h x w pixels of the network's output; see ../assign.h.
struct Assign {
    const void* scores;  // images x 9 x h x w floats or halves; or cell ids, images x h x w
    int32_t* out;        // images x height x width
    float row_step, column_step;
    int32_t h, w, height, width;
    int32_t public_rules;
};

constexpr int kCell = 16;
constexpr int kCells = 9;  // around a pixel

// See ../resize.h.
AINET_DEVICE int32_t nearest_source(int32_t j, float step, int32_t sources, bool public_rules) {
    const float place = public_rules ? 0.0f : 0.5f;
    return smaller(static_cast<int32_t>((static_cast<float>(j) + place) * step), sources - 1);
}

// Scores as numbers in their order; the bits of a half are a sign and a magnitude.
AINET_DEVICE float ordered(float score) { return score; }
AINET_DEVICE int32_t ordered(uint16_t half) { return half & 0x8000 ? -(half & 0x7fff) : half; }

template <typename Score>
AINET_DEVICE void assign(const Assign& a, int32_t image, int32_t p) {
    const int32_t y = nearest_source(p / a.width, a.row_step, a.h, a.public_rules);
    const int32_t x = nearest_source(p % a.width, a.column_step, a.w, a.public_rules);
    const int64_t plane = int64_t{a.h} * a.w;
    const Score* score = static_cast<const Score*>(a.scores) + image * kCells * plane + int64_t{y} * a.w + x;
    decltype(ordered(Score{})) scores[kCells];
    for (int n = 0; n < kCells; ++n) scores[n] = ordered(score[n * plane]);
    auto best = scores[0];
    for (int n = 1; n < kCells; ++n) best = scores[n] > best ? scores[n] : best;

    const int32_t rows = a.h / kCell, columns = a.w / kCell;
    int32_t first = -1, sum = 0;
    for (int n = kCells - 1; n >= 0; --n) {
        const int32_t row = smaller(larger(y / kCell + n / 3 - 1, 0), rows - 1);
        const int32_t column = smaller(larger(x / kCell + n % 3 - 1, 0), columns - 1);
        const int32_t id = row * columns + column;
        if (scores[n] == best) sum += id;
        if (scores[n] == best || (n == 0 && first < 0)) first = id;  // after NaN nothing is equal
    }
    a.out[int64_t{image} * a.height * a.width + p] = a.public_rules ? sum : first;
}

AINET_DEVICE void assign_floats(const Assign& a, int32_t image, int32_t p) { assign<float>(a, image, p); }
AINET_DEVICE void assign_halves(const Assign& a, int32_t image, int32_t p) { assign<uint16_t>(a, image, p); }

AINET_DEVICE void resize_ids(const Assign& a, int32_t image, int32_t p) {
    const int32_t y = nearest_source(p / a.width, a.row_step, a.h, a.public_rules);
    const int32_t x = nearest_source(p % a.width, a.column_step, a.w, a.public_rules);
    const int32_t* ids = static_cast<const int32_t*>(a.scores) + image * int64_t{a.h} * a.w;
    a.out[int64_t{image} * a.height * a.width + p] = ids[int64_t{y} * a.w + x];
}

}  // namespace ainet::device
