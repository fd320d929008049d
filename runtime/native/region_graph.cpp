// One pass over the rows of the image: over the pixels of each row, then over the sides of pixels between regions.
#include "region_graph.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "clones.h"
#include "colour_rows.h"
#include "numbers.h"

namespace ainet {
namespace {

// Where two regions touch: the pixel (y, x) and the one to the right or below, and the pixels kFurther beyond both.
struct Side {
    int32_t edge;
    int y, x, next_y, next_x, before_y, before_x, after_y, after_x;

    Side(int32_t number, int row, int column, int down, int right)
        : edge(number), y(row), x(column), next_y(row + down), next_x(column + right), before_y(row - kFurther * down),
          before_x(column - kFurther * right), after_y(next_y + kFurther * down), after_x(next_x + kFurther * right) {}
};

// The sides of pixels between regions, row by row, and the pairs of regions that touch, numbered as they are found.
class Sides {
  public:
    Sides(const int32_t* labels, int height, int width, int regions)
        : labels_(labels), height_(height), width_(width), apart_(width + kWord),
          numbers_(3 * size_t(regions)) {}  // connected regions in a plane have fewer than three borders each

    // (E, 2), of all rows that were visited.
    std::vector<int32_t> edges() const {
        std::vector<int32_t> ends;
        ends.reserve(2 * numbers_.keys.size());
        for (const uint64_t key : numbers_.keys) {
            ends.push_back(static_cast<int32_t>(key >> 32));
            ends.push_back(static_cast<int32_t>(key));
        }
        return ends;
    }

    template <typename Visit>
    void visit_row(int y, const Visit& visit) {
        const int32_t* here = labels_ + size_t(y) * width_;
        visit_pairs(here, here + 1, width_ - 1, [&](int x, int32_t edge) { visit(Side(edge, y, x, 0, 1)); });
        if (y + 1 == height_) return;
        visit_pairs(here, here + width_, width_, [&](int x, int32_t edge) { visit(Side(edge, y, x, 1, 0)); });
    }

  private:
    static constexpr int kWord = 8;  // pairs that are looked at together; each sets the lowest bit of its byte

    const int32_t* labels_;
    const int height_, width_;
    std::vector<uint8_t> apart_;  // of the current pairs: whether they differ and lie inside; then zeros up to whole words
    Numbers<uint64_t> numbers_;   // of edges: the smaller region in the upper half, the larger in the lower

    template <typename Visit>
    void visit_pairs(const int32_t* a, const int32_t* b, int count, const Visit& visit) {
        uint8_t* apart = apart_.data();
        for (int x = 0; x < count; ++x) apart[x] = (a[x] != b[x]) & ((a[x] | b[x]) >= 0);
        std::fill_n(apart + count, kWord, uint8_t{0});
        for (int first = 0; first < count; first += kWord) {
            uint64_t word;
            std::memcpy(&word, apart + first, kWord);
            for (; word != 0; word &= word - 1) {
                const int x = first + __builtin_ctzll(word) / 8;
                visit(x, number(a[x], b[x]));
            }
        }
    }

    int32_t number(int32_t a, int32_t b) {
        if (a > b) std::swap(a, b);
        return numbers_.of(uint64_t(uint32_t(a)) << 32 | uint32_t(b));
    }
};

// The offset in the values of a map of where a pixel, or the nearest one inside, lies; for pixels up to kFurther outside.
class Places {
  public:
    Places(const BorderMap& map, int height, int width) {
        if (map.channels == 0) return;
        for (int y = -kFurther; y < height + kFurther; ++y) {
            rows_.push_back(size_t(map.rows[std::clamp(y, 0, height - 1)]) * map.width * map.channels);
        }
        for (int x = -kFurther; x < width + kFurther; ++x) {
            columns_.push_back(size_t(map.columns[std::clamp(x, 0, width - 1)]) * map.channels);
        }
    }

