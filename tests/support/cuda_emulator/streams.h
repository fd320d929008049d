// Streams run their work as late as CUDA allows: when somebody waits for it. So a result that is read, or a buffer that is
// written again, before its stream was waited for, is wrong here every time.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "status.h"

namespace emulator {

using Step = std::function<void()>;

// Something that lives as long as the graphs that hold it; cuda-core hangs what a graph needs on one.
struct UserObject {
    void* content;
    void (*destroy)(void*);
    ~UserObject() { destroy(content); }
};

struct Graph {
    std::vector<Step> steps;
    std::vector<std::shared_ptr<UserObject>> objects;
};

struct Stream {
    std::deque<Step> queue;
    std::unique_ptr<Graph> captured;  // while it is capturing
    std::thread::id capturing_thread;
    bool guarded = false, invalidated = false;  // guarded: that thread must not call what could wait for the device
};

// One recording of an event.
struct Record {
    Stream* stream;
    bool done = false;
    double milliseconds = 0;
};

struct Event {
    std::shared_ptr<Record> last;
};

class Streams {
  public:
    Stream* make() { return all_.emplace(std::make_unique<Stream>()).first->get(); }

    // The stream of a handle, of CUDA's three default streams too; null if there is none.
    Stream* find(void* handle) {
        const auto number = reinterpret_cast<uintptr_t>(handle);
        if (number <= 2) return &default_;
        for (const auto& stream : all_) {
            if (stream.get() == handle) return stream.get();
        }
        return nullptr;
    }

    void destroy(Stream* stream) {
        run(*stream);
        for (auto it = all_.begin(); it != all_.end(); ++it) {
            if (it->get() == stream) {
                all_.erase(it);
                return;
            }
        }
    }

    // Puts a step into the stream, or into the graph that is captured from it.
    static void add(Stream& stream, Step step) {
        if (stream.captured) {
            stream.captured->steps.push_back(std::move(step));
        } else {
            stream.queue.push_back(std::move(step));
        }
    }

    static void run(Stream& stream) {
        while (!stream.queue.empty()) run_first(stream);
    }

    static void run_until(const Record& record) {
        while (!record.done) run_first(*record.stream);
    }

    void run_all() {
        run(default_);
        for (const auto& stream : all_) run(*stream);
    }

    size_t count() const { return all_.size(); }

    // What a call that may wait for the device does to a guarded capture of its thread: ends it with an error.
    Status forbid_in_capture() {
        for (const auto& stream : all_) {
            if (stream->captured && stream->guarded && stream->capturing_thread == std::this_thread::get_id()) {
                stream->invalidated = true;
                return kCaptureUnsupported;
            }
        }
        return kSuccess;
    }

  private:
    std::set<std::unique_ptr<Stream>> all_;
    Stream default_;

    static void run_first(Stream& stream) {
        const Step step = std::move(stream.queue.front());
        stream.queue.pop_front();
        step();
    }
};

}  // namespace emulator
