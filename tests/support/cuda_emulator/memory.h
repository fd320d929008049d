// Device and pinned memory. Every allocation has pages of its own: an access after the end or after it was freed ends the
// process, and new memory holds junk.
#pragma once

#include <sys/mman.h>

#include <cstring>
#include <map>

#include "status.h"

namespace emulator {

struct Context {
    int device;
};

struct Allocation {
    size_t size, mapped;
    bool pinned;
    Context* owner;
};

class Memory {
  public:
    size_t capacity = size_t{1} << 40;  // bytes of device memory

    Status allocate(size_t size, bool pinned, Context* owner, uintptr_t& address) {
        if (size == 0) return kInvalidValue;
        if (!pinned && size > capacity - used()) return kOutOfMemory;
        const size_t body = (size + kPage - 1) / kPage * kPage, mapped = body + kPage;  // the last page cannot be touched
        char* const start = static_cast<char*>(mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (start == MAP_FAILED) return kOutOfMemory;
        mprotect(start + body, kPage, PROT_NONE);
        std::memset(start, kJunk, body);
        address = reinterpret_cast<uintptr_t>(start);
        allocations_[address] = {size, mapped, pinned, owner};
        return kSuccess;
    }

    Status release(uintptr_t address, bool pinned) {
        const auto found = allocations_.find(address);
        if (found == allocations_.end() || found->second.pinned != pinned) return kInvalidValue;
        const char* bytes = reinterpret_cast<char*>(address);
        for (size_t i = found->second.size; i < found->second.mapped - kPage; ++i) {
            if (bytes[i] != kJunk) fail("something was written after the end of an allocation");
        }
        munmap(reinterpret_cast<void*>(address), found->second.mapped);
        allocations_.erase(found);
        return kSuccess;
    }

    // The allocation that holds the address, or null.
    const Allocation* find(uintptr_t address) const {
        auto after = allocations_.upper_bound(address);
        if (after == allocations_.begin()) return nullptr;
        --after;
        return address < after->first + after->second.size ? &after->second : nullptr;
    }

    // Whether a copy of `size` bytes from or to the address stays inside one allocation; other host memory passes.
    bool holds(uintptr_t address, size_t size) const { return find(address) == nullptr || find(address) == find(address + size - 1); }

    size_t used() const {
        size_t total = 0;
        for (const auto& [address, allocation] : allocations_) total += allocation.pinned ? 0 : allocation.size;
        return total;
    }

    size_t count() const { return allocations_.size(); }

  private:
    static constexpr size_t kPage = 4096;
    static constexpr char kJunk = 0x77;
    std::map<uintptr_t, Allocation> allocations_;
};

}  // namespace emulator
