// Adds the functions of merging to the Python module.
#pragma once

#include <nanobind/nanobind.h>

namespace ainet {

void define_merging(nanobind::module_& m);

}  // namespace ainet
