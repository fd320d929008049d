// Lazy greedy maximisation. Taking an edge joins two trees of a forest; an edge's gain is what it adds to
//
//   entropy rate of a random walk on the edges taken + balance of the tree sizes.
//
// Both are submodular: as the forest grows, gains only shrink. So the gain on the heap is a bound, and only the edge on
// top need be evaluated anew: if it stays on top, it is the best of all.
//
// Colours are whole numbers, so gains are often equal but for rounding. They are compared in steps of 2^-40 of the
// largest, and of equal ones the first edge is taken, by pixel, then by direction: every machine gives the same superpixels.
#include "ers.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ainet {
namespace {

constexpr int kDirections = 4;

inline double x_log2(double x) { return x > 0 ? x * std::log2(x) : 0; }

struct Candidate {
    int64_t gain;  // in steps
    int32_t edge;  // of pixel edge / 4, in direction edge % 4

    bool operator>(const Candidate& other) const { return gain != other.gain ? gain > other.gain : edge < other.edge; }
};

// The trees of a forest and their sizes, by union-find.
class Forest {
  public:
    explicit Forest(int32_t nodes) : parent_(nodes), size_(nodes, 1), trees_(nodes) {
        for (int32_t i = 0; i < nodes; ++i) parent_[i] = i;
    }

    int32_t root(int32_t i) {
        while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
        return i;
    }

    int32_t size(int32_t root) const { return size_[root]; }
    int32_t trees() const { return trees_; }

    void join(int32_t a, int32_t b) {
        if (size_[a] < size_[b]) std::swap(a, b);
        parent_[b] = a;
        size_[a] += size_[b];
        --trees_;
    }

  private:
    std::vector<int32_t> parent_, size_;
    int32_t trees_;
};

// A max-heap of which only the top changes. Four children share a cache line.
class Heap {
  public:
    std::vector<Candidate> items;

    void build() {
        for (size_t i = (items.size() + 2) / 4; i-- > 0;) sink(i);  // from the last that has a child
    }

    // Returns whether the top stays where it is.
    bool lower_top(int64_t gain) {
        const int32_t edge = items[0].edge;
        items[0].gain = gain;
        sink(0);
        return items[0].edge == edge;
    }

    void pop() {
        items[0] = items.back();
        items.pop_back();
        if (!items.empty()) sink(0);
    }

  private:
    void sink(size_t i) {
        const Candidate moved = items[i];
        for (size_t first; (first = 4 * i + 1) < items.size();) {
            const size_t end = std::min(first + 4, items.size());
            size_t best = first;
            for (size_t child = first + 1; child < end; ++child) best = items[child] > items[best] ? child : best;
            if (!(items[best] > moved)) break;
            items[i] = items[best];
            i = best;
        }
        items[i] = moved;
    }
};

class Graph {
  public:
    Graph(const double* weights, int height, int width)
        : pixels_(height * width), offset_{1 - width, width + 1, width, 1}, weight_(kDirections * size_t(pixels_)),
          loop_(pixels_), loop_term_(pixels_), forest_(pixels_), size_term_(size_t(pixels_) + 1) {
        for (int y = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x) {
                const bool inside[kDirections] = {x + 1 < width && y > 0, x + 1 < width && y + 1 < height, y + 1 < height, x + 1 < width};
                for (int d = 0; d < kDirections; ++d) {
                    if (inside[d]) add(y * width + x, d, weights[d * size_t(pixels_) + y * width + x]);
                }
            }
        }
        double total = 0;
        for (double loop : loop_) total += loop;
        const double scale = total > 0 ? 1 / total : 1;
        for (double& weight : weight_) weight *= scale;
        for (int32_t p = 0; p < pixels_; ++p) set_loop(p, loop_[p] * scale);
        for (int32_t n = 1; n <= pixels_; ++n) size_term_[n] = x_log2(double(n) / pixels_);
    }

