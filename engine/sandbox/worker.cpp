#include "engine/sandbox/worker.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

#include <sys/prctl.h>
#include <unistd.h>

#include "engine/sandbox/confine.h"
#include "engine/sandbox/sanitized.h"

namespace cairn::sandbox {
namespace {

class SharedRoom final : public codec::SampleRoom {
 public:
  explicit SharedRoom(MutableBytes room) : room_(room) {}
  Result<MutableBytes> take(std::uint64_t bytes) override {
    if (bytes > room_.size()) return fail(Errc::limit_exceeded, "room for the samples of a frame");
    taken_ = bytes;
    const MutableBytes all = room_.first(static_cast<std::size_t>(bytes));
    std::memset(all.data(), 0, all.size());
    return all;
  }
  std::uint64_t taken() const noexcept { return taken_; }

 private:
  MutableBytes room_;
  std::uint64_t taken_ = 0;
};

codec::ForeignJob job_of(const DecodeRequest& r, Bytes coded) {
  codec::ForeignJob job;
  job.decoder = static_cast<codec::ForeignDecoder>(r.decoder);
  job.allow_partial = r.allow_partial != 0;
  job.coded = coded;
  codec::PixelFormat& f = job.format;
  f.rows = r.rows;
  f.columns = r.columns;
  f.samples_per_pixel = r.samples_per_pixel;
  f.bits_allocated = r.bits_allocated;
  f.bits_stored = r.bits_stored;
  f.high_bit = r.high_bit;
  f.planar_configuration = r.planar_configuration;
  f.is_signed = r.is_signed != 0;
  f.kind = r.floating != 0 ? codec::SampleKind::floating : codec::SampleKind::integer;
  f.photometric = r.photometric.data();
  return job;
}

void put_error(DecodeReply& reply, const Error& e) {
  const bool ours = e.code.category() == make_error_code(Errc::internal).category();
  reply.error = ours ? e.code.value() : static_cast<std::int32_t>(Errc::internal);
  reply.offset = e.offset;
  std::strncpy(reply.where.data(), e.where, reply.where.size() - 1);
}

DecodeReply answer(const DecodeRequest& request, MutableBytes memory, DecodeFunction decode) {
  DecodeReply reply{};
  SharedRoom room(memory.subspan(whole_pages(request.coded_bytes)));
  try {
    const auto traits = decode(job_of(request, memory.first(request.coded_bytes)), room);
    if (!traits) {
      put_error(reply, traits.error());
      return reply;
    }
    const codec::StreamTraits& t = traits.value();
    reply.width_bytes = t.width_bytes;
    reply.precision = t.precision;
    reply.oddities = t.oddities;
    reply.stream_signed = t.stream_signed;
    reply.lossy = t.lossy;
    reply.colour = static_cast<std::uint8_t>(t.colour);
    reply.sample_bytes = room.taken();
  } catch (const std::bad_alloc&) {
    put_error(reply, fail(Errc::out_of_memory, "decoder process"));
  }
  return reply;
}

}  // namespace

void run_worker(int channel, MutableBytes memory, const ZygoteRequest& how, DecodeFunction decode) {
  ::prctl(PR_SET_NAME, "decoder");
  if (!set_limits(kSanitized ? 0 : how.memory_bytes)) ::_exit(1);
  const WorkerHello hello{how.filter_system_calls != 0 && filter_system_calls() ? kSystemCalls : 0u};
  // From here on only read() and write().
  if (::write(channel, &hello, sizeof hello) != sizeof hello) ::_exit(1);
  DecodeRequest request;
  while (::read(channel, &request, sizeof request) == sizeof request) {
    const DecodeReply reply = answer(request, memory, decode);
    if (::write(channel, &reply, sizeof reply) != sizeof reply) break;
  }
  ::_exit(0);
}

}  // namespace cairn::sandbox
