// The queue for where io_uring is not permitted: each operation is a blocking call, made by submit() in the order
// asked. While one is running the log's own queue gathers, so commits still share flushes.
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>

#include <unistd.h>

#include "engine/io/native_file.h"

namespace cairn::io {
namespace {

class PlainQueue final : public Queue {
 public:
  void read(File& file, std::uint64_t offset, MutableBytes into, std::uint64_t token) override {
    asked_.push_back({Kind::read, fd_of(file), offset, into.data(), into.size(), token});
  }
  void write(File& file, std::uint64_t offset, Bytes from, std::uint64_t token) override {
    asked_.push_back({Kind::write, fd_of(file), offset, const_cast<std::byte*>(from.data()), from.size(), token});
  }
  void write_through(File& file, std::uint64_t offset, Bytes from, std::uint64_t token) override {
    asked_.push_back({Kind::write_through, fd_of(file), offset, const_cast<std::byte*>(from.data()), from.size(), token});
  }
  void flush(File& file, std::uint64_t token) override {
    asked_.push_back({Kind::flush, fd_of(file), 0, nullptr, 0, token});
  }

  void submit() override {
    for (; !asked_.empty(); asked_.pop_front()) done_.push_back({asked_.front().token, run(asked_.front())});
  }

  std::size_t wait(std::span<Completion> completions, bool block) override {
    submit();
    std::size_t count = 0;
    for (; count < completions.size() && !done_.empty(); done_.pop_front()) completions[count++] = done_.front();
    std::unique_lock lock(mutex_);
    if (count == 0 && block) wake_.wait(lock, [this] { return woken_; });
    woken_ = false;
    return count;
  }

  void wake() override {
    {
      const std::scoped_lock lock(mutex_);
      woken_ = true;
    }
    wake_.notify_one();
  }

  const char* name() const noexcept override { return "plain"; }

 private:
  enum class Kind { read, write, write_through, flush };
  struct Operation {
    Kind kind;
    int fd;
    std::uint64_t offset;
    std::byte* data;
    std::size_t size;
    std::uint64_t token;
  };

  static int fd_of(File& file) { return static_cast<NativeFile&>(file).fd(); }

  static std::int64_t run(const Operation& op) {
    std::int64_t result = 0;
    if (op.kind != Kind::flush) {
      do {
        result = op.kind == Kind::read ? ::pread(op.fd, op.data, op.size, static_cast<off_t>(op.offset))
                                       : ::pwrite(op.fd, op.data, op.size, static_cast<off_t>(op.offset));
      } while (result < 0 && errno == EINTR);
      if (result < 0) return -errno;
    }
    const bool whole = result == static_cast<std::int64_t>(op.size);
    if (op.kind == Kind::flush || (op.kind == Kind::write_through && whole)) {
      if (::fdatasync(op.fd) != 0) return -errno;
    }
    return result;
  }

  std::deque<Operation> asked_;
  std::deque<Completion> done_;
  std::mutex mutex_;  // guards woken_
  std::condition_variable wake_;
  bool woken_ = false;
};

}  // namespace

std::unique_ptr<Queue> make_plain_queue() {
  return std::make_unique<PlainQueue>();
}

}  // namespace cairn::io
