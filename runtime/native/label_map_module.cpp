// Python bindings of what is done with label maps. What would be read or written outside an array is a ValueError.
#include "label_map_module.h"

#include <utility>
#include <vector>

#include "arrays.h"
#include "label_map.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using ainet::as_array;
using ainet::Input;

template <typename Label>
nb::tuple number(const Input<Label, -1, -1>& labels) {
    std::vector<int32_t> numbers(labels.size());
    std::vector<Label> values;
    {
        const nb::gil_scoped_release release;
        values = ainet::number_labels(labels.data(), labels.size(), numbers.data());
    }
    const size_t count = values.size();
    return nb::make_tuple(as_array(std::move(values), {count}), as_array(std::move(numbers), {labels.shape(0), labels.shape(1)}));
}

nb::tuple table(const Input<int32_t, -1, -1>& numbers, int regions, const uint8_t* rgb) {
    if (regions < 0) throw nb::value_error("there cannot be fewer than 0 regions");
    ainet::RegionTable table;
    {
        const nb::gil_scoped_release release;
        table = ainet::region_table(numbers.data(), rgb, static_cast<int>(numbers.shape(0)), static_cast<int>(numbers.shape(1)), regions);
    }
    if (table.boxes.empty() && numbers.size() > 0) throw nb::value_error("numbers are not in 0 .. regions - 1");
    return nb::make_tuple(as_array(std::move(table.sums), {size_t(regions), ainet::kRegionColumns}),
                          as_array(std::move(table.boxes), {size_t(regions), 4}));
}

nb::tuple outline(const Input<int32_t, -1, -1>& regions) {
    ainet::Outlines found;
    {
        const nb::gil_scoped_release release;
        found = ainet::outlines(regions.data(), static_cast<int>(regions.shape(0)), static_cast<int>(regions.shape(1)));
    }
    const size_t points = found.points.size() / 2, rings = found.regions.size();
    return nb::make_tuple(as_array(std::move(found.points), {points, 2}), as_array(std::move(found.starts), {rings + 1}),
                          as_array(std::move(found.regions), {rings}));
}

}  // namespace

void ainet::define_label_map(nb::module_& m) {
    m.def("number_labels", &number<uint8_t>, "labels"_a);
    m.def("number_labels", &number<uint16_t>, "labels"_a);
    m.def("number_labels", &number<uint32_t>, "labels"_a);
    m.def("number_labels", &number<uint64_t>, "labels"_a);

    m.def("region_table", [](const Input<int32_t, -1, -1>& numbers, int regions) { return table(numbers, regions, nullptr); },
          "numbers"_a, "regions"_a);
    m.def("region_table", [](const Input<int32_t, -1, -1>& numbers, int regions, const Input<uint8_t, -1, -1, 3>& rgb) {
        if (rgb.shape(0) != numbers.shape(0) || rgb.shape(1) != numbers.shape(1)) throw nb::value_error("numbers and rgb differ in size");
        return table(numbers, regions, rgb.data());
    }, "numbers"_a, "regions"_a, "rgb"_a);

    m.def("outlines", &outline, "regions"_a);
}
