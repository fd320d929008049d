// What the page calls: one photo, from its pixels to the outlines of its regions, by the native sources of the package.
//
//     photo -> network_input -> (network, in JavaScript) -> scores, border_map -> grow -> cut -> paint, regions, rings
//
// Functions that return a pointer which is not const say where the page is to write what they are named after.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "connectivity.h"
#include "interpolate.h"
#include "label_map.h"
#include "lanes.h"
#include "merging.h"
#include "region_graph.h"
#include "resample.h"
#include "taps.h"

#define EXPORT extern "C" __attribute__((visibility("default"), used))

namespace {

struct Photo {
    int height = 0, width = 0;
    std::vector<uint8_t> rgba, rgb;
    std::vector<int32_t> labels;  // of the superpixels that the tree starts from
    std::vector<int64_t> sums;    // of each: pixels, rows, columns, red, green, blue
    ainet::MergeTree tree;
    int count = 0;                   // regions at the present cut
    std::vector<int32_t> region_of;  // of each superpixel

    size_t pixels() const { return size_t(height) * width; }
    int superpixels() const { return static_cast<int>(sums.size() / ainet::kRegionColumns); }
};

struct Cost {
    int channels, middle, codes, hidden;
    std::vector<float> weights;  // of ainet::MergeWeights, in its order

