// The emulated machine: its memory, streams and kernels, and what every entry point begins with.
#pragma once

#include "warp.h"

#include "memory.h"
#include "streams.h"

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "kernels.cu"

namespace emulator {

inline constexpr int kDevices = 2, kVersion = 13000;
inline constexpr uint64_t kFewThreads = 1 << 15;  // a larger grid runs its threads one after the other

struct Kernel {
    const char* name;
    size_t size;  // of its structure of arguments
    bool team;
    std::function<void(const void*, int32_t)> run;
};

struct Machine {
    std::recursive_mutex mutex;
    Memory memory;
    Streams streams;
    Context primary[kDevices] = {{0}, {1}};
    std::map<UserObject*, std::shared_ptr<UserObject>> objects;  // that no graph holds yet
    std::map<std::string, int64_t> calls;
    int launches_until_failure = -1;
    bool initialised = false, lost = false;
};

inline Machine& machine() {
    static Machine* const made = new Machine;  // Python may still call when the process ends
    return *made;
}

inline thread_local Context* current_context = nullptr;
inline thread_local std::vector<Context*> previous_contexts;

inline const std::vector<Kernel>& kernels() {
    static const std::vector<Kernel> all = {
#define ROW(name, Arguments, team)                   \
    {"ainet_" #name, sizeof(ainet::device::Arguments), team, \
     [](const void* a, int32_t count) { ainet_##name(*static_cast<const ainet::device::Arguments*>(a), count); }},
#define SINGLE(name, Arguments) ROW(name, Arguments, false)
#define TEAM(name, Arguments) ROW(name, Arguments, true)
        AINET_KERNELS(SINGLE) AINET_TEAM_KERNELS(TEAM)
#undef ROW
#undef SINGLE
#undef TEAM
    };
    return all;
}

inline double milliseconds() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Each entry point counts its calls, holds the machine, and fails where the GPU is lost.
#define ENTRY(name)                                             \
    const std::lock_guard<std::recursive_mutex> held(machine().mutex); \
    ++machine().calls[name];                                    \
    if (machine().lost) return kIllegalAddress;

#define REQUIRE(condition, status) \
    if (!(condition)) return status;

#define OUTSIDE_CAPTURE() \
    if (const Status refused = machine().streams.forbid_in_capture()) return refused;

inline Status start(Stream& stream, Step step) {
    REQUIRE(!stream.invalidated, kCaptureInvalidated)
    Streams::add(stream, std::move(step));
    return kSuccess;
}

}  // namespace emulator
