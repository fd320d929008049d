// The little that differs between a GPU and the host: the kernels of this folder are written against it and compile for
// both, with nvcc or NVRTC and as C++17. A kernel is a function of one index, run once for every index in any order and
// at any number at once; the next kernel starts when it is through. A few are run for every index by a team, whose members
// meet at barriers: the 32 threads of a warp, or threads of the host.
#pragma once

#if defined(__CUDACC__)
#define AINET_DEVICE __device__ inline
#else
#define AINET_DEVICE inline
#endif

#if defined(__CUDACC_RTC__)  // NVRTC brings no standard library
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long long;
#else
#include <cstdint>
#endif
#if !defined(__CUDACC__)
#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <thread>
#include <vector>
#endif

namespace ainet::device {

constexpr int32_t kLargest = 0x7fffffff;
constexpr int32_t kTile = 10240;  // words of memory that the members of a team share

#if defined(__CUDACC__)

// Memory that other indices may be using at the same moment; no order between different addresses is implied.
AINET_DEVICE int32_t load(const int32_t* p) { return *static_cast<const volatile int32_t*>(p); }
AINET_DEVICE void store(int32_t* p, int32_t value) { *static_cast<volatile int32_t*>(p) = value; }
AINET_DEVICE int32_t add(int32_t* p, int32_t value) { return atomicAdd(p, value); }  // returns what was there
AINET_DEVICE void raise(int32_t* p, int32_t value) { atomicMax(p, value); }
AINET_DEVICE void set_bits(uint32_t* p, uint32_t bits) { atomicOr(p, bits); }
// Writes `value` if *p is `expected`; returns what was there.
AINET_DEVICE int32_t compare_and_swap(int32_t* p, int32_t expected, int32_t value) { return atomicCAS(p, expected, value); }

// A warp. Its functions are called by all members at once. Only `sync` orders what they do to memory: the others are shuffles.
struct Team {
    int32_t* tile;

    static constexpr int32_t size = 32;
    AINET_DEVICE int32_t rank() const { return static_cast<int32_t>(threadIdx.x); }
    AINET_DEVICE void sync() const { __syncwarp(); }
    AINET_DEVICE int32_t minimum(int32_t value) const {
        for (int step = size / 2; step > 0; step /= 2) {
            const int32_t other = __shfl_xor_sync(~0u, value, step);
            value = other < value ? other : value;
        }
        return value;
    }
    // Sum of the values of earlier ranks; `total` of all.
    AINET_DEVICE int32_t sum_before(int32_t value, int32_t& total) const {
        int32_t sum = value;
        for (int step = 1; step < size; step *= 2) {
            const int32_t other = __shfl_up_sync(~0u, sum, step);
            if (rank() >= step) sum += other;
        }
        total = __shfl_sync(~0u, sum, size - 1);
        return sum - value;
    }
};

AINET_DEVICE int32_t count_bits(uint32_t bits) { return __popc(bits); }
AINET_DEVICE float multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
AINET_DEVICE int32_t round_to_even(float x) { return __float2int_rn(x); }

#else

AINET_DEVICE int32_t load(const int32_t* p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
AINET_DEVICE void store(int32_t* p, int32_t value) { __atomic_store_n(p, value, __ATOMIC_RELAXED); }
AINET_DEVICE int32_t add(int32_t* p, int32_t value) { return __atomic_fetch_add(p, value, __ATOMIC_RELAXED); }
AINET_DEVICE void raise(int32_t* p, int32_t value) {
    for (int32_t found = load(p); found < value && !__atomic_compare_exchange_n(p, &found, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);) {
    }
}
AINET_DEVICE void set_bits(uint32_t* p, uint32_t bits) { __atomic_fetch_or(p, bits, __ATOMIC_RELAXED); }
AINET_DEVICE int32_t compare_and_swap(int32_t* p, int32_t expected, int32_t value) {
    __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}

// Threads of the host. What they share stands in a `Meeting`.
struct Team {
    struct Meeting {
        explicit Meeting(int32_t members) : values(members), tile(kTile) {}
        std::vector<int32_t> values, tile;
        std::atomic<int32_t> arrived{0}, round{0};
    };

    Team(Meeting& meeting, int32_t rank) : tile(meeting.tile.data()), size(static_cast<int32_t>(meeting.values.size())), meeting_(meeting), rank_(rank) {}

    int32_t* tile;
    const int32_t size;
    int32_t rank() const { return rank_; }
    void sync() const {
        const int32_t round = meeting_.round;
        if (++meeting_.arrived == size) {
            meeting_.arrived = 0;
            ++meeting_.round;
        } else {
            while (meeting_.round == round) std::this_thread::yield();
        }
    }
    int32_t minimum(int32_t value) const {
        tell(value);
        const int32_t result = *std::min_element(meeting_.values.begin(), meeting_.values.end());
        sync();
        return result;
    }
    int32_t sum_before(int32_t value, int32_t& total) const {
        tell(value);
        const auto begin = meeting_.values.begin();
        const int32_t result = std::accumulate(begin, begin + rank_, 0);
        total = std::accumulate(begin + rank_, meeting_.values.end(), result);
        sync();
        return result;
    }

  private:
    Meeting& meeting_;
    const int32_t rank_;

    void tell(int32_t value) const {
        meeting_.values[rank_] = value;
        sync();
    }
};

AINET_DEVICE int32_t count_bits(uint32_t bits) { return __builtin_popcount(bits); }
AINET_DEVICE float multiply_add(float a, float b, float c) { return std::fma(a, b, c); }
AINET_DEVICE int32_t round_to_even(float x) { return static_cast<int32_t>(std::nearbyint(x)); }

#endif

AINET_DEVICE int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
AINET_DEVICE int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

}  // namespace ainet::device