    std::vector<double> cut(int32_t segments, double balance) {
        if (forest_.trees() <= segments) return {};
        double largest = 0;
        for (const Candidate& candidate : heap_.items) largest = std::max(largest, entropy_gain(candidate.edge));
        const double first = balance_gain(1, 1);
        balance_ = first > 0 ? balance * largest / first : 0;  // 0: of two pixels
        const double top = largest + balance_ * balance_gain(1, 1);
        const double steps = top > 0 ? std::ldexp(1.0, 40 - std::ilogb(top)) : 1;  // per unit of gain
        const auto in_steps = [&](double gain) { return static_cast<int64_t>(gain * steps + 0.5); };
        for (Candidate& candidate : heap_.items) {
            candidate.gain = in_steps(entropy_gain(candidate.edge) + balance_ * balance_gain(1, 1));
        }
        heap_.build();

        std::vector<double> gains;
        while (forest_.trees() > segments) {
            const int32_t edge = heap_.items[0].edge;
            const int32_t a = forest_.root(from(edge)), b = forest_.root(to(edge));
            if (a == b) {
                heap_.pop();
                continue;
            }
            const double gain = entropy_gain(edge) + balance_ * balance_gain(forest_.size(a), forest_.size(b));
            if (!heap_.lower_top(in_steps(gain))) continue;
            heap_.pop();
            forest_.join(a, b);
            set_loop(from(edge), loop_[from(edge)] - weight_[edge]);
            set_loop(to(edge), loop_[to(edge)] - weight_[edge]);
            gains.push_back(gain);
        }
        return gains;
    }

    void label(int32_t* labels) {
        std::vector<int32_t> label(pixels_, -1);
        int32_t next = 0;
        for (int32_t p = 0; p < pixels_; ++p) {
            int32_t& mine = label[forest_.root(p)];
            if (mine < 0) mine = next++;
            labels[p] = mine;
        }
    }

  private:
    const int32_t pixels_;
    const int32_t offset_[kDirections];  // to the neighbour in each direction
    std::vector<double> weight_;         // of each edge; of all edges and loops together: 1
    std::vector<double> loop_;           // of each pixel: what its edges leave of its weight
    std::vector<double> loop_term_;      // loop * log2(loop)
    Forest forest_;
    std::vector<double> size_term_;  // share * log2(share) of a tree of n pixels
    Heap heap_;
    double balance_ = 0;

    int32_t from(int32_t edge) const { return edge / kDirections; }
    int32_t to(int32_t edge) const { return edge / kDirections + offset_[edge % kDirections]; }

    void add(int32_t p, int direction, double weight) {
        const int32_t edge = kDirections * p + direction;
        weight_[edge] = weight;
        loop_[p] += weight;
        loop_[to(edge)] += weight;
        heap_.items.push_back({0, edge});
    }

    void set_loop(int32_t p, double loop) {
        loop_[p] = loop;
        loop_term_[p] = x_log2(loop);
    }

    // What taking the edge adds to the entropy rate: two loops lose its weight, and two transitions gain it.
    double entropy_gain(int32_t edge) const {
        const int32_t i = from(edge), j = to(edge);
        const double w = weight_[edge];
        return loop_term_[i] + loop_term_[j] - x_log2(loop_[i] - w) - x_log2(loop_[j] - w) - 2 * x_log2(w);
    }

    // The same for the balance, of trees of m and n pixels: entropy of the tree sizes minus the number of trees.
    double balance_gain(int32_t m, int32_t n) const { return size_term_[m] + size_term_[n] - size_term_[m + n] + 1; }
};

}  // namespace

std::vector<double> entropy_rate_superpixels(
    const double* weights, int height, int width, int segments, double balance, int32_t* labels) {
    Graph graph(weights, height, width);
    std::vector<double> gains = graph.cut(segments, balance);
    graph.label(labels);
    return gains;
}

}  // namespace ainet
