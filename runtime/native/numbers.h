// Keys numbered 0, 1, 2, ... in the order in which they first come, by a hash table of open addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ainet {

// Key is an unsigned integer.
template <typename Key>
class Numbers {
  public:
    std::vector<Key> keys;  // by number

    // expected: so many keys find room; with more the table grows.
    explicit Numbers(size_t expected) {
        size_t slots = 16;
        while (slots < 2 * expected) slots *= 2;
        slots_.assign(slots, -1);
    }

    int32_t of(Key key) {
        int32_t& slot = slot_of(key);
        if (slot >= 0) return slot;
        const int32_t added = slot = static_cast<int32_t>(keys.size());
        keys.push_back(key);
        if (2 * keys.size() > slots_.size()) grow();
        return added;
    }

  private:
    std::vector<int32_t> slots_;

    // The slot that holds the number of a key, or the free one where it belongs.
    int32_t& slot_of(Key key) {
        const size_t mask = slots_.size() - 1;
        size_t slot = (uint64_t(key) * 0x9e3779b97f4a7c15u >> 32) & mask;
        while (slots_[slot] >= 0 && keys[slots_[slot]] != key) slot = (slot + 1) & mask;
        return slots_[slot];
    }

    void grow() {
        slots_.assign(2 * slots_.size(), -1);
        for (size_t number = 0; number < keys.size(); ++number) slot_of(keys[number]) = static_cast<int32_t>(number);
    }
};

}  // namespace ainet
