// Connectivity by its GPU kernels on one and on several threads of the host; built with ThreadSanitizer, which reports races.
#include <cstdio>
#include <random>
#include <vector>

#include "device/host.h"
#include "device/kernels.cuh"

using ainet::device::Connectivity;

namespace {

std::vector<int32_t> connect(const std::vector<int32_t>& labels, int32_t height, int32_t width, int64_t min_size, int64_t max_size, int threads) {
    std::vector<int32_t> out(labels.size()), scratch(6 * labels.size() + 64);
    const Connectivity a{labels.data(), out.data(), scratch.data(), static_cast<int64_t>(scratch.size()), min_size, max_size, height, width};
    const int32_t pixels = a.pixels();
    const auto run = [&](const char* kernel, int32_t count) { ainet::device::run_on_host(kernel, &a, sizeof a, count, 1, threads); };
    run("connect_start", pixels);
    run("connect_unite", pixels);
    run("connect_flatten", (pixels + ainet::device::kGroup - 1) / ainet::device::kGroup);
    run("connect_cut", (pixels + ainet::device::kTeamPixels - 1) / ainet::device::kTeamPixels);
    run("connect_adopt", pixels);
    run("connect_number", pixels);
    run("connect_fill", pixels);
    return out;
}

}  // namespace

int main() {
    std::mt19937 random(1);
    for (const auto& [side, scale, min_size, max_size] : {std::tuple{60, 1, 3, 1000}, {60, 4, 20, 90}, {60, 7, 5, 1 << 30}, {60, 9, 30, 20}, {110, 50, 40, 900}, {60, 2, 9, 1}}) {
        std::vector<int32_t> coarse(side * side), labels(side * side);
        for (int32_t& label : coarse) label = random() % 3;
        for (int i = 0; i < side * side; ++i) labels[i] = random() % 20 ? coarse[i / side / scale * side + i % side / scale] : random() % 3;
        const bool equal = connect(labels, side, side, min_size, max_size, 1) == connect(labels, side, side, min_size, max_size, 3);
        std::puts(equal ? "equal" : "different");
    }
}
