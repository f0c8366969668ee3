// The queue on io_uring. One thread asks and waits; an eventfd that the ring itself reads lets other threads wake it.
#include <cerrno>
#include <unordered_map>

#include <liburing.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/core/check.h"
#include "engine/io/native_file.h"

namespace cairn::io {
namespace {

// User data of a submission: the caller's token, and in the two top bits what it is to us.
constexpr std::uint64_t kLinkedWrite = 1ull << 63;  // first half of a write_through that needs a flush of its own
constexpr std::uint64_t kLinkedFlush = 1ull << 62;
constexpr std::uint64_t kWakeToken = ~0ull;

class RingQueue final : public Queue {
 public:
  explicit RingQueue(unsigned depth) : entries_(depth * 2 + 2) {}

  ~RingQueue() override {
    if (ready_) ::io_uring_queue_exit(&ring_);
    if (eventfd_ >= 0) ::close(eventfd_);
  }

  int open() {
    // Newest set-up first; older kernels refuse flags that they do not know. Deferred task work is not asked for: it
    // would hold a linked flush back for as long as the thread is busy elsewhere.
    int rc = -EINVAL;
    for (const unsigned flags : {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_CLAMP, IORING_SETUP_CLAMP, 0u}) {
      rc = ::io_uring_queue_init(entries_, &ring_, flags);
      if (rc != -EINVAL) break;
    }
    if (rc < 0) return rc;
    ready_ = true;
    eventfd_ = ::eventfd(0, EFD_CLOEXEC);
    if (eventfd_ < 0) return -errno;
    arm_wake();
    rc = ::io_uring_submit(&ring_);
    return rc < 0 ? rc : 0;
  }

  void read(File& file, std::uint64_t offset, MutableBytes into, std::uint64_t token) override {
    auto* sqe = next();
    ::io_uring_prep_read(sqe, fd_of(file), into.data(), static_cast<unsigned>(into.size()), offset);
    sqe->user_data = token;
  }

  void write(File& file, std::uint64_t offset, Bytes from, std::uint64_t token) override {
    auto* sqe = next();
    ::io_uring_prep_write(sqe, fd_of(file), from.data(), static_cast<unsigned>(from.size()), offset);
    sqe->user_data = token;
  }

  void write_through(File& file, std::uint64_t offset, Bytes from, std::uint64_t token) override {
    const bool by_flag = static_cast<NativeFile&>(file).honours_dsync();
    // A linked pair must not be torn apart by a full submission queue.
    if (!by_flag && ::io_uring_sq_space_left(&ring_) < 2) submit();
    auto* sqe = next();
    ::io_uring_prep_write(sqe, fd_of(file), from.data(), static_cast<unsigned>(from.size()), offset);
    if (by_flag) {  // saves the kernel's worker thread that would run the flush: 80 us here
      sqe->rw_flags = RWF_DSYNC;
      sqe->user_data = token;
      return;
    }
    sqe->user_data = token | kLinkedWrite;
    sqe->flags |= IOSQE_IO_LINK;
    sqe = next();
    ::io_uring_prep_fsync(sqe, fd_of(file), IORING_FSYNC_DATASYNC);
    sqe->user_data = token | kLinkedFlush;
  }

  void flush(File& file, std::uint64_t token) override {
    auto* sqe = next();
    ::io_uring_prep_fsync(sqe, fd_of(file), IORING_FSYNC_DATASYNC);
    sqe->user_data = token;
  }

  void submit() override {
    if (::io_uring_sq_ready(&ring_) == 0) return;
    for (;;) {
      const int rc = ::io_uring_submit(&ring_);
      if (rc >= 0) return;
      CAIRN_CHECK(rc == -EINTR || rc == -EAGAIN || rc == -EBUSY);
    }
  }

  std::size_t wait(std::span<Completion> completions, bool block) override {
    std::size_t count = take(completions);
    if (count > 0 || woken_ || !block) {
      submit();
      if (count < completions.size()) count += take(completions.subspan(count));
    } else {
      while (count == 0 && !woken_) {
        const int rc = ::io_uring_submit_and_wait(&ring_, 1);
        CAIRN_CHECK(rc >= 0 || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY);
        count = take(completions);
      }
    }
    if (woken_) {
      woken_ = false;
      arm_wake();
    }
    return count;
  }

  void wake() override {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(eventfd_, &one, sizeof one);
  }

  const char* name() const noexcept override { return "io_uring"; }

 private:
  static int fd_of(File& file) { return static_cast<NativeFile&>(file).fd(); }

  io_uring_sqe* next() {
    auto* sqe = ::io_uring_get_sqe(&ring_);
    if (sqe == nullptr) {
      submit();
      sqe = ::io_uring_get_sqe(&ring_);
    }
    CAIRN_CHECK(sqe != nullptr);
    return sqe;
  }

  void arm_wake() {
    auto* sqe = next();
    ::io_uring_prep_read(sqe, eventfd_, &wake_count_, sizeof wake_count_, 0);
    sqe->user_data = kWakeToken;
  }

  std::size_t take(std::span<Completion> completions) {
    std::size_t count = 0;
    io_uring_cqe* cqe = nullptr;
    while (count < completions.size() && ::io_uring_peek_cqe(&ring_, &cqe) == 0) {
      const std::uint64_t data = cqe->user_data;
      const std::int64_t result = cqe->res;
      ::io_uring_cqe_seen(&ring_, cqe);
      if (data == kWakeToken) {
        woken_ = true;
      } else if (data & kLinkedWrite) {
        linked_[data & ~kLinkedWrite] = result;  // its flush speaks after it, cancelled when the write failed or was short
      } else if (data & kLinkedFlush) {
        const auto it = linked_.find(data & ~kLinkedFlush);
        CAIRN_CHECK(it != linked_.end());
        const std::int64_t written = it->second;
        linked_.erase(it);
        // Should only the flush have been cancelled, nothing is durable: that is the flush's failure.
        const bool write_failed = result == -ECANCELED && written < 0;
        completions[count++] = {data & ~kLinkedFlush, write_failed ? written : result < 0 ? result : written};
      } else {
        completions[count++] = {data, result};
      }
    }
    return count;
  }

  unsigned entries_;
  io_uring ring_{};
  bool ready_ = false;
  int eventfd_ = -1;
  std::uint64_t wake_count_ = 0;
  bool woken_ = false;
  std::unordered_map<std::uint64_t, std::int64_t> linked_;  // written bytes, or why not, of pairs whose flush is under way
};

}  // namespace

std::unique_ptr<Queue> make_ring_queue(unsigned depth, int& error_number) {
  auto queue = std::make_unique<RingQueue>(depth);
  const int rc = queue->open();
  error_number = -rc;
  if (rc < 0) return nullptr;
  return queue;
}

}  // namespace cairn::io
