// The words of CUDA C++ that the kernels use, for g++. The 32 threads of a warp are fibers that run in random order and
// change at barriers, shuffles and, now and then, at atomics. A warp that no GPU could run ends the process with a message.
#pragma once

#include <csetjmp>
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#define __CUDACC__ 1
#define __device__
#define __global__
#define __grid_constant__
#define __shared__ static  // one block runs at a time; it finds what another one left, as on a GPU

namespace emulator {

constexpr int kWarp = 32;

struct Index {
    unsigned x, y, z;
};

inline std::minstd_rand random_numbers{1};

inline unsigned below(unsigned count) { return static_cast<unsigned>(random_numbers() % count); }

struct Fiber {
    std::vector<char> stack;  // empty until it has started
    std::jmp_buf place;       // where it goes on
    bool done, waiting;
    const char* barrier;  // at which it waits
    int exchanges;        // shuffles that it has been through
};

inline Fiber fibers[kWarp];
inline std::jmp_buf scheduler;
inline int current = -1;  // the fiber that runs; -1: threads run to their end one after the other
inline int exchanged[2][kWarp];
inline std::function<void()> body;

[[noreturn]] inline void fail(const char* message) {
    std::fprintf(stderr, "CUDA emulator: %s\n", message);
    std::abort();
}

}  // namespace emulator

inline emulator::Index threadIdx, blockIdx, blockDim;

namespace emulator {

// Back to the scheduler, until it lets this fiber go on. (Jumps, as swapcontext asks the kernel each time.)
inline void leave_fiber() {
    const int self = current;
    if (_setjmp(fibers[self].place) == 0) _longjmp(scheduler, 1);
    threadIdx.x = threadIdx.x / kWarp * kWarp + self;
}

inline void fiber_main() {
    for (;;) {
        body();
        fibers[current].done = true;
        leave_fiber();
    }
}

inline void enter_fiber(int number) {
    Fiber& fiber = fibers[current = number];
    if (_setjmp(scheduler) != 0) return;
    if (!fiber.stack.empty()) _longjmp(fiber.place, 1);
    fiber.stack.resize(1 << 16);
    ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = fiber.stack.data();
    start.uc_stack.ss_size = fiber.stack.size();
    makecontext(&start, fiber_main, 0);
    setcontext(&start);
}

inline void wait_at(const char* barrier) {
    if (current < 0) fail("a barrier outside a warp that runs as fibers");
    fibers[current].barrier = barrier;
    fibers[current].waiting = true;
    leave_fiber();
}

inline void perhaps_change() {
    if (current >= 0 && below(3) == 0) leave_fiber();
}

inline int shuffle(int value, int from, const char* barrier) {
    int* const values = exchanged[fibers[current].exchanges++ % 2];
    values[current] = value;
    wait_at(barrier);
    return from >= 0 && from < kWarp ? values[from] : value;
}

// Lets the fibers that wait go on, if all of the warp stand at the same barrier.
inline void open_barrier() {
    for (const Fiber& fiber : fibers) {
        if (fiber.done) fail("threads left a warp in which others stand at a barrier");
        if (std::strcmp(fiber.barrier, fibers[0].barrier) != 0) fail("threads of a warp stand at different barriers");
    }
    for (Fiber& fiber : fibers) fiber.waiting = false;
}

// Runs body() on the 32 threads of a warp whose first thread has the number `first` in its block.
inline void run_warp(unsigned first) {
    for (Fiber& fiber : fibers) {
        fiber.done = fiber.waiting = false;
        fiber.exchanges = 0;
    }
    int ready[kWarp], count = 0, done = 0;
    while (done < kWarp) {
        if (count == 0) {
            if (done > 0 || fibers[0].waiting) open_barrier();
            for (int i = 0; i < kWarp; ++i) ready[count++] = i;
        }
        const int place = static_cast<int>(below(count)), next = ready[place];
        threadIdx.x = first + next;
        enter_fiber(next);
        if (fibers[next].done || fibers[next].waiting) ready[place] = ready[--count];
        done += fibers[next].done;
    }
    current = -1;
}

template <typename Value>
std::vector<Value> shuffled(Value count) {
    std::vector<Value> order(count);
    for (Value i = 0; i < count; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_numbers);
    return order;
}

// Runs `kernel` on a grid of (columns, rows) blocks. `as_fibers`: whether warps run as fibers.
inline void run_grid(const std::function<void()>& kernel, unsigned columns, unsigned rows, unsigned threads, bool as_fibers) {
    body = kernel;
    blockDim = {threads, 1, 1};
    for (const uint64_t block : shuffled(uint64_t{columns} * rows)) {
        blockIdx = {static_cast<unsigned>(block % columns), static_cast<unsigned>(block / columns), 0};
        if (as_fibers) {
            for (const unsigned warp : shuffled(threads / kWarp)) run_warp(warp * kWarp);
        } else {
            for (const unsigned thread : shuffled(threads)) {
                threadIdx.x = thread;
                body();
            }
        }
    }
}

}  // namespace emulator

inline void __syncwarp() { emulator::wait_at("__syncwarp"); }
inline int __shfl_xor_sync(unsigned, int value, int mask) { return emulator::shuffle(value, emulator::current ^ mask, "__shfl_xor_sync"); }
inline int __shfl_up_sync(unsigned, int value, int by) { return emulator::shuffle(value, emulator::current - by, "__shfl_up_sync"); }
inline int __shfl_sync(unsigned, int value, int from) { return emulator::shuffle(value, from, "__shfl_sync"); }

template <typename Value, typename Change>
Value atomically(Value* p, const Change& change) {
    emulator::perhaps_change();
    const Value before = *p;
    *p = change(before);
    return before;
}
inline int atomicAdd(int* p, int value) { return atomically(p, [=](int before) { return before + value; }); }
inline int atomicMax(int* p, int value) { return atomically(p, [=](int before) { return std::max(before, value); }); }
inline unsigned atomicOr(unsigned* p, unsigned bits) { return atomically(p, [=](unsigned before) { return before | bits; }); }
inline int atomicCAS(int* p, int expected, int value) { return atomically(p, [=](int before) { return before == expected ? value : before; }); }

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __int_as_float(int bits) { return __builtin_bit_cast(float, bits); }
inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline int __float2int_rn(float x) { return static_cast<int>(__builtin_nearbyintf(x)); }
