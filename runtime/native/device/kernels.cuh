// Every kernel, with the structure of its arguments.
#pragma once

#include "connectivity.cuh"
#include "image.cuh"

#define AINET_KERNELS(X)             \
    X(resize_to_bytes, Resize)       \
    X(resize_to_floats, Resize)      \
    X(resize_to_halves, Resize)      \
    X(assign_floats, Assign)         \
    X(assign_halves, Assign)         \
    X(resize_ids, Assign)            \
    X(connect_start, Connectivity)   \
    X(connect_unite, Connectivity)   \
    X(connect_flatten, Connectivity) \
    X(connect_cut, Connectivity)     \
    X(connect_adopt, Connectivity)   \
    X(connect_number, Connectivity)  \
    X(connect_fill, Connectivity)
