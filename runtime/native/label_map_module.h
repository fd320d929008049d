// Adds the functions of label maps to the Python module.
#pragma once

#include <nanobind/nanobind.h>

namespace ainet {

void define_label_map(nanobind::module_& m);

}  // namespace ainet
