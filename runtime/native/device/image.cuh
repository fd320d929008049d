// Before and after the network: the resize of an image into the network's input, and from its scores to cell ids.
// Each kernel runs once for every pixel of what it makes, for every image.
#pragma once

#include "primitives.cuh"

namespace ainet::device {

constexpr int kChannels = 3;

// By the tables of runtime/resampling.py, with the sums of ../resample.cpp in the same order, so that the bytes are the same.
struct Resize {
    const uint8_t* images;        // images x height x width x 3
    void* out;                    // bytes: images x out_height x out_width x 3; else images x 3 x out_height x out_width
    const void* values;           // the float or half that each byte becomes, 3 x 256; unused for bytes
    const int32_t* row_first;     // of each output row: the first of its source rows
    const float* row_weights;     // out_height x row_taps
    const int32_t* column_first;  // the same of columns
    const float* column_weights;
    int32_t height, width, out_height, out_width, row_taps, column_taps;
};

// The three channels of an output pixel.
AINET_DEVICE void resized_pixel(const Resize& a, int32_t image, int32_t p, uint8_t (&pixel)[kChannels]) {
    const int32_t y = p / a.out_width, x = p % a.out_width;
    const uint8_t* source = a.images + int64_t{image} * a.height * a.width * kChannels;
    float sums[kChannels] = {};
    for (int j = 0; j < a.column_taps; ++j) {
        const int32_t column = smaller(larger(a.column_first[x] + j, 0), a.width - 1);
        const float by = a.column_weights[x * a.column_taps + j];
        float down[kChannels] = {};
        for (int i = 0; i < a.row_taps; ++i) {
            const int32_t row = smaller(larger(a.row_first[y] + i, 0), a.height - 1);
            const uint8_t* bytes = source + (int64_t{row} * a.width + column) * kChannels;
            const float weight = a.row_weights[y * a.row_taps + i];
            for (int c = 0; c < kChannels; ++c) down[c] = plus(down[c], times(bytes[c], weight));
        }
        for (int c = 0; c < kChannels; ++c) sums[c] = plus(sums[c], times(down[c], by));
    }
    for (int c = 0; c < kChannels; ++c) pixel[c] = static_cast<uint8_t>(smaller(larger(round_to_even(sums[c]), 0), 255));
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

// To cell ids of height x width, from the h x w pixels of the network's output: see ../assign.h, and ../interpolate.h where `interpolates`.
struct Assign {
    const void* scores;  // images x 9 x h x w floats or halves; or cell ids, images x h x w
    int32_t* out;        // images x height x width
    float row_step, column_step;
    int32_t h, w, height, width;
    int32_t public_rules, interpolates, logits;
};

constexpr int kCell = 16;
constexpr int kCells = 9;   // around a pixel
constexpr int kAround = 4;  // working pixels around a pixel of the image

// See ../resize.h.
AINET_DEVICE int32_t nearest_source(int32_t j, float step, int32_t sources, bool public_rules) {
    const float place = public_rules ? 0.0f : 0.5f;
    return smaller(static_cast<int32_t>(times(plus(static_cast<float>(j), place), step)), sources - 1);
}

AINET_DEVICE float number(float score) { return score; }
AINET_DEVICE float number(uint16_t half) {
    const float magnitude = times(__int_as_float((half & 0x7fff) << 13), 0x1p112f);
    return half & 0x8000 ? -magnitude : magnitude;
}

// Which of the nine is the best, of equals the first; score: of the first, the others lie a plane apart.
template <typename Score>
AINET_DEVICE int32_t best_neighbour(const Score* score, int64_t plane) {
    float best = number(score[0]);
    int32_t neighbour = 0;
    for (int n = 1; n < kCells; ++n) {
        const float value = number(score[n * plane]);
        if (value > best) {
            best = value;
            neighbour = n;
        }
    }
    return neighbour;
}

AINET_DEVICE int32_t id_of(const Assign& a, int32_t row, int32_t column) {
    const int32_t rows = a.h / kCell, columns = a.w / kCell;
    return smaller(larger(row, 0), rows - 1) * columns + smaller(larger(column, 0), columns - 1);
}

template <typename Score>
AINET_DEVICE int32_t nearest_id(const Assign& a, const Score* scores, int32_t p) {
    const int32_t y = nearest_source(p / a.width, a.row_step, a.h, a.public_rules);
    const int32_t x = nearest_source(p % a.width, a.column_step, a.w, a.public_rules);
    const int64_t plane = int64_t{a.h} * a.w;
    const Score* score = scores + int64_t{y} * a.w + x;
    const int32_t best = best_neighbour(score, plane);
    if (!a.public_rules) return id_of(a, y / kCell + best / 3 - 1, x / kCell + best % 3 - 1);
    int32_t sum = 0;
    for (int n = 0; n < kCells; ++n) {
        if (number(score[n * plane]) == number(score[best * plane])) sum += id_of(a, y / kCell + n / 3 - 1, x / kCell + n % 3 - 1);
    }
    return sum;
}

// The two sources around the centre of a target, and the weight of the second.
struct Around {
    int32_t source[2];
    float weight;

    AINET_DEVICE Around(int32_t j, float step, int32_t sources) {
        const float centre = minus(times(plus(static_cast<float>(j), 0.5f), step), 0.5f);
        const int32_t before = static_cast<int32_t>(plus(centre, 1.0f)) - 1;
        source[0] = larger(before, 0);
        source[1] = smaller(before + 1, sources - 1);
        weight = minus(centre, static_cast<float>(before));
    }
};

// See ../lanes.h.
AINET_DEVICE float exponential(float x) {
    const float kIntegers = 12582912;
    const float power = times(x > -60.0f ? x : -60.0f, 1.44269504f);
    const float shifted = plus(power, kIntegers), t = minus(power, minus(shifted, kIntegers));
    float fraction = 0.00133336f;
    fraction = plus(0.00961813f, times(t, fraction));
    fraction = plus(0.05550411f, times(t, fraction));
    fraction = plus(0.24022651f, times(t, fraction));
    fraction = plus(0.69314718f, times(t, fraction));
    fraction = plus(1.0f, times(t, fraction));
    return __int_as_float(__float_as_int(fraction) + (__float_as_int(shifted) << 23));
}

template <typename Score>
AINET_DEVICE int32_t interpolated_id(const Assign& a, const Score* scores, int32_t p) {
    const Around down(p / a.width, a.row_step, a.h), across(p % a.width, a.column_step, a.w);
    const int64_t plane = int64_t{a.h} * a.w;
    const Score* pixels[kAround];
    int32_t own_row[kAround], own_column[kAround], row[kAround], column[kAround];  // cells of the four pixels, and their best ones
    bool is_new[kAround];
    int32_t cells = 0;
    for (int k = 0; k < kAround; ++k) {
        const int32_t y = down.source[k / 2], x = across.source[k % 2];
        pixels[k] = scores + int64_t{y} * a.w + x;
        const int32_t best = best_neighbour(pixels[k], plane);
        own_row[k] = y / kCell;
        own_column[k] = x / kCell;
        row[k] = own_row[k] + best / 3 - 1;
        column[k] = own_column[k] + best % 3 - 1;
        is_new[k] = true;
        for (int earlier = 0; earlier < k; ++earlier) is_new[k] = is_new[k] && (row[k] != row[earlier] || column[k] != column[earlier]);
        cells += is_new[k];
    }
    if (cells == 1) return id_of(a, row[0], column[0]);

    const float none = a.logits ? -1e30f : 0.0f;  // the score of a cell that is not among a pixel's nine
    const auto score = [&](int k, int c) {
        const int32_t v = row[c] - own_row[k] + 1, u = column[c] - own_column[k] + 1;
        const bool known = v >= 0 && v < 3 && u >= 0 && u < 3;
        return known ? number(pixels[k][(v * 3 + u) * plane]) : none;
    };
    const float up = minus(1.0f, down.weight), left = minus(1.0f, across.weight);
    const float weights[kAround] = {times(up, left), times(up, across.weight), times(down.weight, left), times(down.weight, across.weight)};
    float shares[kAround][kAround];
    for (int k = 0; k < kAround; ++k) {
        float sum = 0;
        for (int c = 0; c < kAround; ++c) {
            const float value = score(k, c);
            const float association = a.logits ? exponential(minus(value, score(k, k))) : value;
            shares[c][k] = is_new[c] ? association : 0.0f;
            sum = plus(sum, shares[c][k]);
        }
        const float scale = over(weights[k], sum);
        for (int c = 0; c < kAround; ++c) shares[c][k] = times(shares[c][k], scale);
    }
    int best = 0;
    float most = 0;
    for (int c = 0; c < kAround; ++c) {
        const float share = plus(plus(shares[c][0], shares[c][1]), plus(shares[c][2], shares[c][3]));
        if (share > most) {
            most = share;
            best = c;
        }
    }
    return id_of(a, row[best], column[best]);
}

template <typename Score>
AINET_DEVICE void assign(const Assign& a, int32_t image, int32_t p) {
    const Score* scores = static_cast<const Score*>(a.scores) + image * kCells * (int64_t{a.h} * a.w);
    a.out[int64_t{image} * a.height * a.width + p] = a.interpolates ? interpolated_id(a, scores, p) : nearest_id(a, scores, p);
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
