#include "merging.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "clones.h"
#include "tournament.h"

namespace ainet {
namespace {

constexpr float kPlainConstant = 20;  // squared distance in Lab that even equal colours count as

// What the sums of a region say of it.
struct Region {
    float size, log_size, mean[3], deviation;
    float shares[2 * kHistogramBins];

    Region() = default;
    explicit Region(const float* sums) {
        size = sums[0];
        log_size = std::log(size);
        float variance = sums[4] / size;
        for (int c = 0; c < 3; ++c) {
            mean[c] = sums[1 + c] / size;
            variance -= mean[c] * mean[c];
        }
        deviation = std::sqrt(std::max(variance, 0.0f));
        for (int i = 0; i < 2 * kHistogramBins; ++i) shares[i] = sums[5 + i] / size;
    }
};

// Each feature is scaled to a size of about one.
void find_features(const Region& a, const Region& b, const float* border, float* x) {
    const float length = border[0], dl = a.mean[0] - b.mean[0], da = a.mean[1] - b.mean[1], db = a.mean[2] - b.mean[2];
    const float chroma = da * da + db * db;
    x[0] = std::sqrt(dl * dl + chroma) / 10;
    x[1] = std::fabs(dl) / 10;
    x[2] = std::sqrt(chroma) / 10;
    x[3] = std::min(a.deviation, b.deviation) / 10;
    x[4] = std::max(a.deviation, b.deviation) / 10;
    x[5] = border[1] / length / 10;
    x[6] = border[2] / length / 10;
    x[7] = border[3] / length / 4;
    x[8] = std::log(length);
    x[9] = std::min(a.log_size, b.log_size);
    x[10] = std::max(a.log_size, b.log_size);
    x[11] = x[8] - x[9] / 2;
    x[12] = x[13] = 0;
    for (int i = 0; i < kHistogramBins; ++i) {
        x[12] += std::fabs(a.shares[i] - b.shares[i]);
        x[13] += std::fabs(a.shares[kHistogramBins + i] - b.shares[kHistogramBins + i]);
    }
}

// The outputs from `first` on, kBlock of them, which stay in registers meanwhile.
template <int kBlock>
void linear_block(const float* x, int inputs, const float* weights, const float* bias, int outputs, int first, float* out) {
    float sums[kBlock];
    for (int j = 0; j < kBlock; ++j) sums[j] = bias[first + j];
    for (int i = 0; i < inputs; ++i) {
        const float* row = weights + size_t(i) * outputs + first;
        for (int j = 0; j < kBlock; ++j) sums[j] += x[i] * row[j];
    }
    for (int j = 0; j < kBlock; ++j) out[first + j] = sums[j];
}

// out = bias + x . weights (inputs, outputs)
void linear(const float* x, int inputs, const float* weights, const float* bias, int outputs, float* out) {
    int j = 0;
    for (; j + 48 <= outputs; j += 48) linear_block<48>(x, inputs, weights, bias, outputs, j, out);
    for (; j + 16 <= outputs; j += 16) linear_block<16>(x, inputs, weights, bias, outputs, j, out);
    for (; j + 4 <= outputs; j += 4) linear_block<4>(x, inputs, weights, bias, outputs, j, out);
    for (; j < outputs; ++j) linear_block<1>(x, inputs, weights, bias, outputs, j, out);
}

void rectify(float* x, int count) {
    for (int i = 0; i < count; ++i) x[i] = std::max(x[i], 0.0f);
}

class Merging {
  public:
    Merging(const float* regions, int region_count, const int32_t* edges, const float* borders, int edge_count, int channels,
            const MergeWeights* weights)
        : weights_(weights), codes_(weights ? weights->codes : 0), regions_(region_count),
          sums_(regions, regions + size_t(region_count) * kRegionSums), ends_(edges, edges + 2 * size_t(edge_count)),
          row_(kBorderSums + codes_), borders_(size_t(edge_count) * row_), place_(edge_count), edge_at_(edge_count), costs_(edge_count),
          joined_(edge_count, -1), number_(region_count), edges_of_(region_count), edge_to_(region_count, -1) {
        for (int r = 0; r < region_count; ++r) {
            regions_[r] = Region(&sums_[size_t(r) * kRegionSums]);
            number_[r] = r;
        }
        if (weights) {
            const int inputs = std::max(2 * channels + kPairFeatures, kPairFeatures + codes_);
            layer_.resize(inputs + std::max(weights->middle, weights->hidden));
        }
        for (int e = 0; e < edge_count; ++e) {
            const float* sums = borders + size_t(e) * (kBorderSums + 2 * channels);
            float* row = &borders_[size_t(e) * row_];
            std::copy_n(sums, kBorderSums, row);
            if (weights) find_code(e, sums, row + kBorderSums);
            edges_of_[ends_[2 * e]].push_back(e);
            edges_of_[ends_[2 * e + 1]].push_back(e);
        }
        std::iota(place_.begin(), place_.end(), 0);
        std::iota(edge_at_.begin(), edge_at_.end(), 0);
        tree_.vanished.assign(edge_count, -1);
    }

