// The kernels for a GPU, run on the host: the same source, for machines without one and for the tests.
#pragma once

#include <cstdint>
#include <string>

namespace ainet::device {

// Runs the kernel for indices 0 .. count - 1 of every image. arguments: its structure. threads: 1 goes through the indices
// in order, more run them at the same time, and are the members of a team. Throws std::invalid_argument if there is no such kernel or `size` is not that
// of its structure.
void run_on_host(const std::string& kernel, const void* arguments, size_t size, int32_t count, int32_t images, int threads);

}  // namespace ainet::device
