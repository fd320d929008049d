#include "host.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "kernels.cuh"

namespace ainet::device {
namespace {

constexpr int64_t kBlock = 64;  // indices that one thread takes at a time: few, so that threads meet often

// Calls member(rank) on so many threads.
template <typename Member>
void on_threads(int threads, const Member& member) {
    std::vector<std::thread> others;
    for (int rank = 1; rank < threads; ++rank) others.emplace_back(member, rank);
    member(0);
    for (std::thread& thread : others) thread.join();
}

template <typename Arguments>
void run(void (*kernel)(const Arguments&, int32_t, int32_t), const Arguments& arguments, int32_t count, int32_t images, int threads) {
    const int64_t total = int64_t{count} * images;
    std::atomic<int64_t> next{0};
    on_threads(threads, [&](int) {
        for (int64_t first; (first = next.fetch_add(kBlock)) < total;) {
            for (int64_t i = first; i < std::min(first + kBlock, total); ++i) {
                kernel(arguments, static_cast<int32_t>(i / count), static_cast<int32_t>(i % count));
            }
        }
    });
}

template <typename Arguments>
void run(void (*kernel)(const Arguments&, int32_t, int32_t, const Team&), const Arguments& arguments, int32_t count, int32_t images, int threads) {
    Team::Meeting meeting(threads);
    on_threads(threads, [&](int rank) {
        const Team team(meeting, rank);
        for (int32_t image = 0; image < images; ++image) {
            for (int32_t i = 0; i < count; ++i) kernel(arguments, image, i, team);
        }
    });
}

}  // namespace

void run_on_host(const std::string& kernel, const void* arguments, size_t size, int32_t count, int32_t images, int threads) {
#define AINET_RUN(name, Arguments)                                                                                    \
    if (kernel == #name && size == sizeof(Arguments)) {                                                               \
        return run<Arguments>(name, *static_cast<const Arguments*>(arguments), count, images, threads);               \
    }
    AINET_KERNELS(AINET_RUN)
    AINET_TEAM_KERNELS(AINET_RUN)
#undef AINET_RUN
    throw std::invalid_argument("no kernel '" + kernel + "' with arguments of " + std::to_string(size) + " bytes");
}

}  // namespace ainet::device