    ainet::MergeWeights view() const {
        const size_t inputs = 2 * size_t(channels) + ainet::kPairFeatures, pair_inputs = size_t(ainet::kPairFeatures) + codes;
        const float* next = weights.data();
        const auto take = [&](size_t size) { return (next += size) - size; };
        ainet::MergeWeights view{channels, middle, codes, hidden, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
        view.border1 = take(inputs * middle);
        view.border1_bias = take(middle);
        view.border2 = take(size_t(middle) * codes);
        view.border2_bias = take(codes);
        view.pair1 = take(pair_inputs * hidden);
        view.pair1_bias = take(hidden);
        view.pair2 = take(hidden);
        view.pair2_bias = take(1);
        return view;
    }
};

struct Map {
    int height = 0, width = 0;
    std::vector<float> values;
};

Photo current;
Cost cost;
Map network_scores, network_map;
std::vector<float> input;
std::vector<int32_t> result;

// The source under the centre of each target.
std::vector<int32_t> nearest(int from, int to) {
    std::vector<int32_t> sources(to);
    for (int64_t j = 0; j < to; ++j) sources[j] = static_cast<int32_t>((2 * j + 1) * from / (2 * to));
    return sources;
}

// Of each region of the cut: pixels, and the mean of red, green and blue.
std::vector<int32_t> region_colours() {
    std::vector<int64_t> sums(size_t(current.count) * 4);
    for (int i = 0; i < current.superpixels(); ++i) {
        const int64_t* own = &current.sums[size_t(i) * ainet::kRegionColumns];
        int64_t* sum = &sums[size_t(current.region_of[i]) * 4];
        sum[0] += own[0];
        for (int channel = 0; channel < 3; ++channel) sum[1 + channel] += own[3 + channel];
    }
    std::vector<int32_t> table(sums.size());
    for (size_t i = 0; i < sums.size(); ++i) {
        const double pixels = static_cast<double>(sums[i / 4 * 4]);
        table[i] = static_cast<int32_t>(i % 4 == 0 ? pixels : std::nearbyint(static_cast<double>(sums[i]) / pixels));
    }
    return table;
}

int last_label() { return *std::max_element(current.labels.begin(), current.labels.end()); }

void connect(int min_size, int max_size) {
    const std::vector<uint32_t> labels(current.labels.begin(), current.labels.end());
    ainet::enforce_connectivity(labels.data(), current.height, current.width, min_size, max_size, current.labels.data());
}

// Cuts large superpixels until there are so many; see ainet.runtime.partition.
void cut_to_count(int at_least) {
    if (last_label() + 1 >= at_least) return;
    std::vector<int> sizes(last_label() + 1);
    for (int32_t label : current.labels) ++sizes[label];
    int size = *std::max_element(sizes.begin(), sizes.end());
    while (last_label() + 1 < at_least) connect(1, size = (size + 1) / 2);
}

std::vector<int32_t> cut_labels() {
    std::vector<int32_t> labels(current.pixels());
    for (size_t p = 0; p < labels.size(); ++p) labels[p] = current.region_of[current.labels[p]];
    return labels;
}

// A square of pixels, its upper left corner inside the picture.
void draw_square(int y, int x, int size, const uint8_t* colour) {
    for (int i = y; i < std::min(y + size, current.height); ++i) {
        for (int j = x; j < std::min(x + size, current.width); ++j) {
            std::copy_n(colour, 3, &current.rgba[4 * (size_t(i) * current.width + j)]);
        }
    }
}

}  // namespace

// channels of the border map, and the sizes of the layers of the learned cost: its weights, one array after the other.
EXPORT float* cost_weights(int channels, int middle, int codes, int hidden) {
    cost = {channels, middle, codes, hidden, {}};
    const size_t border = (2 * size_t(channels) + ainet::kPairFeatures + 1) * middle + (size_t(middle) + 1) * codes;
    cost.weights.resize(border + (size_t(ainet::kPairFeatures) + codes + 1) * hidden + hidden + 1);
    return cost.weights.data();
}

// height x width x 4.
EXPORT uint8_t* photo(int height, int width) {
    current = Photo();
    current.height = height;
    current.width = width;
    current.rgba.resize(current.pixels() * 4);
    return current.rgba.data();
}

// 3 x h x w.
EXPORT const float* network_input(int h, int w, float mean_red, float mean_green, float mean_blue) {
    current.rgb.resize(current.pixels() * 3);
    for (size_t p = 0; p < current.pixels(); ++p) std::copy_n(&current.rgba[4 * p], 3, &current.rgb[3 * p]);
    input.resize(size_t(h) * w * 3);
    const float mean[] = {mean_red, mean_green, mean_blue};
    const bool averages = current.height > 2 * h && current.width > 2 * w;  // as of ainet.runtime.plan.Plan
    const auto table = averages ? ainet::area_taps : ainet::bicubic_taps;
    const ainet::TapsTable rows = table(current.height, h), columns = table(current.width, w);
    ainet::resample(current.rgb.data(), current.height, current.width, rows.view(), columns.view(), 0, h, mean, input.data());
    return input.data();
}

// 9 x h x w.
EXPORT float* scores(int h, int w) {
    network_scores = {h, w, std::vector<float>(size_t(ainet::kNeighbours) * h * w)};
    return network_scores.values.data();
}

// h x w x channels of the cost.
EXPORT float* border_map(int h, int w) {
    network_map = {h, w, std::vector<float>(size_t(h) * w * cost.channels)};
    return network_map.values.data();
}

// Superpixels, at least so many of them, and their merge tree. Returns the number of superpixels.
EXPORT int grow(int min_size, int max_size, int at_least) {
    const int height = current.height, width = current.width;
    current.labels.resize(current.pixels());
    const int h = network_scores.height, w = network_scores.width;
    const ainet::Sizes sizes{h, w, height, width, ainet::kCellSize};
    const ainet::Window window{0, height, 0, width};
    ainet::interpolate(network_scores.values.data(), false, true, ainet::Part{0, 0, h, w}, sizes, window, current.labels.data());
    connect(min_size, max_size);
    cut_to_count(at_least);
    const int regions = last_label() + 1;
    current.sums = ainet::region_table(current.labels.data(), current.rgb.data(), height, width, regions).sums;
    const std::vector<int32_t> rows = nearest(network_map.height, height), columns = nearest(network_map.width, width);
    const ainet::BorderMap map{network_map.values.data(), network_map.width, cost.channels, rows.data(), columns.data()};
    const ainet::RegionGraph graph = ainet::describe_regions(current.labels.data(), current.rgb.data(), height, width, regions, map);
    const ainet::MergeWeights weights = cost.view();
    current.tree = ainet::merge_regions(graph.regions.data(), regions, graph.edges.data(), graph.borders.data(),
                                        static_cast<int>(graph.edges.size() / 2), cost.channels, &weights, 1);
    return regions;
}

// The merges are undone from the last one, until there are `count` regions, 0 .. count - 1 in the order of their first pixels.
EXPORT void cut(int count) {
    const int superpixels = current.superpixels();
    current.region_of = ainet::regions_after(current.tree.children.data(), superpixels, superpixels - count);
    current.count = count;
}

// height x width x 4: the photo, or its mean colours by region; and on it the outlines, `line` pixels wide, in the colour 0xRRGGBB.
EXPORT const uint8_t* paint(bool mean_colours, int line, uint32_t colour) {
    const std::vector<int32_t> labels = cut_labels(), table = region_colours();
    for (size_t p = 0; p < labels.size(); ++p) {
        uint8_t* pixel = &current.rgba[4 * p];
        if (mean_colours) {
            std::copy_n(&table[4 * size_t(labels[p]) + 1], 3, pixel);
        } else {
            std::copy_n(&current.rgb[3 * p], 3, pixel);
        }
        pixel[3] = 255;
    }
    if (line == 0) return current.rgba.data();
    const uint8_t channels[] = {static_cast<uint8_t>(colour >> 16), static_cast<uint8_t>(colour >> 8), static_cast<uint8_t>(colour)};
    for (int y = 0; y < current.height; ++y) {
        const int32_t* row = &labels[size_t(y) * current.width];
        for (int x = 0; x < current.width; ++x) {
            const bool last = x + 1 < current.width && row[x] != row[x + 1];
            const bool lowest = y + 1 < current.height && row[x] != row[x + current.width];
            if (last || lowest) draw_square(y, x, line, channels);
        }
    }
    return current.rgba.data();
}

// count x 4: pixels, and the mean of red, green and blue of each region of the cut.
EXPORT const int32_t* regions() {
    result = region_colours();
    return result.data();
}

// The number of rings; then for each its region, its number of points, and the points, x and y. See ainet::outlines.
EXPORT const int32_t* rings() {
    const std::vector<int32_t> labels = cut_labels();
    const ainet::Outlines found = ainet::outlines(labels.data(), current.height, current.width);
    result = {static_cast<int32_t>(found.regions.size())};
    for (size_t ring = 0; ring < found.regions.size(); ++ring) {
        const int64_t first = found.starts[ring], last = found.starts[ring + 1];
        result.push_back(found.regions[ring]);
        result.push_back(static_cast<int32_t>(last - first));
        result.insert(result.end(), found.points.begin() + 2 * first, found.points.begin() + 2 * last);
    }
    return result.data();
}
