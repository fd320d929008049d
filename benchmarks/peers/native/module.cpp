// Python bindings of the peers that have no package. Arguments are checked by the adapters; other Python threads run meanwhile.
#include <nanobind/nanobind.h>

#include <utility>
#include <vector>

#include "arrays.h"
#include "ers.h"
#include "snic.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using ainet::as_array;
using ainet::Input;
using ainet::Output;

nb::tuple ers(const Input<double, 4, -1, -1>& weights, int segments, double balance) {
    const size_t height = weights.shape(1), width = weights.shape(2);
    std::vector<int32_t> labels(height * width);
    std::vector<double> gains;
    {
        const nb::gil_scoped_release release;
        gains = ainet::entropy_rate_superpixels(weights.data(), height, width, segments, balance, labels.data());
    }
    const size_t count = gains.size();
    return nb::make_tuple(as_array(std::move(labels), {height, width}), as_array(std::move(gains), {count}));
}

Output<int32_t> snic(const Input<float, -1, -1, 3>& lab, int rows, int columns, double compactness) {
    const size_t height = lab.shape(0), width = lab.shape(1);
    std::vector<int32_t> labels(height * width);
    {
        const nb::gil_scoped_release release;
        ainet::snic(lab.data(), height, width, rows, columns, compactness, labels.data());
    }
    return as_array(std::move(labels), {height, width});
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Peers that have no package: ERS and SNIC. Called through the adapters, which check the arguments.";
    m.def("ers", &ers, "weights"_a, "segments"_a, "balance"_a);
    m.def("snic", &snic, "lab"_a, "rows"_a, "columns"_a, "compactness"_a);
}
