// Python bindings of the region graph and of merging. Sizes that have to fit together are checked where they come in; that labels,
// edges and children are those of one graph, and weights of its border map, is the duty of runtime/merging.py.
#include "merging_module.h"

#include <utility>
#include <vector>

#include "arrays.h"
#include "merging.h"
#include "region_graph.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using ainet::as_array;
using ainet::Input;
using Matrix = Input<float, -1, -1>;
using Vector = Input<float, -1>;

// The map over an image of the size of `labels`.
ainet::BorderMap border_map(const Input<int32_t, -1, -1>& labels, const Input<float, -1, -1, -1>& map, const Input<int32_t, -1>& rows,
                            const Input<int32_t, -1>& columns) {
    const bool fits = rows.shape(0) == labels.shape(0) && columns.shape(0) == labels.shape(1);
    if (map.shape(2) > 0 && !fits) throw nb::value_error("rows and columns of the map are not those of the labels");
    return {map.data(), static_cast<int>(map.shape(1)), static_cast<int>(map.shape(2)), rows.data(), columns.data()};
}

nb::tuple describe(const Input<int32_t, -1, -1>& labels, const Input<uint8_t, -1, -1, 3>& rgb, int regions,
                   const Input<float, -1, -1, -1>& map, const Input<int32_t, -1>& rows, const Input<int32_t, -1>& columns) {
    const int height = static_cast<int>(labels.shape(0)), width = static_cast<int>(labels.shape(1));
    if (rgb.shape(0) != labels.shape(0) || rgb.shape(1) != labels.shape(1)) throw nb::value_error("labels and rgb differ in size");
    const size_t channels = map.shape(2);
    const ainet::BorderMap places = border_map(labels, map, rows, columns);
    ainet::RegionGraph graph;
    {
        const nb::gil_scoped_release release;
        graph = ainet::describe_regions(labels.data(), rgb.data(), height, width, regions, places);
    }
    const size_t edges = graph.edges.size() / 2;
    return nb::make_tuple(as_array(std::move(graph.regions), {size_t(regions), ainet::kRegionSums}),
                          as_array(std::move(graph.edges), {edges, 2}),
                          as_array(std::move(graph.borders), {edges, ainet::kBorderSums + 2 * channels}));
}

int channels_of(const Matrix& borders) { return static_cast<int>(borders.shape(1) - ainet::kBorderSums) / 2; }

nb::tuple merge(const Matrix& regions, const Input<int32_t, -1, 2>& edges, const Matrix& borders, const ainet::MergeWeights* weights,
                int left) {
    ainet::MergeTree tree;
    {
        const nb::gil_scoped_release release;
        tree = ainet::merge_regions(regions.data(), static_cast<int>(regions.shape(0)), edges.data(), borders.data(),
                                    static_cast<int>(edges.shape(0)), channels_of(borders), weights, left);
    }
    const size_t merges = tree.costs.size();
    return nb::make_tuple(as_array(std::move(tree.children), {merges, 2}), as_array(std::move(tree.costs), {merges}),
                          as_array(std::move(tree.vanished), {edges.shape(0)}));
}

}  // namespace

void ainet::define_merging(nb::module_& m) {
    m.def("describe_regions", &describe, "labels"_a, "rgb"_a, "regions"_a, "map"_a, "rows"_a, "columns"_a);

    m.def("map_gradient", [](const Input<int32_t, -1, -1>& labels, int regions, const Input<float, -1, -1, -1>& map,
                             const Input<int32_t, -1>& rows, const Input<int32_t, -1>& columns, const Matrix& gradient) {
        std::vector<float> out(map.size());
        const ainet::BorderMap places = border_map(labels, map, rows, columns);
        {
            const nb::gil_scoped_release release;
            ainet::add_map_gradient(labels.data(), static_cast<int>(labels.shape(0)), static_cast<int>(labels.shape(1)), regions,
                                    places, gradient.data(), out.data());
        }
        return as_array(std::move(out), {map.shape(0), map.shape(1), map.shape(2)});
    }, "labels"_a, "regions"_a, "map"_a, "rows"_a, "columns"_a, "gradient"_a);

    m.def("merge_plainly", [](const Matrix& regions, const Input<int32_t, -1, 2>& edges, const Matrix& borders, int left) {
        return merge(regions, edges, borders, nullptr, left);
    }, "regions"_a, "edges"_a, "borders"_a, "left"_a);

    m.def("merge_by_weights", [](const Matrix& regions, const Input<int32_t, -1, 2>& edges, const Matrix& borders, int left,
                                 const Matrix& border1,
                                 const Vector& border1_bias, const Matrix& border2, const Vector& border2_bias, const Matrix& pair1,
                                 const Vector& pair1_bias, const Matrix& pair2, const Vector& pair2_bias) {
        const ainet::MergeWeights weights{
            channels_of(borders), static_cast<int>(border1.shape(1)), static_cast<int>(border2.shape(1)), static_cast<int>(pair1.shape(1)),
            border1.data(), border1_bias.data(), border2.data(), border2_bias.data(),
            pair1.data(), pair1_bias.data(), pair2.data(), pair2_bias.data()};
        return merge(regions, edges, borders, &weights, left);
    }, "regions"_a, "edges"_a, "borders"_a, "left"_a, "border1"_a, "border1_bias"_a, "border2"_a, "border2_bias"_a, "pair1"_a,
       "pair1_bias"_a,
       "pair2"_a, "pair2_bias"_a);

    m.def("regions_after", [](const Input<int32_t, -1, 2>& children, int count, int merges) {
        if (count < 0 || merges < 0 || size_t(merges) > children.shape(0)) throw nb::value_error("the tree has not so many merges");
        return as_array(ainet::regions_after(children.data(), count, merges), {size_t(count)});
    }, "children"_a, "count"_a, "merges"_a);

    m.def("pair_features", [](const Matrix& regions, const Input<int32_t, -1, 2>& edges, const Matrix& borders) {
        std::vector<float> features(edges.shape(0) * ainet::kPairFeatures);
        {
            const nb::gil_scoped_release release;
            ainet::pair_features(regions.data(), edges.data(), borders.data(), static_cast<int>(edges.shape(0)), channels_of(borders),
                                 features.data());
        }
        return as_array(std::move(features), {edges.shape(0), ainet::kPairFeatures});
    }, "regions"_a, "edges"_a, "borders"_a);
}