    MergeTree run(int left) {
        const size_t most = static_cast<size_t>(std::max(0, static_cast<int>(regions_.size()) - left));
        std::vector<float> start(place_.size());
        for (size_t e = 0; e < start.size(); ++e) start[e] = cost(static_cast<int>(e));
        costs_.start(start);
        while (!costs_.empty() && tree_.costs.size() < most) join(edge_at_[costs_.best_place()], costs_.best_cost());
        find_vanished();
        return std::move(tree_);
    }

  private:
    const MergeWeights* weights_;
    const int codes_;
    std::vector<Region> regions_;
    std::vector<float> sums_;
    std::vector<int32_t> ends_;  // of each edge, the regions that it now lies between
    const int row_;              // floats of a border: its sums, then the sums of its codes
    std::vector<float> borders_;
    std::vector<int32_t> place_;                  // of each edge in costs_: the lowest number of the edges that it consists of
    std::vector<int32_t> edge_at_;                // of each place
    Tournament costs_;
    std::vector<int32_t> joined_;                 // the edge that took one up, -1: none
    std::vector<int32_t> number_;                 // of each region in the tree
    std::vector<std::vector<int32_t>> edges_of_;  // of each region
    std::vector<int32_t> edge_to_;                // while two regions join: the first one's edge to each region, or -1
    std::vector<float> layer_;
    MergeTree tree_;

    void find_code(int e, const float* sums, float* code) {
        const MergeWeights& w = *weights_;
        const int pooled = 2 * w.channels, inputs = pooled + kPairFeatures;
        float *x = layer_.data(), *middle = x + inputs;
        for (int i = 0; i < pooled; ++i) x[i] = sums[kBorderSums + i] / sums[0];
        find_features(regions_[ends_[2 * e]], regions_[ends_[2 * e + 1]], sums, x + pooled);
        linear(x, inputs, w.border1, w.border1_bias, w.middle, middle);
        rectify(middle, w.middle);
        linear(middle, w.middle, w.border2, w.border2_bias, w.codes, code);
        rectify(code, w.codes);
        for (int i = 0; i < w.codes; ++i) code[i] *= sums[0];
    }

    float cost(int e) {
        const Region &a = regions_[ends_[2 * e]], &b = regions_[ends_[2 * e + 1]];
        const float* border = &borders_[size_t(e) * row_];
        if (!weights_) {
            float square = 0;
            for (int c = 0; c < 3; ++c) square += (a.mean[c] - b.mean[c]) * (a.mean[c] - b.mean[c]);
            return a.size * b.size / (a.size + b.size) * (square + kPlainConstant) / border[0];
        }
        const MergeWeights& w = *weights_;
        float *x = layer_.data(), *hidden = x + kPairFeatures + w.codes;
        find_features(a, b, border, x);
        for (int i = 0; i < w.codes; ++i) x[kPairFeatures + i] = border[kBorderSums + i] / border[0];
        linear(x, kPairFeatures + w.codes, w.pair1, w.pair1_bias, w.hidden, hidden);
        rectify(hidden, w.hidden);
        float logit;
        linear(hidden, w.hidden, w.pair2, w.pair2_bias, 1, &logit);
        return std::min(a.size, b.size) / ((1 + std::exp(-logit)) * std::sqrt(border[0]));
    }

    int32_t& own_end(int32_t edge, int32_t region) { return ends_[2 * edge] == region ? ends_[2 * edge] : ends_[2 * edge + 1]; }
    int32_t other_end(int32_t edge, int32_t region) const { return ends_[2 * edge] == region ? ends_[2 * edge + 1] : ends_[2 * edge]; }

