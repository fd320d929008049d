// Entry points for streams, events and graphs.
#pragma once

#include "machine.h"

namespace emulator {

// --- streams and events ---

static Status cuStreamCreateWithPriority(Stream** stream, unsigned, int) {
    ENTRY("cuStreamCreateWithPriority")
    REQUIRE(current_context, kInvalidContext)
    *stream = machine().streams.make();
    return kSuccess;
}
static Status cuStreamDestroy(Stream* stream) {
    ENTRY("cuStreamDestroy")
    machine().streams.destroy(stream);
    return kSuccess;
}
static Status cuStreamSynchronize(void* handle) {
    ENTRY("cuStreamSynchronize")
    OUTSIDE_CAPTURE()
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    Streams::run(*stream);
    return kSuccess;
}
static Status cuStreamWaitEvent(void* handle, Event* event, unsigned) {
    ENTRY("cuStreamWaitEvent")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream && !stream->captured, kCaptureUnsupported)
    if (event->last) Streams::add(*stream, [record = event->last] { Streams::run_until(*record); });
    return kSuccess;
}
static Status cuEventCreate(Event** event, unsigned) {
    ENTRY("cuEventCreate")
    *event = new Event;
    return kSuccess;
}
static Status cuEventDestroy(Event* event) {
    ENTRY("cuEventDestroy")
    machine().streams.run_all();  // as work that records it may not have run yet
    delete event;
    return kSuccess;
}
static Status cuEventRecordWithFlags(Event* event, void* handle, unsigned flags) {
    ENTRY("cuEventRecord")
    constexpr unsigned kExternal = 1;
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    REQUIRE((flags == kExternal) == (stream->captured != nullptr), kCaptureUnsupported)
    const auto finish = [](Record& record) {
        record.done = true;
        record.milliseconds = milliseconds();
    };
    if (stream->captured) {
        return start(*stream, [=] {
            event->last = std::make_shared<Record>(Record{stream});
            finish(*event->last);
        });
    }
    event->last = std::make_shared<Record>(Record{stream});
    return start(*stream, [finish, record = event->last] { finish(*record); });
}
static Status cuEventRecord(Event* event, void* handle) { return cuEventRecordWithFlags(event, handle, 0); }
static Status cuEventElapsedTime(float* elapsed, Event* first, Event* second) {
    ENTRY("cuEventElapsedTime")
    REQUIRE(first->last && second->last, kInvalidHandle)
    REQUIRE(first->last->done && second->last->done, kNotReady)
    *elapsed = static_cast<float>(second->last->milliseconds - first->last->milliseconds);
    return kSuccess;
}

// --- graphs ---

static Status cuStreamBeginCapture(void* handle, int mode) {
    ENTRY("cuStreamBeginCapture")
    constexpr int kRelaxed = 2;
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream && !stream->captured, kInvalidHandle)
    stream->captured = std::make_unique<Graph>();
    stream->capturing_thread = std::this_thread::get_id();
    stream->guarded = mode != kRelaxed;
    return kSuccess;
}
static Status cuStreamGetCaptureInfo(void* handle, int* status, uint64_t*, Graph** graph, void*, void*, size_t*) {
    ENTRY("cuStreamGetCaptureInfo")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    if (status) *status = stream->invalidated ? 2 : stream->captured ? 1 : 0;
    if (graph) *graph = stream->captured.get();
    return kSuccess;
}
static Status cuStreamEndCapture(void* handle, Graph** graph) {
    ENTRY("cuStreamEndCapture")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream && stream->captured, kInvalidValue)
    Graph* const made = stream->captured.release();
    const bool invalidated = stream->invalidated;
    stream->invalidated = false;
    if (graph) *graph = invalidated ? nullptr : made;
    return invalidated ? kCaptureInvalidated : kSuccess;
}
static Status cuUserObjectCreate(UserObject** object, void* content, void (*destroy)(void*), unsigned, unsigned) {
    ENTRY("cuUserObjectCreate")
    *object = new UserObject{content, destroy};
    machine().objects.emplace(*object, *object);
    return kSuccess;
}
static Status cuUserObjectRelease(UserObject* object, unsigned) {
    ENTRY("cuUserObjectRelease")
    machine().objects.erase(object);
    return kSuccess;
}
static Status cuGraphRetainUserObject(Graph* graph, UserObject* object, unsigned, unsigned) {
    ENTRY("cuGraphRetainUserObject")
    graph->objects.push_back(machine().objects.at(object));
    machine().objects.erase(object);  // the flag MOVE, which is the only use here
    return kSuccess;
}
static Status cuGraphReleaseUserObject(Graph* graph, UserObject* object, unsigned) {
    ENTRY("cuGraphReleaseUserObject")
    const auto is_it = [object](const std::shared_ptr<UserObject>& each) { return each.get() == object; };
    graph->objects.erase(std::remove_if(graph->objects.begin(), graph->objects.end(), is_it), graph->objects.end());
    return kSuccess;
}
static Status cuGraphInstantiateWithParams(Graph** executable, Graph* graph, void* parameters) {
    ENTRY("cuGraphInstantiateWithParams")
    std::memset(static_cast<char*>(parameters) + 24, 0, sizeof(int));  // its result: success
    *executable = new Graph(*graph);
    return kSuccess;
}
static Status cuGraphDestroy(Graph* graph) {
    ENTRY("cuGraphDestroy")
    delete graph;
    return kSuccess;
}
static Status cuGraphExecDestroy(Graph* executable) {
    ENTRY("cuGraphExecDestroy")
    delete executable;
    return kSuccess;
}
static Status cuGraphLaunch(Graph* executable, void* handle) {
    ENTRY("cuGraphLaunch")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream && !stream->captured, kInvalidHandle)
    return start(*stream, [steps = executable->steps] {
        for (const Step& step : steps) step();
    });
}

}  // namespace emulator
