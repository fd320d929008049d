// The kernels for a GPU: ainet_NAME(arguments, count) runs NAME for `count` indices of each image; the grid's second
// dimension counts images.
#include "kernels.cuh"

#define AINET_DEFINE(name, Arguments)                                                                            \
    extern "C" __global__ void ainet_##name(const __grid_constant__ ainet::device::Arguments a, int32_t count) { \
        const int32_t i = blockIdx.x * blockDim.x + threadIdx.x;                                                 \
        if (i < count) ainet::device::name(a, blockIdx.y, i);                                                    \
    }

AINET_KERNELS(AINET_DEFINE)
