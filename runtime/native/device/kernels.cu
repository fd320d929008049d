// The kernels for a GPU: ainet_NAME(arguments, count) runs NAME for `count` indices of each image; the grid's second
// dimension counts images. Those for teams take one block of a warp for each index.
#include "kernels.cuh"

#define AINET_DEFINE(name, Arguments)                                                                            \
    extern "C" __global__ void ainet_##name(const __grid_constant__ ainet::device::Arguments a, int32_t count) { \
        const int32_t i = blockIdx.x * blockDim.x + threadIdx.x;                                                 \
        if (i < count) ainet::device::name(a, blockIdx.y, i);                                                    \
    }

AINET_KERNELS(AINET_DEFINE)

#define AINET_DEFINE_TEAM(name, Arguments)                                                                       \
    extern "C" __global__ void ainet_##name(const __grid_constant__ ainet::device::Arguments a, int32_t count) { \
        __shared__ int32_t tile[ainet::device::kTile];                                                           \
        const ainet::device::Team team{tile};                                                                    \
        ainet::device::name(a, blockIdx.y, blockIdx.x, team);                                                    \
    }

AINET_TEAM_KERNELS(AINET_DEFINE_TEAM)
