// Python bindings of the native pre- and post-processing.
#include <nanobind/nanobind.h>

NB_MODULE(_native, m) { m.doc() = "Native pre- and post-processing."; }
