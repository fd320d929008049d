// Every kernel in two lists, of those for single threads and of those for teams, with the structure of its arguments.
#pragma once

#include "connectivity.cuh"
#include "cut.cuh"
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
    X(connect_adopt, Connectivity)   \
    X(connect_number, Connectivity)  \
    X(connect_fill, Connectivity)

#define AINET_TEAM_KERNELS(X) X(connect_cut, Connectivity)
