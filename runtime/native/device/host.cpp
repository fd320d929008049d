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

template <typename Arguments>
void run(void (*kernel)(const Arguments&, int32_t, int32_t), const Arguments& arguments, int32_t count, int32_t images, int threads) {
    const int64_t total = int64_t{count} * images;
    std::atomic<int64_t> next{0};
    const auto work = [&] {
        for (int64_t first; (first = next.fetch_add(kBlock)) < total;) {
            for (int64_t i = first; i < std::min(first + kBlock, total); ++i) {
                kernel(arguments, static_cast<int32_t>(i / count), static_cast<int32_t>(i % count));
            }
        }
    };
    std::vector<std::thread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(work);
    work();
    for (std::thread& thread : others) thread.join();
}

}  // namespace

void run_on_host(const std::string& kernel, const void* arguments, size_t size, int32_t count, int32_t images, int threads) {
#define AINET_RUN(name, Arguments)                                                                                    \
    if (kernel == #name && size == sizeof(Arguments)) {                                                               \
        return run<Arguments>(name, *static_cast<const Arguments*>(arguments), count, images, threads);               \
    }
    AINET_KERNELS(AINET_RUN)
#undef AINET_RUN
    throw std::invalid_argument("no kernel '" + kernel + "' with arguments of " + std::to_string(size) + " bytes");
}

}  // namespace ainet::device
