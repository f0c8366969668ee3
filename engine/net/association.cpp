#include "engine/net/association.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/core/log.h"
#include "engine/dicom/dimse_message.h"

namespace cairn::net {

namespace pdu = dicom::pdu;
namespace {

constexpr std::size_t kInboxBytes = 32u << 10;
// While a large PDV is read into its place, this much may be read of what follows it: the next headers.
constexpr std::size_t kLookAheadBytes = 4096;
// A connection whose data never runs dry lets the others of its core in after this much.
constexpr std::size_t kYieldBytes = 4u << 20;
constexpr std::size_t kOutboxLimit = 256u << 10;
constexpr auto kRelieveInterval = std::chrono::milliseconds(250);

}  // namespace

struct Association::DrainSignal {
  explicit DrainSignal(const asio::any_io_executor& executor) : timer(executor, Deadline::max()) {}
  asio::steady_timer timer;
};

const char* to_string(End end) noexcept {
  switch (end) {
    case End::open:
      return "open";
    case End::released:
      return "released";
    case End::rejected:
      return "rejected";
    case End::peer_aborted:
      return "aborted by the peer";
    case End::we_aborted:
      return "aborted by us";
    case End::connection_lost:
      return "connection lost";
  }
  return "";
}

Association::Association(std::unique_ptr<Stream> stream, Role role, AssociationOptions options)
    : stream_(std::move(stream)),
      options_(options),
      upper_layer_(role, {.p_data_bytes = options.max_pdu_bytes}),
      drain_(std::make_shared<DrainSignal>(stream_->executor())) {
  if (role == Role::acceptor) upper_layer_.transport_connected();
}

// --- reading

Deadline Association::artim_deadline() noexcept {
  if (artim_seen_ != upper_layer_.artim_starts()) {
    artim_seen_ = upper_layer_.artim_starts();
    artim_deadline_ = Clock::now() + options_.artim;
  }
  return artim_deadline_;
}

asio::awaitable<void> Association::yield() {
  bytes_since_yield_ = 0;
  co_await asio::post(stream_->executor(), asio::use_awaitable);
}

// Reads at least one byte into the inbox. What is queued goes out first: so an answer is never later than our next
// read, and the answers to commands that came together leave together.
Task<> Association::fill(Deadline deadline, DataSink* sink) {
  flush();
  if (!inbox_) {
    CAIRN_CO_TRYV(co_await stream_->wait_readable(deadline));
    inbox_ = std::make_unique_for_overwrite<std::byte[]>(kInboxBytes);
  }
  if (inbox_begin_ == inbox_end_) {
    inbox_begin_ = inbox_end_ = 0;
  } else if (inbox_end_ == kInboxBytes) {
    std::memmove(inbox_.get(), inbox_.get() + inbox_begin_, inbox_end_ - inbox_begin_);
    inbox_end_ -= inbox_begin_;
    inbox_begin_ = 0;
  }
  for (;;) {
    const MutableBytes room{inbox_.get() + inbox_end_, kInboxBytes - inbox_end_};
    auto read = stream_->try_read({&room, 1});
    if (!read) {
      lost();
      co_return read.error();
    }
    if (read.value()) {
      if (*read.value() == 0) co_return lost();
      inbox_end_ += *read.value();
      received_bytes_ += *read.value();
      bytes_since_yield_ += *read.value();
      if (bytes_since_yield_ >= kYieldBytes) co_await yield();
      co_return outcome::success();
    }
    bytes_since_yield_ = 0;
    CAIRN_CO_TRYV(co_await (sink != nullptr ? wait_for_data(*sink, deadline) : stream_->wait_readable(deadline)));
  }
}

// The next indication. `patience` is for silence between PDUs; inside one it is the stall limit, in set-up ARTIM.
Task<Indication> Association::next(std::chrono::milliseconds patience, DataSink* sink) {
  for (;;) {
    Bytes input = inbox();
    const Indication indication = upper_layer_.receive(input);
    inbox_begin_ = inbox_end_ - input.size();
    queue_output();
    if (indication != Indication::more) co_return indication;
    const auto allowed = upper_layer_.inside_pdu() ? std::min(patience, options_.stall) : patience;
    const bool timed = upper_layer_.artim_running();
    auto filled = co_await fill(timed ? artim_deadline() : Clock::now() + allowed, sink);
    if (!filled) {
      if (timed && filled.error() == Errc::timeout) {
        upper_layer_.artim_expired();
        co_return upper_layer_.fault();
      }
      co_return filled.error();
    }
  }
}

Error Association::lost() {
  if (end_ == End::open) end_ = End::connection_lost;
  upper_layer_.transport_closed();
  return fail(Errc::closed, "connection closed by the peer");
}

Error Association::ended(Indication indication) {
  switch (indication) {
    case Indication::abort:
      end_ = End::peer_aborted;
      return fail(Errc::closed, "aborted by the peer");
    case Indication::provider_abort:
      if (end_ == End::open) end_ = End::we_aborted;
      return upper_layer_.fault();
    case Indication::refused:
      end_ = End::rejected;
      return upper_layer_.fault();
    case Indication::associate_rj:
      end_ = End::rejected;
      return fail(Errc::refused, "association rejected");
    default:
      return fail(Errc::closed, "association over");
  }
}

Error Association::violation(Errc code, const char* where, std::uint8_t abort_reason) {
  const Error error = fail(code, where);
  upper_layer_.violation(error, abort_reason);
  if (end_ == End::open) end_ = End::we_aborted;
  queue_output();
  return error;
}

Task<pdu::AssociateRQ> Association::indication() {
  CAIRN_CO_TRY(const Indication i, co_await next(options_.artim));
  if (i != Indication::associate_rq) co_return ended(i);
  co_return upper_layer_.associate_rq();
}

Task<> Association::take_command_fragment(std::string& command) {
  while (upper_layer_.payload_remaining() != 0) {
    if (inbox_begin_ == inbox_end_) {
      CAIRN_CO_TRYV(co_await fill(Clock::now() + options_.stall));
    }
    const auto n = std::min<std::size_t>(upper_layer_.payload_remaining(), inbox().size());
    command += as_text(inbox().first(n));
    inbox_begin_ += n;
    upper_layer_.payload_taken(n);
  }
  co_return outcome::success();
}

Task<Association::Incoming> Association::next_command() {
  Incoming incoming;
  for (bool begun = false;; begun = true) {
    auto indicated = co_await next(begun ? options_.stall : options_.idle);
    while (!indicated && !begun && peer_waits_ && indicated.error() == Errc::timeout && !upper_layer_.inside_pdu()) {
      indicated = co_await next(options_.idle);
    }
    CAIRN_CO_TRY(const Indication i, std::move(indicated));
    if (i == Indication::release_rq) {
      if (begun) co_return violation(Errc::malformed, "release inside a message", pdu::Abort::unexpected_pdu);
      incoming.release = true;
      co_return incoming;
    }
    if (i != Indication::fragment) co_return ended(i);
    const pdu::PDVHeader fragment = upper_layer_.fragment();
    if (!contexts_.test(fragment.context_id)) {
      co_return violation(Errc::malformed, "fragment in a presentation context that was not accepted",
                          pdu::Abort::invalid_parameter_value);
    }
    if (!fragment.command || (begun && fragment.context_id != incoming.context_id)) {
      co_return violation(Errc::malformed, "fragment where a command was expected", pdu::Abort::unexpected_parameter);
    }
    if (fragment.length > dicom::kMaxCommandBytes - incoming.command.size()) {
      co_return violation(Errc::limit_exceeded, "command set", pdu::Abort::invalid_parameter_value);
    }
    incoming.context_id = fragment.context_id;
    CAIRN_CO_TRYV(co_await take_command_fragment(incoming.command));
    if (fragment.last) co_return incoming;
  }
}

Task<> Association::wait_for_data(DataSink& sink, Deadline limit) {
  bytes_since_yield_ = 0;
  for (;;) {
    sink.relieve();
    auto waited = co_await stream_->wait_readable(std::min(limit, Clock::now() + kRelieveInterval));
    if (waited || !(waited.error() == Errc::timeout) || Clock::now() >= limit) co_return waited;
  }
}

Task<> Association::receive_data(std::uint8_t context_id, DataSink& sink) {
  for (bool last = false;;) {
    while (upper_layer_.payload_remaining() == 0) {
      if (last) co_return outcome::success();
      CAIRN_CO_TRY(const Indication i, co_await next(options_.stall, &sink));
      if (i == Indication::release_rq) {
        co_return violation(Errc::malformed, "release inside a message", pdu::Abort::unexpected_pdu);
      }
      if (i != Indication::fragment) co_return ended(i);
      const pdu::PDVHeader& fragment = upper_layer_.fragment();
      if (fragment.command || fragment.context_id != context_id) {
        co_return violation(Errc::malformed, "fragment of another message inside a data set",
                            pdu::Abort::unexpected_parameter);
      }
      last = fragment.last;
    }
    CAIRN_CO_TRY(MutableBytes room, co_await sink.room());
    const std::size_t remaining = upper_layer_.payload_remaining();
    std::size_t n = 0;
    if (inbox_begin_ != inbox_end_) {
      n = std::min({room.size(), remaining, inbox().size()});
      std::memcpy(room.data(), inbox().data(), n);
      inbox_begin_ += n;
    } else {
      const bool whole = room.size() >= remaining;
      room = room.first(std::min(room.size(), remaining));
      inbox_begin_ = inbox_end_ = 0;
      const std::size_t ahead = !whole ? 0 : room.size() >= kInboxBytes ? kLookAheadBytes : kInboxBytes;
      const MutableBytes buffers[2] = {room, {inbox_.get(), ahead}};
      auto read = stream_->try_read(buffers);
      if (!read) {
        lost();
        co_return read.error();
      }
      if (!read.value()) {
        CAIRN_CO_TRYV(co_await wait_for_data(sink, Clock::now() + options_.stall));
        continue;
      }
      if (*read.value() == 0) co_return lost();
      n = std::min(*read.value(), room.size());
      inbox_end_ = *read.value() - n;
      received_bytes_ += *read.value();
      bytes_since_yield_ += *read.value();
    }
    upper_layer_.payload_taken(n);
    CAIRN_CO_TRYV(sink.received(n));
    if (bytes_since_yield_ >= kYieldBytes) co_await yield();
  }
}

Result<std::optional<Bytes>> Association::peek_command() {
  if (end_ != End::open || broken_) return fail(Errc::closed, "association over");
  if (!inbox_ || upper_layer_.inside_pdu()) return std::optional<Bytes>();
  if (inbox_begin_ == inbox_end_) inbox_begin_ = inbox_end_ = 0;
  if (inbox_end_ != kInboxBytes) {
    const MutableBytes room{inbox_.get() + inbox_end_, kInboxBytes - inbox_end_};
    CAIRN_TRY(auto read, stream_->try_read({&room, 1}));
    if (read && *read == 0) return lost();
    if (read) inbox_end_ += *read, received_bytes_ += *read;
  }
  const Bytes waiting = inbox();
  constexpr std::size_t kHeaders = pdu::kHeaderBytes + pdu::kPDVHeaderBytes;
  if (waiting.size() < pdu::kHeaderBytes) return std::optional<Bytes>();
  const pdu::Header header = pdu::read_header(waiting.data());
  if (header.type == static_cast<std::uint8_t>(pdu::Type::abort)) return fail(Errc::closed, "aborted by the peer");
  if (header.type != static_cast<std::uint8_t>(pdu::Type::p_data_tf) || waiting.size() < kHeaders) {
    return std::optional<Bytes>();
  }
  const auto pdv = pdu::read_pdv_header(waiting.data() + pdu::kHeaderBytes);
  if (!pdv || !pdv.value().command || !pdv.value().last || pdv.value().length > waiting.size() - kHeaders) {
    return std::optional<Bytes>();
  }
  return std::optional<Bytes>(waiting.subspan(kHeaders, pdv.value().length));
}

// --- primitives

void Association::set_contexts(const pdu::AssociateAC& acceptance) {
  for (const pdu::NegotiatedContext& context : acceptance.contexts) {
    if (context.result == pdu::ContextResult::acceptance) contexts_.set(context.id);
  }
}

void Association::accept(const pdu::AssociateAC& acceptance, std::uint32_t peer_max_length) {
  set_contexts(acceptance);
  peer_max_length_ = peer_max_length;
  upper_layer_.accept(acceptance);
  queue_output();
}

void Association::reject(const pdu::AssociateRJ& rejection) {
  if (upper_layer_.reject(rejection)) end_ = End::rejected;
  queue_output();
}

void Association::respond_to_release() {
  if (upper_layer_.release_response()) end_ = End::released;
  queue_output();
}

Task<pdu::AssociateAC> Association::request(pdu::AssociateRQ request) {
  upper_layer_.associate_request(request);
  upper_layer_.transport_connected();
  queue_output();
  CAIRN_CO_TRY(const Indication i, co_await next(options_.artim));
  if (i != Indication::associate_ac) co_return ended(i);
  set_contexts(upper_layer_.associate_ac());
  peer_max_length_ = upper_layer_.associate_ac().user.max_length;
  co_return upper_layer_.associate_ac();
}

Task<> Association::release() {
  if (!upper_layer_.release_request()) co_return fail(Errc::closed, "association over");
  queue_output();
  for (;;) {
    CAIRN_CO_TRY(const Indication i, co_await next(options_.artim));
    if (i == Indication::release_rp) {
      end_ = End::released;
      co_return outcome::success();
    }
    if (i == Indication::release_rq) {
      upper_layer_.release_response();
      queue_output();
    } else if (i == Indication::fragment) {
      std::string ignored;
      CAIRN_CO_TRYV(co_await take_command_fragment(ignored));
    } else {
      co_return ended(i);
    }
  }
}

void Association::abort(pdu::Abort abort) {
  if (upper_layer_.abort(abort) && end_ == End::open) end_ = End::we_aborted;
  queue_output();
}

Task<> Association::finish() {
  auto sent = co_await drained(0);
  while (sent && upper_layer_.state() == State::Sta13) {
    const auto i = co_await next(options_.artim);
    if (!i || i.value() == Indication::finished) break;
  }
  close();
  co_return sent;
}

void Association::close() noexcept {
  broken_ = true;
  stream_->close();
  drain_->timer.cancel();
}

// --- writing

void Association::queue_output() {
  if (upper_layer_.output().empty()) return;
  outbox_ += upper_layer_.output();
  upper_layer_.output().clear();
  schedule_flush();
}

void Association::send_command(std::uint8_t context_id, std::string_view command, Bytes data) {
  if (broken_ || !upper_layer_.p_data_request()) return;
  pdu::append_p_data(outbox_, context_id, true, as_bytes(command), peer_max_length_);
  if (!data.empty()) pdu::append_p_data(outbox_, context_id, false, data, peer_max_length_);
  schedule_flush();
}

void Association::schedule_flush() {
  if (flush_scheduled_ || writing_ || broken_) return;
  flush_scheduled_ = true;
  asio::post(stream_->executor(), [self = shared_from_this()] {
    self->flush_scheduled_ = false;
    self->flush();
  });
}

void Association::flush() {
  if (writing_ || broken_ || outbox_.empty()) return;
  std::size_t written = 0;
  while (written < outbox_.size()) {
    const Bytes rest = as_bytes(std::string_view(outbox_).substr(written));
    auto n = stream_->try_write({&rest, 1});
    if (!n) {
      close();
      return;
    }
    if (!n.value()) break;
    written += *n.value();
  }
  outbox_.erase(0, written);
  if (outbox_.empty()) {
    drain_->timer.cancel();
    return;
  }
  writing_ = true;
  asio::co_spawn(
      stream_->executor(), [self = shared_from_this()] { return self->flush_slowly(); },
      [self = shared_from_this()](std::exception_ptr e) {
        self->writing_ = false;
        if (e) self->close();
        self->drain_->timer.cancel();
        if (!self->outbox_.empty()) self->schedule_flush();
      });
}

asio::awaitable<void> Association::flush_slowly() {
  while (!outbox_.empty() && !broken_) {
    const auto waited = co_await stream_->wait_writable(Clock::now() + options_.stall);
    if (!waited) co_return close();
    const Bytes rest = as_bytes(outbox_);
    const auto n = stream_->try_write({&rest, 1});
    if (!n) co_return close();
    outbox_.erase(0, n.value().value_or(0));
  }
}

Task<> Association::drained(std::size_t bytes) {
  if (outbox_.size() > bytes) flush();
  while (outbox_.size() > bytes || (bytes == 0 && writing_)) {
    if (broken_) co_return fail(Errc::closed, "connection");
    drain_->timer.expires_at(Deadline::max());
    co_await drain_->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  if (broken_ && bytes != 0) co_return fail(Errc::closed, "connection");
  co_return outcome::success();
}

namespace {

class WholeSource final : public DataSource {
 public:
  explicit WholeSource(Bytes data) : data_(data) {}
  Task<Piece> next() override { co_return Piece{data_, true}; }

 private:
  Bytes data_;
};

}  // namespace

Task<> Association::send_message(std::uint8_t context_id, std::string command, Bytes data) {
  if (broken_ || !upper_layer_.p_data_request()) co_return fail(Errc::closed, "association over");
  if (data.size() <= kInboxBytes) {
    pdu::append_p_data(outbox_, context_id, true, as_bytes(command), peer_max_length_);
    pdu::append_p_data(outbox_, context_id, false, data, peer_max_length_);
    schedule_flush();
    co_return co_await drained(kOutboxLimit);
  }
  WholeSource source(data);
  co_return co_await send_message(context_id, std::move(command), source);
}

Task<> Association::send_message(std::uint8_t context_id, std::string command, DataSource& source) {
  CAIRN_CO_TRYV(co_await until_not_writing());
  if (broken_ || !upper_layer_.p_data_request()) co_return fail(Errc::closed, "association over");
  writing_ = true;
  std::string head = std::move(outbox_);
  outbox_.clear();
  pdu::append_p_data(head, context_id, true, as_bytes(command), peer_max_length_);
  auto written = co_await write_stream(context_id, std::move(head), source);
  writing_ = false;
  if (!written) close();
  if (!outbox_.empty()) schedule_flush();
  drain_->timer.cancel();
  co_return written;
}

Task<> Association::until_not_writing() {
  while (writing_) {
    if (broken_) co_return fail(Errc::closed, "connection");
    drain_->timer.expires_at(Deadline::max());
    co_await drain_->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return outcome::success();
}

// The fragments of a data set from where its pieces lie: only headers are made. `head` goes before them.
Task<> Association::write_stream(std::uint8_t context_id, std::string head, DataSource& source) {
  constexpr std::size_t kBatch = 60;  // fragments in one write
  std::array<std::byte, kBatch * 12> headers;
  std::array<Bytes, 3 * kBatch + 1> pieces;
  const std::size_t capacity = pdu::fragment_capacity(peer_max_length_);
  // Fragments are even (PS3.8 Annex E): the last byte of an odd piece goes with the next. Two places, since the one is
  // still being written when the other is filled.
  std::array<std::byte, 2> odd{};
  std::size_t place = 0;
  bool carried = false, last = false;
  while (!last) {
    CAIRN_CO_TRY(const DataSource::Piece piece, co_await source.next());
    Bytes data = piece.bytes;
    last = piece.last;
    for (bool more = true; more;) {
      std::size_t count = 0;
      if (!head.empty()) pieces[count++] = as_bytes(head);
      for (std::size_t i = 0; i < kBatch && more; ++i) {
        const std::size_t have = data.size() + (carried ? 1 : 0);
        std::size_t n = std::min(capacity, have);
        more = n < have;
        const bool ends = last && !more;
        if (!more && !last) n &= ~std::size_t{1};
        if (n == 0 && !ends) break;
        pdu::write_p_data_header(&headers[12 * i], context_id, false, ends, static_cast<std::uint32_t>(n));
        pieces[count++] = {&headers[12 * i], 12};
        if (carried && n != 0) {
          pieces[count++] = {&odd[place], 1};
          carried = false;
          --n;
        }
        pieces[count++] = data.first(n);
        data = data.subspan(n);
      }
      if (!more && !last && !data.empty()) {
        place ^= 1;
        odd[place] = data.front();
        carried = true;
      }
      CAIRN_CO_TRYV(co_await write_all({pieces.data(), count}));
      head.clear();
    }
    if (bytes_since_yield_ += piece.bytes.size(); bytes_since_yield_ >= kYieldBytes) co_await yield();
  }
  co_return outcome::success();
}

Task<> Association::write_all(std::span<Bytes> rest) {
  while (!rest.empty()) {
    if (broken_) co_return fail(Errc::closed, "connection");
    CAIRN_CO_TRY(const auto n, stream_->try_write({rest.data(), rest.size()}));
    if (!n) {
      CAIRN_CO_TRYV(co_await stream_->wait_writable(Clock::now() + options_.stall));
      continue;
    }
    std::size_t written = *n;
    while (!rest.empty() && written >= rest.front().size()) {
      written -= rest.front().size();
      rest = rest.subspan(1);
    }
    if (!rest.empty()) rest.front() = rest.front().subspan(written);
  }
  co_return outcome::success();
}

}  // namespace cairn::net
