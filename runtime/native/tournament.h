// Which of many costs is the least, while some change.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace ainet {

// Costs, each at a place, and the least of them: every node of a binary tree holds the lesser of the two below it.
class Tournament {
  public:
    explicit Tournament(int places) : first_(1) {
        while (first_ < size_t(places)) first_ *= 2;
        nodes_.assign(2 * first_, kNone);
    }

    // Gives the first places their costs, which are not negative.
    void start(const std::vector<float>& costs) {
        for (size_t place = 0; place < costs.size(); ++place) nodes_[first_ + place] = key(place, costs[place]);
        for (size_t node = first_ - 1; node > 0; --node) nodes_[node] = std::min(nodes_[2 * node], nodes_[2 * node + 1]);
    }

    void set(int32_t place, float cost) { put(place, key(place, cost)); }
    void remove(int32_t place) { put(place, kNone); }

    bool empty() const { return nodes_[1] == kNone; }
    int32_t best_place() const { return static_cast<int32_t>(nodes_[1] & 0xffffffffu); }  // of equal costs the first one
    float best_cost() const {
        const uint32_t bits = static_cast<uint32_t>(nodes_[1] >> 32);
        float cost;
        std::memcpy(&cost, &bits, sizeof cost);
        return cost;
    }

  private:
    static constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

    size_t first_;  // the node of the first place; the two nodes below i are 2 i and 2 i + 1
    std::vector<uint64_t> nodes_;

    // Ordered by cost, as the bits of positive floats are, then by place.
    static uint64_t key(size_t place, float cost) {
        uint32_t bits;
        std::memcpy(&bits, &cost, sizeof bits);
        return uint64_t(bits) << 32 | place;
    }

    void put(int32_t place, uint64_t value) {
        size_t node = first_ + static_cast<size_t>(place);
        nodes_[node] = value;
        for (node /= 2; node > 0; node /= 2) {
            const uint64_t least = std::min(nodes_[2 * node], nodes_[2 * node + 1]);
            if (nodes_[node] == least) return;
            nodes_[node] = least;
        }
    }
};

}  // namespace ainet
