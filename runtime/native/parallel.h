// A loop on several threads: over the images of a batch, or over parts of their rows.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace ainet {

// How many threads that is: 0 stands for as many as the machine has.
inline int64_t thread_count(int threads) { return threads > 0 ? threads : std::max(1u, std::thread::hardware_concurrency()); }

// Calls body(i) once for every i in [0, count), on at most so many threads (the caller is one of them; 0: as many as the
// machine has). The first exception that a body throws is thrown again here.
template <typename Body>
void parallel_for(int64_t count, int threads, const Body& body) {
    std::atomic<int64_t> next{0};
    std::exception_ptr error;
    std::mutex error_mutex;
    const auto work = [&] {
        try {
            for (int64_t i; (i = next++) < count;) body(i);
        } catch (...) {
            const std::lock_guard<std::mutex> lock(error_mutex);
            if (!error) error = std::current_exception();
        }
    };

    const int64_t workers = std::min(count, thread_count(threads));
    std::vector<std::thread> others;
    others.reserve(workers > 1 ? workers - 1 : 0);
    try {
        for (int64_t t = 1; t < workers; ++t) others.emplace_back(work);
    } catch (const std::system_error&) {
        // The system gives no more threads: those there are do the work.
    }
    work();
    for (std::thread& thread : others) thread.join();
    if (error) std::rethrow_exception(error);
}

// Calls body(image, begin, end) for parts of the rows of each image, [begin, end) of [0, height), that make up the whole.
template <typename Body>
void parallel_rows(int64_t images, int height, int width, int threads, const Body& body) {
    constexpr int64_t kSmallestPart = 1 << 18;  // pixels; with less, starting a thread costs what it gains
    const int64_t most = std::max<int64_t>(1, int64_t{height} * width / kSmallestPart);
    const int64_t workers = thread_count(threads);
    const int64_t parts = images >= workers ? 1 : std::min({most, 2 * workers, int64_t{height}});
    parallel_for(images * parts, threads, [&](int64_t i) {
        const int64_t part = i % parts;
        body(i / parts, static_cast<int>(height * part / parts), static_cast<int>(height * (part + 1) / parts));
    });
}

}  // namespace ainet