    void drop(int32_t region, int32_t edge) {
        std::vector<int32_t>& edges = edges_of_[region];
        *std::find(edges.begin(), edges.end(), edge) = edges.back();
        edges.pop_back();
    }

    void join(int32_t edge, float cost_of_it) {
        int32_t a = ends_[2 * edge], b = ends_[2 * edge + 1];
        if (edges_of_[a].size() < edges_of_[b].size()) std::swap(a, b);
        const int32_t merge = static_cast<int32_t>(tree_.costs.size());
        tree_.children.push_back(std::min(number_[a], number_[b]));
        tree_.children.push_back(std::max(number_[a], number_[b]));
        tree_.costs.push_back(cost_of_it);
        tree_.vanished[edge] = merge;
        number_[a] = static_cast<int32_t>(regions_.size()) + merge;

        for (int i = 0; i < kRegionSums; ++i) sums_[size_t(a) * kRegionSums + i] += sums_[size_t(b) * kRegionSums + i];
        regions_[a] = Region(&sums_[size_t(a) * kRegionSums]);
        costs_.remove(place_[edge]);
        drop(a, edge);
        drop(b, edge);
        hand_over(a, b);
        for (int32_t e : edges_of_[a]) costs_.set(place_[e], cost(e));
    }

    // The edges of b become edges of a, or are taken up by the one that a has to the same region.
    void hand_over(int32_t a, int32_t b) {
        const size_t own = edges_of_[a].size();
        for (size_t i = 0; i < own; ++i) edge_to_[other_end(edges_of_[a][i], a)] = edges_of_[a][i];
        for (int32_t e : edges_of_[b]) {
            const int32_t other = other_end(e, b), taker = edge_to_[other];
            if (taker < 0) {
                own_end(e, b) = a;
                edges_of_[a].push_back(e);
                continue;
            }
            for (int i = 0; i < row_; ++i) borders_[size_t(taker) * row_ + i] += borders_[size_t(e) * row_ + i];
            costs_.remove(std::max(place_[taker], place_[e]));
            place_[taker] = std::min(place_[taker], place_[e]);
            edge_at_[place_[taker]] = taker;
            joined_[e] = taker;
            drop(other, e);
        }
        std::vector<int32_t>().swap(edges_of_[b]);
        for (size_t i = 0; i < own; ++i) edge_to_[other_end(edges_of_[a][i], a)] = -1;
    }

    void find_vanished() {
        for (size_t e = 0; e < joined_.size(); ++e) {
            int32_t last = static_cast<int32_t>(e);
            while (joined_[last] >= 0) {
                if (joined_[joined_[last]] >= 0) joined_[last] = joined_[joined_[last]];
                last = joined_[last];
            }
            tree_.vanished[e] = tree_.vanished[last];
        }
    }
};

}  // namespace

AINET_CLONES MergeTree merge_regions(const float* regions, int region_count, const int32_t* edges, const float* borders, int edge_count,
                                     int channels, const MergeWeights* weights, int left) {
    return Merging(regions, region_count, edges, borders, edge_count, channels, weights).run(left);
}

std::vector<int32_t> regions_after(const int32_t* children, int count, int merges) {
    std::vector<int32_t> top(size_t(count) + merges), number(top.size(), -1), regions(count);
    std::iota(top.begin(), top.end(), 0);
    for (int i = merges - 1; i >= 0; --i) {
        for (int child = 0; child < 2; ++child) top[children[2 * i + child]] = top[size_t(count) + i];
    }
    int32_t next = 0;
    for (int i = 0; i < count; ++i) {
        int32_t& region = number[top[i]];
        if (region < 0) region = next++;
        regions[i] = region;
    }
    return regions;
}

void pair_features(const float* regions, const int32_t* edges, const float* borders, int edge_count, int channels, float* out) {
    for (int e = 0; e < edge_count; ++e) {
        const Region a(regions + size_t(edges[2 * e]) * kRegionSums), b(regions + size_t(edges[2 * e + 1]) * kRegionSums);
        find_features(a, b, borders + size_t(e) * (kBorderSums + 2 * channels), out + size_t(e) * kPairFeatures);
    }
}

}  // namespace ainet
