// What the kernels of this folder are written against: a few words for memory that others use at the same moment, and for
// a warp. They are compiled by nvcc or NVRTC, and by g++ for the emulated GPU of the tests (tests/support/cuda_emulator).
//
// A kernel is a function of one index, run once for every index in any order and at any number at once; the next kernel
// starts when it is through. A few are run for every index by a team, the 32 threads of a warp, which meet at barriers.
#pragma once

#define AINET_DEVICE __device__ inline

#if defined(__CUDACC_RTC__)  // NVRTC brings no standard library
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long long;
#else
#include <cstdint>
#endif

namespace ainet::device {

constexpr int32_t kLargest = 0x7fffffff;
constexpr int32_t kTile = 10240;  // words of memory that the members of a team share

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
// Arithmetic that is never fused, so that results are those of the CPU.
AINET_DEVICE float plus(float a, float b) { return __fadd_rn(a, b); }
AINET_DEVICE float minus(float a, float b) { return __fsub_rn(a, b); }
AINET_DEVICE float times(float a, float b) { return __fmul_rn(a, b); }
AINET_DEVICE float over(float a, float b) { return __fdiv_rn(a, b); }
AINET_DEVICE int32_t round_to_even(float x) { return __float2int_rn(x); }

AINET_DEVICE int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
AINET_DEVICE int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

}  // namespace ainet::device
