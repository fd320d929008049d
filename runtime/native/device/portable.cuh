// The little that differs between a GPU and the host: the kernels of this folder are written against it and compile for
// both, with nvcc or NVRTC and as C++17. A kernel is a function of one index, run once for every index in any order and
// at any number at once; it has no barriers, and the next kernel starts when it is through.
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
#include <cmath>
#include <cstdint>
#endif

namespace ainet::device {

#if defined(__CUDACC__)

// Memory that other indices may be using at the same moment; no order between different addresses is implied.
AINET_DEVICE int32_t load(const int32_t* p) { return *static_cast<const volatile int32_t*>(p); }
AINET_DEVICE void store(int32_t* p, int32_t value) { *static_cast<volatile int32_t*>(p) = value; }
AINET_DEVICE void add(int32_t* p, int32_t value) { atomicAdd(p, value); }
AINET_DEVICE void set_bits(uint32_t* p, uint32_t bits) { atomicOr(p, bits); }
// Writes `value` if *p is `expected`; returns what was there.
AINET_DEVICE int32_t compare_and_swap(int32_t* p, int32_t expected, int32_t value) { return atomicCAS(p, expected, value); }

AINET_DEVICE int32_t count_bits(uint32_t bits) { return __popc(bits); }
AINET_DEVICE float multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
AINET_DEVICE int32_t round_to_even(float x) { return __float2int_rn(x); }

#else

AINET_DEVICE int32_t load(const int32_t* p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
AINET_DEVICE void store(int32_t* p, int32_t value) { __atomic_store_n(p, value, __ATOMIC_RELAXED); }
AINET_DEVICE void add(int32_t* p, int32_t value) { __atomic_fetch_add(p, value, __ATOMIC_RELAXED); }
AINET_DEVICE void set_bits(uint32_t* p, uint32_t bits) { __atomic_fetch_or(p, bits, __ATOMIC_RELAXED); }
AINET_DEVICE int32_t compare_and_swap(int32_t* p, int32_t expected, int32_t value) {
    __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}

AINET_DEVICE int32_t count_bits(uint32_t bits) { return __builtin_popcount(bits); }
AINET_DEVICE float multiply_add(float a, float b, float c) { return std::fma(a, b, c); }
AINET_DEVICE int32_t round_to_even(float x) { return static_cast<int32_t>(std::nearbyint(x)); }

#endif

AINET_DEVICE int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
AINET_DEVICE int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

}  // namespace ainet::device