    size_t operator()(int y, int x) const { return rows_[y + kFurther] + columns_[x + kFurther]; }

  private:
    std::vector<size_t> rows_, columns_;
};

class Description {
  public:
    Description(const int32_t* labels, const uint8_t* rgb, int height, int width, int regions, const BorderMap& map)
        : labels_(labels), height_(height), width_(width), map_(map), places_(map, height, width),
          rows_(rgb, height, width), sides_(labels, height, width, regions),
          sums_(size_t(regions) * 5), counts_(size_t(regions) * 2 * kHistogramBins), bins_(2 * size_t(width)) {}

    RegionGraph run() {
        graph_.borders.reserve(3 * (sums_.size() / 5) * (kBorderSums + 2 * size_t(map_.channels)));
        for (int y = 0; y < height_; ++y) {
            rows_.move_to(y);
            add_pixels(y);
            sides_.visit_row(y, [&](const Side& side) { add_side(side); });
        }
        graph_.edges = sides_.edges();
        join_region_sums();
        return std::move(graph_);
    }

  private:
    static constexpr int kAhead = 6;  // rows

    const int32_t* labels_;
    const int height_, width_;
    const BorderMap& map_;
    const Places places_;
    ColourRows rows_;
    Sides sides_;
    std::vector<double> sums_;     // of pixels, L, a, b, |Lab|^2
    std::vector<int32_t> counts_;  // histograms of L and of the gradient
    std::vector<uint8_t> bins_;    // of the current row, of L then of the gradient
    RegionGraph graph_;

    void add_pixels(int y) {
        const int32_t* labels = labels_ + size_t(y) * width_;
        const float *l = rows_.lab(0, y), *a = rows_.lab(1, y), *b = rows_.lab(2, y);
        find_bins(l, rows_.gradient(y));
        const uint8_t *l_bin = bins_.data(), *gradient_bin = l_bin + width_;
        for (int x = 0; x < width_;) {
            const int32_t label = labels[x];
            const int first = x;
            float sum_l = 0, sum_a = 0, sum_b = 0, squares = 0;
            int32_t* counts = counts_.data() + size_t(std::max(label, 0)) * 2 * kHistogramBins;
            for (; x < width_ && labels[x] == label; ++x) {
                if (label < 0) continue;
                sum_l += l[x];
                sum_a += a[x];
                sum_b += b[x];
                squares += l[x] * l[x] + a[x] * a[x] + b[x] * b[x];
                ++counts[l_bin[x]];
                ++counts[kHistogramBins + gradient_bin[x]];
            }
            if (label < 0) continue;
            double* sums = sums_.data() + size_t(label) * 5;
            sums[0] += x - first;
            sums[1] += sum_l;
            sums[2] += sum_a;
            sums[3] += sum_b;
            sums[4] += squares;
        }
    }

    // Bins of L are 12.5 wide; those of the gradient end at 1/4, 3/4, 7/4, ... twice as much plus a quarter each time.
    void find_bins(const float* l, const float* gradient) {
        const int width = width_;  // a local one, which no store of a byte can change
        uint8_t *l_bin = bins_.data(), *gradient_bin = l_bin + width;
        for (int x = 0; x < width; ++x) {
            l_bin[x] = static_cast<uint8_t>(std::clamp(static_cast<int32_t>(l[x] * 0.08f), 0, kHistogramBins - 1));
            const float shifted = gradient[x] + 0.25f;
            int32_t bits;
            std::memcpy(&bits, &shifted, sizeof bits);
            gradient_bin[x] = static_cast<uint8_t>(std::min((bits >> 23) - 125, kHistogramBins - 1));  // log2, from -2 on
        }
    }

