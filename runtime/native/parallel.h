// A loop over the images of a batch, on several threads.
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

// Calls body(i) once for every i in [0, count), on at most as many threads as the machine has (the caller is one of
// them). The first exception that a body throws is thrown again here.
template <typename Body>
void parallel_for(int64_t count, const Body& body) {
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

    const int64_t threads = std::min<int64_t>(count, std::thread::hardware_concurrency());
    std::vector<std::thread> others;
    others.reserve(threads > 1 ? threads - 1 : 0);
    try {
        for (int64_t t = 1; t < threads; ++t) others.emplace_back(work);
    } catch (const std::system_error&) {
        // The system gives no more threads: those there are do the work.
    }
    work();
    for (std::thread& thread : others) thread.join();
    if (error) std::rethrow_exception(error);
}

}  // namespace ainet