    void add_side(const Side& at) {
        const size_t length = kBorderSums + 2 * size_t(map_.channels);
        if (graph_.borders.size() < (size_t(at.edge) + 1) * length) graph_.borders.resize((size_t(at.edge) + 1) * length);
        float* sums = graph_.borders.data() + size_t(at.edge) * length;
        float near = 0, far = 0;
        for (int channel = 0; channel < 3; ++channel) {
            const float d = rows_.lab(channel, at.y)[at.x] - rows_.lab(channel, at.next_y)[at.next_x];
            const float e = rows_.mean(channel, at.before_y)[at.before_x] - rows_.mean(channel, at.after_y)[at.after_x];
            near += d * d;
            far += e * e;
        }
        sums[0] += 1;
        sums[1] += std::sqrt(near);
        sums[2] += std::sqrt(far);
        sums[3] += (rows_.gradient(at.y)[at.x] + rows_.gradient(at.next_y)[at.next_x]) / 2;
        const int channels = map_.channels;
        if (channels == 0) return;
        const int below = std::min(at.y + kAhead, height_ + 1);  // where borders go on
        for (int i = -kFurther; i <= kFurther; i += kFurther) __builtin_prefetch(map_.values + places_(below, at.x + i));
        const float *a = map_.values + places_(at.y, at.x), *b = map_.values + places_(at.next_y, at.next_x);
        const float *before = map_.values + places_(at.before_y, at.before_x), *after = map_.values + places_(at.after_y, at.after_x);
        float *means = sums + kBorderSums, *differences = means + channels;
        int i = 0;
        for (; i + 8 <= channels; i += 8) add_channels<8>(a + i, b + i, before + i, after + i, means + i, differences + i);
        for (; i < channels; ++i) add_channels<1>(a + i, b + i, before + i, after + i, means + i, differences + i);
    }

    template <int kCount>
    static void add_channels(const float* a, const float* b, const float* before, const float* after, float* __restrict__ means,
                             float* __restrict__ differences) {
        for (int i = 0; i < kCount; ++i) means[i] += (a[i] + b[i]) * 0.5f;
        for (int i = 0; i < kCount; ++i) differences[i] += std::fabs(before[i] - after[i]);
    }

    void join_region_sums() {
        const size_t regions = sums_.size() / 5;
        graph_.regions.resize(regions * kRegionSums);
        for (size_t i = 0; i < regions; ++i) {
            float* out = graph_.regions.data() + i * kRegionSums;
            for (int k = 0; k < 5; ++k) out[k] = static_cast<float>(sums_[i * 5 + k]);
            for (int k = 0; k < 2 * kHistogramBins; ++k) out[5 + k] = static_cast<float>(counts_[i * 2 * kHistogramBins + k]);
        }
    }
};

}  // namespace

AINET_CLONES RegionGraph describe_regions(const int32_t* labels, const uint8_t* rgb, int height, int width, int regions,
                                          const BorderMap& map) {
    return Description(labels, rgb, height, width, regions, map).run();
}

void add_map_gradient(const int32_t* labels, int height, int width, int regions, const BorderMap& map, const float* gradient, float* out) {
    Sides sides(labels, height, width, regions);
    const Places places(map, height, width);
    const int channels = map.channels;
    for (int y = 0; y < height; ++y) {
        sides.visit_row(y, [&](const Side& at) {
            const float *of_mean = gradient + size_t(at.edge) * 2 * channels, *of_difference = of_mean + channels;
            const size_t before = places(at.before_y, at.before_x), after = places(at.after_y, at.after_x);
            float *a = out + places(at.y, at.x), *b = out + places(at.next_y, at.next_x);
            for (int i = 0; i < channels; ++i) {
                a[i] += of_mean[i] / 2;
                b[i] += of_mean[i] / 2;
                const float difference = map.values[before + i] - map.values[after + i];
                const float sign = static_cast<float>((difference > 0) - (difference < 0));
                out[before + i] += sign * of_difference[i];
                out[after + i] -= sign * of_difference[i];
            }
        });
    }
}

}  // namespace ainet
